// What a column's rows are as pages, byte by byte, and what the footer will say of them.
import { expect } from "chai";
import {
  bigint,
  boolean,
  date,
  decimal,
  integer,
  nullable,
  text,
  time,
  timestamp,
  type Column,
} from "../../src/columns.ts";
import { encodeChunk } from "../../src/parquet/encode.ts";
import { ParquetError } from "../../src/parquet/error.ts";
import { fileColumns } from "../../src/parquet/schema.ts";
import type { Stored } from "../../src/values.ts";
import { vectorOf, type Vector } from "../../src/vectors.ts";

/** The chunk of rows `from` to `to`, its pages in hexadecimal. */
function chunkOf(column: Column, values: readonly Stored[] | Vector, from = 0, to?: number) {
  const vector = "layout" in values ? values : vectorOf(column, values);
  const [declared] = fileColumns({ c: column });
  const end = to ?? vector.values.length;
  const { dictionary, pages, nulls, bounds } = encodeChunk(declared!, vector, from, end);
  return {
    dictionary: dictionary && { body: dictionary.body.toString("hex"), count: dictionary.count },
    pages: [...pages].map(({ body, rows }) => [body.toString("hex"), rows]),
    nulls,
    bounds,
  };
}

const hex = (value: string): string => Buffer.from(value).toString("hex");

describe("a chunk of a Parquet file", () => {
  const plain: [string, Column, Stored[], string, object][] = [
    ["integers", integer, [1, -1], "01000000ffffffff", { min: -1, max: 1 }],
    ["days", date, [0, 256], "0000000000010000", { min: 0, max: 256 }],
    [
      "bigints that floats hold",
      bigint,
      [-1n, 2n ** 32n],
      "ffffffffffffffff0000000001000000",
      { min: -1n, max: 2n ** 32n },
    ],
    [
      "bigints that floats do not hold",
      bigint,
      [2n ** 53n + 1n, -(2n ** 63n), 0n],
      "010000000000200000000000000000800000000000000000",
      { min: -(2n ** 63n), max: 2n ** 53n + 1n },
    ],
    [
      "bigints only the lowest of which no float holds",
      bigint,
      [-(2n ** 53n), 3n],
      "000000000000e0ff0300000000000000",
      { min: -(2n ** 53n), max: 3n },
    ],
    ["moments", timestamp, [1n, 2n], "01000000000000000200000000000000", { min: 1n, max: 2n }],
    [
      "small decimals",
      decimal(10, 2),
      [-150, 2],
      "6affffffffffffff0200000000000000",
      { min: -150n, max: 2n },
    ],
    [
      "decimals of 18 digits",
      decimal(18, 0),
      [-1n, 1n],
      "ffffffffffffffff0100000000000000",
      { min: -1n, max: 1n },
    ],
    [
      "decimals of 19 digits, most significant byte first",
      decimal(19, 0),
      [-2n, 2n ** 63n],
      `${"f".repeat(31)}e00000000000000008000000000000000`,
      { min: -2n, max: 2n ** 63n },
    ],
    [
      "times of day",
      time,
      [86_399_999_999, 3_723_004_005],
      `0f000000${hex("23:59:59.999999")}0f000000${hex("01:02:03.004005")}`,
      { min: "01:02:03.004005", max: "23:59:59.999999" },
    ],
    [
      "booleans, eight a byte, the first lowest",
      boolean,
      [true, false, false, true, false, false, false, false, true],
      "0901",
      { min: false, max: true },
    ],
    ["booleans that are all true", boolean, [true, true], "03", { min: true, max: true }],
    ["booleans that are all false", boolean, [false], "00", { min: false, max: false }],
    [
      "texts",
      text,
      ["b", "ab"],
      `01000000${hex("b")}02000000${hex("ab")}`,
      { min: "ab", max: "b" },
    ],
    [
      "texts that are not ASCII, whose length is in bytes",
      text,
      ["é", "a"],
      `02000000${hex("é")}01000000${hex("a")}`,
      { min: "a", max: "é" },
    ],
    [
      "texts of 127 characters and 128",
      text,
      ["x".repeat(127), "y".repeat(128)],
      `7f000000${hex("x".repeat(127))}80000000${hex("y".repeat(128))}`,
      { min: "x".repeat(127), max: "y".repeat(128) },
    ],
  ];
  for (const [what, column, values, bytes, bounds] of plain)
    it(`has ${what} one after the other, and their least and greatest`, () => {
      const pages = [[bytes, values.length]];
      expect(chunkOf(column, values)).to.deep.equal({
        dictionary: undefined,
        pages,
        nulls: 0,
        bounds,
      });
    });

  const few: [string, Column, Stored[], string, object][] = [
    ["integers", integer, [7, 7, -7, 7], "07000000f9ffffff", { min: -7, max: 7 }],
    [
      "bigints",
      bigint,
      [7n, 7n, -7n, 7n],
      "0700000000000000f9ffffffffffffff",
      { min: -7n, max: 7n },
    ],
    [
      "times",
      time,
      [0, 0, 1, 0],
      `0f000000${hex("00:00:00.000000")}0f000000${hex("00:00:00.000001")}`,
      { min: "00:00:00.000000", max: "00:00:00.000001" },
    ],
    [
      "texts",
      text,
      ["b", "b", "a", "b"],
      `01000000${hex("b")}01000000${hex("a")}`,
      { min: "a", max: "b" },
    ],
  ];
  for (const [what, column, values, body, bounds] of few)
    it(`of few ${what} has each once in its dictionary, and their places in the page`, () => {
      // One bit an index; a run of one group of eight: 0, 0, 1, 0.
      expect(chunkOf(column, values)).to.deep.equal({
        dictionary: { body, count: 2 },
        pages: [["010304", 4]],
        nulls: 0,
        bounds,
      });
    });

  it("has before its values which rows have one, where the column may be null", () => {
    // Four bytes of length, then a run of one group: 1, 0, 1 is 5; of three rows that all have one: three times 1.
    const some = chunkOf(nullable(integer), [1, null, -2]);
    expect(some).to.deep.equal({
      dictionary: undefined,
      pages: [["020000000305" + "01000000feffffff", 3]],
      nulls: 1,
      bounds: { min: -2, max: 1 },
    });
    const all = chunkOf(nullable(integer), [1, 2, 3]);
    expect(all.pages).to.deep.equal([["020000000601" + "010000000200000003000000", 3]]);
    expect(all.nulls).to.equal(0);
  });

  for (const [what, column, one] of [
    ["integers", integer, 5],
    ["bigints", bigint, 5n],
    ["wide decimals", decimal(30, 0), 5n],
    ["times", time, 5],
    ["booleans", boolean, true],
    ["texts", text, "5"],
  ] as [string, Column, Stored][]) {
    it(`has no bounds where its ${what} are all null, nor where there is no row`, () => {
      const nulls = chunkOf(nullable(column), [null, null]);
      expect(nulls.pages).to.deep.equal([["020000000400", 2]]);
      expect([nulls.nulls, nulls.bounds]).to.deep.equal([2, undefined]);
      expect(chunkOf(column, []).bounds).to.equal(undefined);
    });

    it(`has the rows of its stretch alone: ${what}`, () => {
      const whole = [null, one, null, one, one, null];
      const part = chunkOf(nullable(column), whole, 2, 5);
      expect(part).to.deep.equal(chunkOf(nullable(column), [null, one, one]));
      const full = [one, one, one, one];
      expect(chunkOf(column, full, 1, 3)).to.deep.equal(chunkOf(column, [one, one]));
      expect(chunkOf(column, full, 0, 3)).to.deep.equal(chunkOf(column, [one, one, one]));
    });
  }

  it("is the same whatever was encoded before", () => {
    const [small, large] = [[3, 4], Array.from({ length: 1000 }, (_, i) => i)];
    const before = chunkOf(integer, small);
    const { pages } = chunkOf(integer, large);
    expect(pages[0]![0]).to.have.length(8000);
    expect(chunkOf(integer, small)).to.deep.equal(before);
  });

  it("of long texts has pages of about a million characters, or one row that is longer", () => {
    const long = (length: number, of: string): string => of.repeat(length);
    const rowsOf = (column: Column, values: Stored[]) => {
      const { dictionary, pages } = chunkOf(column, values);
      expect(dictionary).to.equal(undefined);
      return pages.map(([body, rows]) => [(body as string).length / 2, rows]);
    };
    // A text counts four more than it has characters: 2¹⁹ twice is a page.
    const half = (1 << 19) - 4;
    expect(rowsOf(text, [long(half, "a"), long(half, "b"), "c"])).to.deep.equal([
      [1 << 20, 2],
      [5, 1],
    ]);
    expect(rowsOf(text, [long(half, "a"), long(half - 1, "b"), "c"])).to.deep.equal([
      [(1 << 20) + 4, 3],
    ]);
    expect(rowsOf(text, ["a", long(1 << 21, "b"), long(1 << 20, "c")])).to.deep.equal([
      [(1 << 21) + 9, 2],
      [(1 << 20) + 4, 1],
    ]);
    // Nulls count nothing, and each page has its own levels: 7 bytes of them here, a bit a row.
    expect(rowsOf(nullable(text), [null, long(1 << 20, "a"), null, "b"])).to.deep.equal([
      [(1 << 20) + 4 + 6, 2],
      [5 + 6, 2],
    ]);
  });

  it("has a dictionary of texts only where they are no more than a page", () => {
    const page = ["a".repeat(1 << 19), "b".repeat(1 << 19)];
    expect(chunkOf(text, [...page, ...page]).dictionary?.count).to.equal(2);
    const more = ["a".repeat(1 << 19), "b".repeat((1 << 19) + 1)];
    expect(chunkOf(text, [...more, ...more]).dictionary).to.equal(undefined);
  });

  it("has no bounds of texts that JavaScript orders otherwise than their bytes", () => {
    expect(chunkOf(text, ["a", "\ue000"]).bounds).to.equal(undefined);
    expect(chunkOf(text, ["\uffff", "a"]).bounds).to.equal(undefined);
    expect(chunkOf(text, ["\ud7ff", "😀"]).bounds).to.deep.equal({ min: "\ud7ff", max: "😀" });
  });
});

describe("a chunk of a Parquet file refuses", () => {
  const floats = (...values: number[]): Vector => ({
    layout: "float64",
    values: Float64Array.from(values),
    nulls: undefined,
  });
  const refused: [string, Column, Vector, string][] = [
    ["a null", integer, vectorOf(integer, [1, 2, null]), "row 2: object null"],
    ["a null in the first row", integer, vectorOf(integer, [null, 1]), "row 0: object null"],
    ["a time before midnight", time, floats(0, -1), "row 1: number -1"],
    ["a time after midnight", time, floats(86_400_000_000), "row 0: number 86400000000"],
    ["half a microsecond", time, floats(0, 1, 0.5), "row 2: number 0.5"],
    ["no number", decimal(3, 0), floats(NaN), "row 0: number NaN"],
    ["too many digits", decimal(3, 0), floats(999, -999, 1000), "row 2: number 1000"],
    ["too many digits below nought", decimal(3, 0), floats(-1000), "row 0: number -1000"],
    [
      "a bigint of 64 bits and a sign",
      bigint,
      vectorOf(bigint, [2n ** 63n - 1n, 2n ** 63n]),
      `row 1: bigint ${2n ** 63n}`,
    ],
    ["a bigint below 64 bits", bigint, vectorOf(bigint, [-(2n ** 63n) - 1n]), "row 0: bigint -"],
    [
      "a wide decimal of too many digits",
      decimal(17, 0),
      vectorOf(bigint, [10n ** 17n]),
      "row 0: ",
    ],
    [
      "what is no bigint",
      bigint,
      { layout: "bigint", values: [1n, undefined as never], nulls: undefined },
      "row 1: undefined undefined",
    ],
    [
      "half a surrogate pair",
      text,
      { layout: "text", values: ["a", "\ud83d"], nulls: undefined },
      String.raw`row 1: string "\ud83d"`,
    ],
    [
      "what is no text",
      text,
      { layout: "text", values: ["a", 1 as never], nulls: undefined },
      "row 1: number 1",
    ],
    [
      "what is neither true nor false",
      boolean,
      { layout: "boolean", values: Uint8Array.of(1, 0, 2), nulls: undefined },
      "row 2: number 2",
    ],
  ];
  for (const [what, column, vector, message] of refused)
    it(`${what}, naming its row`, () => {
      expect(() => chunkOf(column, vector))
        .to.throw(ParquetError, `column "c": ${message}`)
        .with.property("column", "c");
    });

  it("a value whose row it names whatever nulls and stretches are before it", () => {
    const nulls = Uint8Array.of(0, 0, 1, 0, 1, 0);
    const values = Float64Array.of(0, 0, 0, 1, 0, 0.5);
    const vector: Vector = { layout: "float64", values, nulls };
    expect(() => chunkOf(nullable(time), vector, 1)).to.throw("row 5: number 0.5");
    const booleans: Vector = {
      layout: "boolean",
      values: Uint8Array.of(9, 9, 9, 9),
      nulls: Uint8Array.of(1, 1, 1, 0),
    };
    expect(() => chunkOf(nullable(boolean), booleans, 1)).to.throw("row 3: number 9");
    const bigints: Vector = {
      layout: "bigint",
      values: [0n, 0n, 2n ** 64n],
      nulls: Uint8Array.of(0, 1, 0),
    };
    expect(() => chunkOf(nullable(bigint), bigints, 1)).to.throw("row 2: bigint");
    expect(() => chunkOf(integer, vectorOf(integer, [1, 2, null]), 1)).to.throw(
      "row 2: object null",
    );
  });

  it("nothing in a row that has no value", () => {
    const nulls = Uint8Array.of(1, 0);
    const rows = (vector: Vector, column: Column) => chunkOf(nullable(column), vector).nulls;
    expect(rows({ layout: "float64", values: Float64Array.of(NaN, 1), nulls }, time)).to.equal(1);
    expect(rows({ layout: "bigint", values: [2n ** 64n, 1n], nulls }, bigint)).to.equal(1);
    expect(rows({ layout: "text", values: ["\ud83d", "a"], nulls }, text)).to.equal(1);
    expect(rows({ layout: "boolean", values: Uint8Array.of(9, 1), nulls }, boolean)).to.equal(1);
    // Nor where the stretch begins later.
    const second = Uint8Array.of(0, 1, 0);
    const from = (vector: Vector, column: Column) => chunkOf(nullable(column), vector, 1).nulls;
    const bigints = [0n, 2n ** 64n, 1n];
    expect(from({ layout: "bigint", values: bigints, nulls: second }, bigint)).to.equal(1);
    expect(from({ layout: "text", values: ["", "\ud83d", "a"], nulls: second }, text)).to.equal(1);
  });
});
