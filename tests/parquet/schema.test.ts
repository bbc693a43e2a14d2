import { expect } from "chai";
import { ParquetError } from "../../src/parquet/error.ts";
import { storedOf } from "../../src/vectors.ts";
import {
  date,
  decimal,
  integer,
  key,
  nullable,
  references,
  serial,
  text,
} from "../../src/columns.ts";
import { absent, fileColumns, typeName, type FileColumn } from "../../src/parquet/schema.ts";

describe("fileColumns", () => {
  it("is the declared columns in order, without generated ones, and the batch last", () => {
    const columns = fileColumns({
      record_id: serial,
      id: key(integer),
      day: references("days", date),
      price: nullable(decimal(10, 2)),
    });
    const fieldId = columns.map((column) => column.fieldId);
    expect(columns).to.deep.equal([
      { name: "id", type: "integer", nullable: false, key: true, fieldId: fieldId[0] },
      { name: "day", type: "date", nullable: false, fieldId: fieldId[1] },
      {
        name: "price",
        type: "decimal",
        nullable: true,
        precision: 10,
        scale: 2,
        fieldId: fieldId[2],
      },
      { name: "_batch", type: "bigint", nullable: false, fieldId: fieldId[3] },
    ]);
  });

  it("gives a column the same positive field id wherever it stands", () => {
    const ids = (columns: Parameters<typeof fileColumns>[0]): Record<string, number> =>
      Object.fromEntries(fileColumns(columns).map(({ name, fieldId }) => [name, fieldId]));
    const before = ids({ a: integer, b: text });
    const after = ids({ c: date, b: nullable(text), a: integer });
    expect(after).to.include(before);
    // Written down, because files in lakes have them.
    expect(before).to.deep.equal({ a: 1756872259, b: 1908338681, _batch: 1915993672 });
    for (const id of Object.values(after)) expect(id).to.be.within(0, 2 ** 31 - 1);
  });

  it("refuses two names that have one field id", () => {
    expect(() => fileColumns({ plumless: text, buckeroo: text })).to.throw(
      'columns "plumless" and "buckeroo" have the same field id: rename one',
    );
  });

  it("refuses the batch's name, a nameless column and an impossible decimal", () => {
    expect(() => fileColumns({ id: integer, _batch: integer })).to.throw('column "_batch"');
    expect(() => fileColumns({ "": integer })).to.throw("without a name");
    for (const [precision, scale] of [
      [0, 0],
      [39, 0],
      [5, 6],
      [5, -1],
      [1.5, 0],
      [5, 1.5],
      [NaN, 0],
      [5, NaN],
      [undefined, 0],
      [5, undefined],
    ] as const) {
      const price = { ...decimal(5, 2), precision, scale } as never;
      expect(() => fileColumns({ price })).to.throw(
        `column "price": decimal(${precision},${scale}) is not a decimal of 1 to 38 digits`,
      );
    }
  });

  it("takes decimals of one digit to 38, any of them after the point", () => {
    for (const [precision, scale] of [
      [1, 0],
      [1, 1],
      [38, 0],
      [38, 38],
    ] as const)
      expect(fileColumns({ price: decimal(precision, scale) })[0]).to.deep.include({
        precision,
        scale,
      });
  });

  it("names types as messages write them", () => {
    expect(typeName({ type: "date" })).to.equal("date");
    expect(typeName({ type: "decimal", precision: 10, scale: 2 })).to.equal("decimal(10,2)");
  });
});

describe("a column that a file does not have", () => {
  const [id, note, day] = fileColumns({ id: key(integer), note: nullable(date), day: date }) as [
    FileColumn,
    FileColumn,
    FileColumn,
  ];

  it("is null in every row where it may be, else what stands for what is not known", () => {
    expect(storedOf(absent(note, 3))).to.deep.equal([null, null, null]);
    // The first day of the calendar, in days since 1970.
    expect(storedOf(absent(day, 2))).to.deep.equal([-719_162, -719_162]);
  });

  it("is refused where it is part of the key", () => {
    expect(() => absent(id, 1)).to.throw(
      ParquetError,
      'column "id": it is part of the key, and the file has no such column',
    );
  });
});
