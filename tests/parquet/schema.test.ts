import { expect } from "chai";
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
import { fileColumns, typeName } from "../../src/parquet/schema.ts";

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
      'columns "plumless" and "buckeroo" have the same field id',
    );
  });

  it("refuses the batch's name, a nameless column and an impossible decimal", () => {
    expect(() => fileColumns({ _batch: integer })).to.throw('column "_batch"');
    expect(() => fileColumns({ "": integer })).to.throw("without a name");
    for (const [precision, scale] of [
      [0, 0],
      [39, 0],
      [5, 6],
      [5, -1],
      [1.5, 0],
      [NaN, 0],
    ] as const) {
      expect(() => fileColumns({ price: decimal(precision, scale) })).to.throw('column "price"');
    }
  });

  it("names types as messages write them", () => {
    expect(typeName({ type: "date" })).to.equal("date");
    expect(typeName({ type: "decimal", precision: 10, scale: 2 })).to.equal("decimal(10,2)");
  });
});
