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
import {
  bigintRange,
  checkRows,
  floatRange,
  isWellFormed,
  misfit,
  rowCount,
  saidTypes,
  typesText,
} from "../../src/parquet/checks.ts";
import { ParquetError } from "../../src/parquet/error.ts";
import { fileColumns, type FileColumn } from "../../src/parquet/schema.ts";
import type { Vector } from "../../src/vectors.ts";

const columnOf = (column: Column, name = "c"): FileColumn => fileColumns({ [name]: column })[0]!;

describe("what both codecs check", () => {
  it("is that a file has no more than 16,777,216 rows", () => {
    checkRows(0);
    checkRows(16_777_216);
    for (const rows of [16_777_217, NaN])
      expect(() => checkRows(rows)).to.throw(
        ParquetError,
        `${rows} rows, a file has at most 16777216`,
      );
  });

  const numbers = (length: number, nulls?: number): Vector => ({
    layout: "int32",
    values: new Int32Array(length),
    nulls: nulls === undefined ? undefined : new Uint8Array(nulls),
  });
  const two = [columnOf(integer, "a"), columnOf(nullable(date), "b")];

  it("is that there is a column of values for each column, at least one", () => {
    expect(rowCount(two, [numbers(3), numbers(3, 3)])).to.equal(3);
    expect(rowCount(two, [numbers(0), numbers(0)])).to.equal(0);
    expect(() => rowCount([], [])).to.throw(ParquetError, "0 columns of values for 0 columns");
    expect(() => rowCount(two, [numbers(3)])).to.throw("1 columns of values for 2 columns");
    expect(() => rowCount(two, [])).to.throw("0 columns of values for 2 columns");
  });

  it("is that a file to be written has no more rows than one to be read", () => {
    expect(() => rowCount([two[0]!], [numbers(16_777_217)])).to.throw("16777217 rows");
  });

  it("is that values lie as their column's type does", () => {
    const texts: Vector = { layout: "text", values: ["", ""], nulls: undefined };
    expect(() => rowCount(two, [numbers(2), texts]))
      .to.throw(ParquetError, 'column "b": text is not how a date is laid out')
      .with.property("column", "b");
    expect(() => rowCount(two, [numbers(2), undefined as never])).to.throw(
      'column "b": nothing is not how a date is laid out',
    );
  });

  it("is that all columns are of one length, their nulls too", () => {
    expect(() => rowCount(two, [numbers(3), numbers(2)]))
      .to.throw(ParquetError, 'column "b": 2 values, the first column has 3')
      .with.property("column", "b");
    expect(() => rowCount(two, [numbers(3), numbers(3, 4)])).to.throw(
      'column "b": 4 values, the first column has 3',
    );
  });
});

describe("a value that is not how its column stores one", () => {
  it("is shown with its row, its type and its column, a text up to sixty characters", () => {
    const price = columnOf(decimal(10, 2), "price");
    const error = misfit(price, 1.5, 7);
    expect(error.message).to.equal(
      'column "price": row 7: number 1.5 is not how a decimal(10,2) is stored',
    );
    expect(error.column).to.equal("price");
    expect(misfit(price, "é".repeat(61), 0).message).to.equal(
      `column "price": row 0: string "${"é".repeat(60)}" is not how a decimal(10,2) is stored`,
    );
  });
});

describe("the numbers that a column can hold", () => {
  it("are, as floats, those of a day's microseconds and of a decimal's digits", () => {
    expect(floatRange({ type: "time" })).to.deep.equal({ first: 0, end: 86_400_000_000 });
    expect(floatRange(columnOf(decimal(3, 1)))).to.deep.equal({ first: -999, end: 1000 });
    const widest = { first: -999_999_999_999_999, end: 1_000_000_000_000_000 };
    expect(floatRange(columnOf(decimal(15, 0)))).to.deep.equal(widest);
  });

  it("are, as bigints, those of 64 bits and of a decimal's digits", () => {
    const bits = { first: -9_223_372_036_854_775_808n, end: 9_223_372_036_854_775_808n };
    expect(bigintRange(columnOf(bigint))).to.deep.equal(bits);
    expect(bigintRange(columnOf(timestamp))).to.deep.equal(bits);
    expect(bigintRange(columnOf(decimal(17, 1)))).to.deep.equal({
      first: -99_999_999_999_999_999n,
      end: 100_000_000_000_000_000n,
    });
  });
});

describe("a text", () => {
  it("is one that UTF-8 can hold unless half a surrogate pair is in it", () => {
    expect(["", "é", "😀", "\ufffd"].map(isWellFormed)).to.deep.equal([true, true, true, true]);
    expect(["\ud83d", "a\ude00b"].map(isWellFormed)).to.deep.equal([false, false]);
  });
});

describe("the declared types in a file's metadata", () => {
  it("are written by name, a question mark behind those that may be null", () => {
    const columns = fileColumns({ price: decimal(10, 2), note: nullable(text), at: time });
    expect(typesText(columns)).to.equal(
      '{"price":"decimal(10,2)","note":"text?","at":"time","_batch":"bigint"}',
    );
  });

  it("are read as they were written", () => {
    const columns = fileColumns({ price: decimal(10, 2), note: nullable(boolean) });
    expect([...saidTypes(typesText(columns))]).to.deep.equal([
      ["price", { type: "decimal(10,2)", nullable: false }],
      ["note", { type: "boolean", nullable: true }],
      ["_batch", { type: "bigint", nullable: false }],
    ]);
    // Only the mark at the end.
    expect(saidTypes('{"odd":"a?b"}').get("odd")).to.deep.equal({ type: "a?b", nullable: false });
  });

  it("are none of a file that has none, or none in them", () => {
    expect([...saidTypes(undefined)]).to.deep.equal([]);
    expect([...saidTypes("null")]).to.deep.equal([]);
  });

  it("are refused where they are no JSON", () => {
    const error = caught(() => saidTypes("{"));
    expect(error).to.be.instanceOf(ParquetError);
    expect(error.message).to.equal("the footer is damaged: its types cannot be read");
    expect(error.cause).to.be.instanceOf(SyntaxError);
  });
});

function caught(work: () => unknown): Error {
  try {
    work();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}
