import { expect } from "chai";
import { allSources, checkTables, TableError } from "../../src/check-tables.ts";
import { fingerprint } from "../../src/fingerprint.ts";
import {
  date,
  decimal,
  defineSource,
  detect,
  integer,
  key,
  lookup,
  nullable,
  references,
  serial,
  text,
  timestamp,
  timestampOf,
  keyedBySource,
  type Columns,
  timestamptz,
} from "../../src/table.ts";

const staff = defineSource("staff", {
  staff_id: key(integer),
  department_id: integer,
  hired: date,
});
const department = defineSource("department", { department_id: key(integer), name: text });
const valid = {
  name: "dim_staff",
  description: "One row per member of staff.",
  source: staff,
  columns: { staff_id: key(integer) },
  format: () => [],
};
const module = (...parts: object[]) => ({ default: Object.assign({}, valid, ...parts) as object });

/** The message with which `modules` are refused. */
function refusal(modules: Record<string, { default?: unknown }>): string {
  try {
    checkTables(modules);
  } catch (error) {
    expect(error).to.be.instanceOf(TableError);
    return (error as Error).message;
  }
  throw new Error("the modules were accepted");
}

describe("checkTables", () => {
  it("accepts a module and gives it with defaults filled in", () => {
    const [table] = checkTables({ "dim_staff.ts": module() });
    expect(table).to.deep.include({ name: "dim_staff", version: 1, lookups: {} });
    expect(table!.sources.map((source) => source.name)).to.deep.equal(["staff"]);
  });

  it("adds deleted_at to a table that marks, which is then another to be filled", () => {
    const [kept] = checkTables({ "dim_staff.ts": module() });
    const [marks] = checkTables({ "dim_staff.ts": module({ deleted: "mark" }) });
    expect(kept).to.deep.include({ deleted: "keep", columns: valid.columns });
    expect(Object.keys(marks!.columns)).to.deep.equal(["staff_id", "deleted_at"]);
    expect(marks!.columns["deleted_at"]).to.include({ type: "timestamptz", nullable: true });
    expect(fingerprint(marks!)).to.not.equal(fingerprint(kept!));
  });

  it("takes no table for distributed that keeps no versions, and fills none again for it", () => {
    const columns = { record_id: serial, staff_id: key(integer) };
    const [plain] = checkTables({ "dim_staff.ts": module({ columns }) });
    const [distributed] = checkTables({ "dim_staff.ts": module({ columns, distributed: true }) });
    expect([plain!.distributed, distributed!.distributed]).to.deep.equal([false, true]);
    expect(fingerprint(distributed!)).to.equal(fingerprint(plain!));
    expect(refusal({ "dim_staff.ts": module({ distributed: true }) })).to.match(
      /^tables\/dim_staff\.ts: distributed: is of tables that keep versions: expected a record id/,
    );
  });

  it("takes a table for keyed by its only source where the keys' types are the same, whatever they are called", () => {
    const keyedBy = (source: object, columns: Columns): string | undefined =>
      keyedBySource(checkTables({ "dim_staff.ts": module({ source, columns }) })[0]!)?.name;
    const pair = defineSource("pair", { a: key(integer), b: key(text), c: integer });
    const money = defineSource("money", { id: key(decimal(10, 2)) });
    expect(keyedBy(staff, { id: key(integer), name: text })).to.equal("staff");
    expect(keyedBy(staff, { id: key(text) })).to.equal(undefined);
    expect(keyedBy(staff, { id: key(integer), other: key(integer) })).to.equal(undefined);
    expect(keyedBy([staff, department], { id: key(integer) })).to.equal(undefined);
    expect(keyedBy(pair, { x: key(integer), y: key(text) })).to.equal("pair");
    expect(keyedBy(pair, { y: key(text), x: key(integer) })).to.equal(undefined);
    expect(keyedBy(money, { id: key(decimal(10, 2)) })).to.equal("money");
    expect(keyedBy(money, { id: key(decimal(10, 3)) })).to.equal(undefined);
  });

  it("leaves files without a default export alone, unless their name says that they are tables", () => {
    expect(checkTables({ "dim_staff.ts": module(), "sources.ts": {} })).to.have.length(1);
    expect(checkTables({ "dim_staff.ts": module(), "a_dim_staff.ts": {} })).to.have.length(1);
    expect(refusal({ "dim_staff.ts": {} })).to.equal(
      "tables/dim_staff.ts: has no default export; expected export default defineTable({ … })",
    );
  });

  it("takes sources whose changes are found by a timestamp with a zone or without", () => {
    for (const type of [timestamp, timestamptz]) {
      const changes = timestampOf("at", { lag: 60 });
      const source = defineSource("staff", { staff_id: key(integer), at: type }, { changes });
      expect(checkTables({ "dim_staff.ts": module({ source }) })[0]!.sources).to.deep.equal([
        source,
      ]);
    }
  });

  it("takes a lookup by a column of its key's type, and keeps it", () => {
    const lookups = { department: lookup(department, "department_id") };
    expect(checkTables({ "dim_staff.ts": module({ lookups }) })[0]!.lookups).to.deep.equal(lookups);
  });

  it("says what it is and where a type comes from, in what is logged", () => {
    const error = new TableError("dim_a.ts", "name", "no");
    expect(String(error)).to.equal("TableError: tables/dim_a.ts: name: no");
    try {
      checkTables({ "dim_staff.ts": module({ columns: { n: decimal(2, 3) } }) });
      expect.fail("was accepted");
    } catch (thrown) {
      expect((thrown as Error).cause).to.be.instanceOf(Error);
    }
  });

  it("gives tables that do not refer to each other by name, each once", () => {
    const of = (name: string, columns: object) => ({ [`${name}.ts`]: module({ name, columns }) });
    const tables = checkTables({
      ...of("fact_z", { z: key(integer), c: references("dim_c", integer) }),
      ...of("fact_y", { y: key(integer), c: references("dim_c", integer) }),
      ...of("dim_d", { d: key(integer) }),
      ...of("dim_c", { c: key(integer) }),
    });
    expect(tables.map(({ name }) => name)).to.deep.equal(["dim_c", "dim_d", "fact_y", "fact_z"]);
  });

  it("gives every source once, looked up ones too", () => {
    const lookups = { department: lookup(department, "department_id") };
    const tables = checkTables({
      "dim_staff.ts": module({ lookups }),
      "dim_b.ts": module({ name: "dim_b" }),
    });
    expect(allSources(tables).map(({ name }) => name)).to.deep.equal(["staff", "department"]);
  });

  it("gives tables after those that they refer to", () => {
    const tables = checkTables({
      "dim_a.ts": module({
        name: "dim_a",
        columns: { a_id: key(integer), b_id: references("dim_b", integer) },
      }),
      "dim_b.ts": module({ name: "dim_b", columns: { b_id: key(integer) } }),
    });
    expect(tables.map((table) => table.name)).to.deep.equal(["dim_b", "dim_a"]);
  });

  it("takes references to names that every object has for what they are: nothing", () => {
    const columns = { staff_id: key(integer), x: references("toString", integer) };
    expect(refusal({ "dim_staff.ts": module({ columns }) })).to.match(/refers to toString/);
  });

  const detected = defineSource("staff", staff.columns, { deletes: detect });
  const refused: [string, Record<string, { default?: unknown }>, RegExp][] = [
    [
      "what is done with gone rows, misspelt",
      { "dim_staff.ts": module({ deleted: "drop" }) },
      /dim_staff\.ts: deleted: .*"keep" \| "mark" \| "remove".*"drop"/,
    ],
    [
      "deletes that are neither ignored nor detected",
      { "dim_staff.ts": module({ source: { ...staff, deletes: "often" } }) },
      /dim_staff\.ts: source/,
    ],
    [
      "gone rows marked in a table that is not keyed by its source",
      { "dim_staff.ts": module({ deleted: "mark", columns: { name: key(text) } }) },
      /dim_staff\.ts: deleted: "mark" needs .*found \(name text\) and staff \(staff_id integer\)/,
    ],
    [
      "gone rows removed from a table of two sources",
      { "dim_staff.ts": module({ deleted: "remove", source: [staff, department] }) },
      /deleted: "remove" needs .* one source.*staff \(staff_id integer\), department \(department_id integer\)/,
    ],
    [
      "a deleted_at that the pipeline adds",
      {
        "dim_staff.ts": module({
          deleted: "mark",
          columns: { staff_id: key(integer), deleted_at: nullable(date) },
        }),
      },
      /columns\.deleted_at: is declared, and deleted: "mark" adds it/,
    ],
    [
      "a key that is called deleted_at",
      { "dim_staff.ts": module({ columns: { deleted_at: key(integer) } }) },
      /columns\.deleted_at: is part of the key/,
    ],
    [
      "deletes that are detected for nobody",
      { "dim_staff.ts": module({ source: detected, columns: { name: key(text) } }) },
      /source staff: declares deletes: detect, and no table marks or removes its rows/,
    ],
    [
      "a source whose deletes are declared in two ways",
      {
        "dim_a.ts": module({ name: "dim_a" }),
        "dim_b.ts": module({ name: "dim_b", source: detected }),
      },
      /source staff: is declared differently/,
    ],
    ["no module at all", {}, /^tables\/: no table module; see tables\/README\.md$/],
    [
      "a name that another has",
      { "dim_staff.ts": module(), "dim_other.ts": module() },
      /^tables\/dim_other\.ts: name: dim_staff is the name of tables\/dim_staff\.ts already$/,
    ],
    [
      "a file whose name goes on after .ts",
      { "dim_staff.tsx": module() },
      /^tables\/dim_staff\.tsx: name: expected dim_staff\.tsx, the file's name, found dim_staff$/,
    ],
    ["a number", { "dim_staff.ts": { default: 7 } }, /dim_staff\.ts: default export: .*found 7/],
    [
      "no format",
      { "dim_staff.ts": module({ format: 1 }) },
      /dim_staff\.ts: format: .*Function.*1/,
    ],
    [
      "no grain",
      { "dim_staff.ts": module({ description: "Staff" }) },
      /description: expected the grain/,
    ],
    [
      "a wrong prefix",
      { "dim_staff.ts": module({ name: "staff" }) },
      /name: expected dim_… or fact_…/,
    ],
    [
      "a name that is not the file's",
      { "dim_other.ts": module() },
      /dim_other\.ts: name: expected dim_other, the file's name, found dim_staff/,
    ],
    [
      "no columns' key",
      { "dim_staff.ts": module({ columns: { staff_id: integer } }) },
      /columns: none is marked key/,
    ],
    [
      "a nullable key",
      { "dim_staff.ts": module({ columns: { staff_id: nullable(key(integer)) } }) },
      /columns\.staff_id: a key column cannot be nullable/,
    ],
    [
      "a record id as key",
      { "dim_staff.ts": module({ columns: { id: { ...serial, key: true } } }) },
      /columns\.id: a record id cannot be the natural key/,
    ],
    [
      "two record ids",
      { "dim_staff.ts": module({ columns: { a: serial, b: serial, staff_id: key(integer) } }) },
      /columns\.b: a table has at most one record id/,
    ],
    [
      "an unknown type",
      { "dim_staff.ts": module({ columns: { staff_id: { ...key(integer), type: "int" } } }) },
      /columns\.staff_id\.type: .*int/,
    ],
    [
      "an impossible decimal",
      { "dim_staff.ts": module({ columns: { staff_id: key(integer), n: decimal(2, 3) } }) },
      /dim_staff\.ts: columns: column "n": decimal\(2,3\) is not a decimal of 1 to 38 digits/,
    ],
    [
      "the batch's own column",
      { "dim_staff.ts": module({ columns: { staff_id: key(integer), _batch: integer } }) },
      /_batch/,
    ],
    ["no source", { "dim_staff.ts": module({ source: [] }) }, /source: expected a source/],
    [
      "a source without key",
      { "dim_staff.ts": module({ source: defineSource("staff", { a: integer }) }) },
      /source staff: no column is marked key/,
    ],
    [
      "changes by a column that is no timestamp",
      {
        "dim_staff.ts": module({
          source: defineSource(
            "staff",
            { a: key(integer), b: text },
            { changes: timestampOf("b", { lag: 60 }) },
          ),
        }),
      },
      /source staff: changes by b: expected a timestamp column, found text/,
    ],
    [
      "changes by a column that is not there",
      {
        "dim_staff.ts": module({
          source: defineSource(
            "staff",
            { a: key(integer) },
            { changes: timestampOf("b", { lag: 60 }) },
          ),
        }),
      },
      /source staff: changes by b: expected a timestamp column, found none of that name/,
    ],
    [
      "a lookup into a source with two key columns",
      {
        "dim_staff.ts": module({
          lookups: {
            d: lookup(defineSource("desk", { a: key(integer), b: key(integer) }), "department_id"),
          },
        }),
      },
      /lookups\.d: source desk needs exactly one key column/,
    ],
    [
      "a lookup by a column that is not there",
      { "dim_staff.ts": module({ lookups: { d: lookup(department, "dept") } }) },
      /lookups\.d: source staff has no column dept; it has staff_id, department_id, hired/,
    ],
    [
      "a lookup by a column of another type",
      { "dim_staff.ts": module({ lookups: { d: lookup(department, "hired") } }) },
      /lookups\.d: staff\.hired is date, department\.department_id is integer/,
    ],
    [
      "a reference to no table",
      {
        "dim_staff.ts": module({
          columns: { staff_id: key(integer), d: references("dim_day", date) },
        }),
      },
      /^tables\/dim_staff\.ts: columns\.d: refers to dim_day, which is no table; there are dim_staff$/,
    ],
    [
      "a reference to no table, of several that there are",
      {
        "dim_staff.ts": module(),
        "fact_x.ts": module({
          name: "fact_x",
          columns: { x: key(integer), d: references("dim_day", date) },
        }),
      },
      /there are dim_staff, fact_x$/,
    ],
    [
      "a reference to a table with two key columns",
      {
        "dim_staff.ts": module({ columns: { a: key(integer), b: key(integer) } }),
        "fact_x.ts": module({
          name: "fact_x",
          columns: { x: key(integer), s: references("dim_staff", integer) },
        }),
      },
      /^tables\/fact_x\.ts: columns\.s: refers to dim_staff, which is not merged by one key column/,
    ],
    [
      "a reference of another type",
      {
        "dim_staff.ts": module({ columns: { staff_id: key(integer) } }),
        "fact_x.ts": module({
          name: "fact_x",
          columns: { x: key(integer), s: references("dim_staff", text) },
        }),
      },
      /fact_x\.ts: columns\.s: is text; dim_staff\.staff_id is integer/,
    ],
    [
      "a reference to a table of versions",
      {
        "fact_a.ts": module({ name: "fact_a", columns: { id: serial, a: key(integer) } }),
        "fact_b.ts": module({
          name: "fact_b",
          columns: { b: key(integer), a: references("fact_a", integer) },
        }),
      },
      /columns\.a: refers to fact_a, which is not merged by one key column/,
    ],
    [
      "a circle",
      {
        "dim_a.ts": module({
          name: "dim_a",
          columns: { a: key(integer), b: references("dim_b", integer) },
        }),
        "dim_b.ts": module({
          name: "dim_b",
          columns: { b: key(integer), a: references("dim_a", integer) },
        }),
      },
      /^tables\/dim_a\.ts: columns: references go in a circle: dim_a → dim_b → dim_a$/,
    ],
    [
      "one source declared in two ways",
      {
        "dim_a.ts": module({ name: "dim_a", columns: { a: key(integer) } }),
        "dim_staff.ts": module({ source: defineSource("staff", { staff_id: key(integer) }) }),
      },
      /^tables\/dim_staff\.ts: source staff: is declared differently in tables\/dim_a\.ts;/,
    ],
  ];
  for (const [what, modules, message] of refused)
    it(`refuses ${what}`, () => {
      expect(refusal(modules)).to.match(message);
    });
});
