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
import { growing, put, reserve, storedOf, vectorOf, vectorTo } from "../src/vectors.ts";
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
        expect(() => vectorOf(column, [null, value as Stored]), column.type).to.throw(TypeError);
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
    reserve(grown, 5000, 50_000);
    expect(grown.values).to.have.length(50_000);
    reserve(grown, 50_001, 50_000);
    expect(grown.values).to.have.length(100_000);
  });
});
