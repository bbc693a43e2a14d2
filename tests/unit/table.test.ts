import {
  bigint,
  decimal,
  defineSource,
  defineTable,
  full,
  getColumnNames,
  integer,
  key,
  keyOf,
  lookup,
  nullable,
  recordIdOf,
  references,
  referencesOf,
  serial,
  snapshot,
  text,
  timestampOf,
} from "../../src/table.ts";
import { expect } from "../support/chai.ts";

const columns = {
  record_id: serial,
  order_id: key(bigint),
  line: key(integer),
  staff_id: references("dim_staff", integer),
  price: decimal(10, 2),
};

describe("a declaration", () => {
  it("of a source is found by snapshot in the schema public, unless it says otherwise", () => {
    expect(defineSource("staff", columns)).to.deep.include({
      name: "staff",
      schema: "public",
      columns,
      changes: { by: "snapshot" },
    });
    const said = { schema: "hr", changes: timestampOf("at", { lag: 60 }) };
    expect(defineSource("staff", columns, said)).to.deep.include({
      schema: "hr",
      changes: { by: "timestamp", column: "at", lag: 60 },
    });
    expect([snapshot, full]).to.deep.equal([{ by: "snapshot" }, { by: "full" }]);
  });

  it("of a lookup or a table is what it is given", () => {
    const source = defineSource("staff", { staff_id: key(integer) });
    expect(lookup(source, "staff_id")).to.deep.equal({ source, by: "staff_id" });
    const table = { name: "dim_staff", description: "", source, columns: {}, format: () => [] };
    expect(defineTable(table as never)).to.equal(table);
  });

  it("tells its key, its rows' columns, its record id and what it refers to", () => {
    expect(keyOf({ columns })).to.deep.equal(["order_id", "line"]);
    expect(getColumnNames({ columns })).to.deep.equal(["order_id", "line", "staff_id", "price"]);
    expect(recordIdOf({ columns })).to.equal("record_id");
    expect(referencesOf({ columns })).to.deep.equal([{ column: "staff_id", table: "dim_staff" }]);
    const none = { columns: { name: nullable(text) } };
    expect([keyOf(none), recordIdOf(none), referencesOf(none)]).to.deep.equal([[], undefined, []]);
  });
});
