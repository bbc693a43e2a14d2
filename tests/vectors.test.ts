import { expect } from "chai";
import fc from "fast-check";
import {
  boolean,
  type Column,
  date,
  decimal,
  integer,
  text,
  time,
  timestamp,
} from "../src/columns.ts";
import { fileColumns } from "../src/parquet/schema.ts";
import type { Stored } from "../src/values.ts";
import { cut, growing, put, reserve, storedOf, vectorOf, vectorTo } from "../src/vectors.ts";
import { anyStored, everyType } from "./contracts/stored.ts";

describe("vectorOf", () => {
  it("holds what storedOf gives back, of every type", () => {
    for (const column of fileColumns(everyType)) {
      fc.assert(
        fc.property(
          fc.array(anyStored(column, { int64Bits: 63 }), { maxLength: 200 }),
          (stored) => {
            const vector = vectorOf(column, stored);
            expect(storedOf(vector)).to.deep.equal(stored);
            expect(vector.nulls !== undefined).to.equal(stored.includes(null));
          },
        ),
      );
    }
  });

  it("refuses what is not how the column stores a value", () => {
    const wrong: [Column, unknown[]][] = [
      [integer, [1.5, 2 ** 31, "1", 1n, undefined, NaN]],
      [date, ["2024-01-15", 1.5, 1n]],
      [boolean, [1, "t", undefined]],
      [text, [1, undefined]],
      [time, ["12:00:00", 0.5, 1n]],
      [timestamp, [1, "2024-01-15T00:00:00", new Date()]],
      [decimal(10, 2), [1.15, 1n, "1.15", undefined]],
      [decimal(16, 2), [1, "1.15"]],
    ];
    for (const [column, values] of wrong)
      for (const value of values)
        expect(() => vectorOf(column, [null, value as Stored]), column.type).to.throw(
          TypeError,
          `row 1: a ${typeof value} is not held as ${growing(column).layout}`,
        );
  });
});

describe("a growing column", () => {
  it("keeps its values and nulls when it gets more room, and gives views of its first rows", () => {
    for (const column of fileColumns(everyType)) {
      const stored = fc.sample(anyStored(column, { int64Bits: 63 }), 1000);
      const grown = growing(column, 1);
      for (const [row, value] of stored.entries()) {
        reserve(grown, row + 1);
        put(grown, row, value);
      }
      const half = vectorTo(grown, 500);
      expect(storedOf(half)).to.deep.equal(stored.slice(0, 500));
      expect(storedOf(vectorTo(grown, 1000))).to.deep.equal(stored);
      expect(half.nulls?.length ?? 500).to.equal(500);
    }
  });

  it("gets room for all that is expected once it has many rows, and no more than twice as much before", () => {
    const grown = growing(integer);
    reserve(grown, 100, 50_000);
    expect(grown.values).to.have.length(128);
    reserve(grown, 4096, 50_000);
    expect(grown.values).to.have.length(4096);
    reserve(grown, 5000, 50_000);
    expect(grown.values).to.have.length(50_000);
    reserve(grown, 50_001, 50_000);
    expect(grown.values).to.have.length(100_000);
  });

  it("of whole numbers, floats and truth values is a typed array, also with more room", () => {
    const made = [integer, time, boolean].map((column) => growing(column, 2));
    const kinds = [Int32Array, Float64Array, Uint8Array];
    for (const [i, column] of made.entries()) {
      expect(column.values).to.be.instanceOf(kinds[i]!);
      reserve(column, 3);
      expect(column.values).to.be.instanceOf(kinds[i]!).with.length(4);
    }
  });

  it("of texts and bigints begins empty and needs no room made", () => {
    for (const [column, value, nothing] of [
      [text, "a", ""],
      [timestamp, 1n, 0n],
    ] as const) {
      const grown = growing(column);
      expect(grown.values).to.deep.equal([]);
      // 64 is where the room for nulls ends that the first of them makes.
      const nulls = new Set([0, 64, 130]);
      for (let row = 0; row <= 140; row++) put(grown, row, nulls.has(row) ? null : value);
      const vector = vectorTo(grown, 141);
      expect(vector.nulls).to.have.length(141);
      expect([...vector.nulls!.keys()].filter((row) => vector.nulls![row] === 1)).to.deep.equal([
        0, 64, 130,
      ]);
      expect(vector.values.slice(63, 66)).to.deep.equal([value, nothing, value]);
    }
  });

  it("stays as it is where there is room already", () => {
    const grown = growing(integer, 8);
    put(grown, 0, null);
    const { values, nulls } = grown;
    reserve(grown, 8);
    expect(grown.values).to.equal(values);
    reserve(grown, 64);
    expect(grown.nulls).to.equal(nulls);
  });

  it("has the value that was put last, in the place of a null too", () => {
    const grown = growing(integer);
    for (const value of [null, 7]) put(grown, 0, value);
    expect(storedOf(vectorTo(grown, 1))).to.deep.equal([7]);
  });

  it("is viewed and not copied where it is a typed array", () => {
    const grown = growing(integer);
    put(grown, 0, 7);
    expect((vectorTo(grown, 1).values as Int32Array).buffer).to.equal(
      (grown.values as Int32Array).buffer,
    );
  });
});

describe("cut", () => {
  it("gives the rows of a stretch, of every layout", () => {
    const of: [Column, Stored[]][] = [
      [integer, [1, null, 3, 4]],
      [time, [1, null, 3, 4]],
      [boolean, [true, null, false, true]],
      [timestamp, [1n, null, 3n, 4n]],
      [text, ["a", null, "c", "d"]],
    ];
    for (const [column, stored] of of) {
      const part = cut(vectorOf(column, stored), { from: 1, to: 3 });
      expect(storedOf(part), column.type).to.deep.equal(stored.slice(1, 3));
    }
  });
});
