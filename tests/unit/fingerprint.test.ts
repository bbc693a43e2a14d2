import { createHash } from "node:crypto";
import { closureOf, fingerprint, fingerprintsOf } from "../../src/fingerprint.ts";
import {
  defineSource,
  described,
  full,
  integer,
  key,
  lookup,
  text,
  timestamp,
  timestampOf,
  type Table,
} from "../../src/table.ts";
import { expect } from "../support/chai.ts";

const columns = { staff_id: key(integer), department_id: integer, moved: integer, at: timestamp };
const staff = defineSource("staff", columns);
const department = defineSource("department", { department_id: key(integer) });
const table = {
  name: "dim_staff",
  description: "One row per member of staff.",
  sources: [staff],
  lookups: { department: lookup(department, "department_id") },
  columns: { staff_id: key(integer) },
  version: 1,
  format: () => [],
} as Partial<Table> as Table;
const byTime = (column: string, name = "staff") =>
  defineSource(name, columns, { changes: timestampOf(column, { lag: 60 }) });

/** The first 16 digits of a text's SHA-256. */
const digest = (text: string): string =>
  createHash("sha256").update(text).digest("hex").slice(0, 16);

describe("a table's fingerprint", () => {
  // Lakes hold them: of another making, every table of every lake would be filled again.
  it("is of these texts", () => {
    expect(closureOf(table)).to.equal(
      digest('[[["public","staff"]],[["department",["public","department"],"department_id"]]]'),
    );
    const own = '"dim_staff",{"staff_id":{"type":"integer","nullable":false,"key":true}},1';
    expect(fingerprint(table).split(".")[1]).to.equal(digest(`[${own}]`));
    expect(fingerprint({ ...table, sources: [byTime("at")] }).split(".")[1]).to.equal(
      digest(`[${own},"staff.at"]`),
    );
  });

  it("is the same whatever is said of the columns to people", () => {
    const said = { staff_id: described("Number of the person.", key(integer), 7) };
    expect(fingerprint({ ...table, columns: said })).to.equal(fingerprint(table));
  });

  it("is its closure's and its rows', 16 hexadecimal digits each", () => {
    expect(fingerprint(table)).to.match(/^[0-9a-f]{16}\.[0-9a-f]{16}$/);
    expect(fingerprint(table).split(".")[0]).to.equal(closureOf(table));
    expect(fingerprintsOf([table])).to.deep.equal({ dim_staff: fingerprint(table) });
  });

  const other: [string, Partial<Table>][] = [
    ["another source", { sources: [defineSource("person", columns)] }],
    [
      "the source of another schema",
      { sources: [defineSource("staff", columns, { schema: "hr" })] },
    ],
    ["one source more", { sources: [staff, department] }],
    ["no lookup", { lookups: {} }],
    ["a lookup under another name", { lookups: { team: lookup(department, "department_id") } }],
    ["a lookup by another column", { lookups: { department: lookup(department, "moved") } }],
    ["a lookup into another source", { lookups: { department: lookup(staff, "department_id") } }],
  ];
  for (const [what, change] of other)
    it(`is another closure's with ${what}`, () => {
      expect(closureOf({ ...table, ...change })).to.not.equal(closureOf(table));
    });

  const refilled: [string, Partial<Table>][] = [
    ["name", { name: "dim_person" }],
    ["columns", { columns: { staff_id: key(integer), name: text } }],
    ["version", { version: 2 }],
    ["source's marks", { sources: [byTime("at")] }],
    [
      "lookup's marks",
      { lookups: { department: lookup(byTime("at", "department"), "department_id") } },
    ],
  ];
  for (const [what, change] of refilled)
    it(`is another with another ${what}, of the same closure`, () => {
      expect(fingerprint({ ...table, ...change })).to.not.equal(fingerprint(table));
      expect(closureOf({ ...table, ...change })).to.equal(closureOf(table));
    });

  it("is another with marks of another column, and the same with none of another kind", () => {
    const at = fingerprint({ ...table, sources: [byTime("at")] });
    expect(fingerprint({ ...table, sources: [byTime("moved")] })).to.not.equal(at);
    const whole = defineSource("staff", columns, { changes: full });
    expect(fingerprint({ ...table, sources: [whole] })).to.equal(fingerprint(table));
  });

  it("does not mind what is said about the table, nor further columns of its sources", () => {
    const wider = defineSource("staff", { ...columns, name: text });
    expect(
      fingerprint({ ...table, description: "One row per person.", sources: [wider] }),
    ).to.equal(fingerprint(table));
  });
});
