import { expect } from "chai";
import { checkTables } from "../../src/check-tables.ts";
import { closureOf, fingerprint } from "../../src/fingerprint.ts";
import { planRun, servedBy } from "../../src/ingestion/plan.ts";
import type { IngestionManifest } from "../../src/lake/manifest.ts";
import {
  defineSource,
  integer,
  key,
  lookup,
  text,
  timestamp,
  timestampOf,
  type Table,
} from "../../src/table.ts";

const staff = defineSource("staff", { staff_id: key(integer), department_id: integer });
const department = defineSource("department", { department_id: key(integer), name: text });
const visit = defineSource(
  "visit",
  { visit_id: key(integer), at: timestamp },
  { changes: timestampOf("at", { lag: 60 }) },
);
const declared = {
  name: "dim_staff",
  description: "One row per member of staff.",
  source: staff,
  columns: { staff_id: key(integer) },
  format: () => [],
};
const tableOf = (change: object = {}): Table => {
  const table = { ...declared, ...change };
  return checkTables({ [`${table.name}.ts`]: { default: table } })[0]!;
};
const now = {
  system_identifier: "7000000000000000001",
  database_oid: "16384",
  timeline: "1",
  server_started_at: "2026-11-01 00:00:00+00",
  snapshot: "1000:1000:",
  fence: "1000",
};
const last = (tables: readonly Table[], change: Partial<IngestionManifest> = {}) =>
  ({
    ...now,
    fence: "900",
    cursor: null,
    high_water: {},
    fingerprints: Object.fromEntries(tables.map((table) => [table.name, fingerprint(table)])),
    ...change,
  }) as IngestionManifest;

const visits = (change: object = {}): Table =>
  tableOf({ name: "dim_visit", source: visit, ...change });

describe("planRun", () => {
  const table = tableOf();

  it("reads everything at the first run", () => {
    expect(planRun(undefined, now, [table])).to.deep.equal({
      kind: "backfill",
      reasons: ["first run"],
      since: null,
      whole: new Set(["staff"]),
    });
  });

  it("reads the changes since the fence of the newest batch", () => {
    expect(planRun(last([table]), now, [table])).to.deep.equal({
      kind: "changes",
      reasons: [],
      since: "900",
      whole: new Set(),
    });
  });

  it("reads the sources of a new table from the start, and only the changes of others", () => {
    const added = tableOf({ name: "dim_visit", source: visit });
    const plan = planRun(last([table], { high_water: { visit: "x" } }), now, [table, added]);
    expect(plan).to.deep.equal({
      kind: "backfill",
      reasons: ["dim_visit is new"],
      since: "900",
      whole: new Set(["visit"]),
    });
  });

  const changes: [string, object][] = [
    ["raised its version", { version: 2 }],
    ["got another column", { columns: { staff_id: key(integer), name: text } }],
    ["got a lookup", { lookups: { department: lookup(department, "department_id") } }],
    ["got another source", { source: [staff, visit] }],
  ];
  for (const [what, change] of changes)
    it(`reads the sources of a table that ${what} from the start`, () => {
      const plan = planRun(last([table]), now, [tableOf(change)]);
      expect(plan.reasons).to.deep.equal(["dim_staff has changed"]);
      expect(plan.whole).to.include("staff");
    });

  it("knows a change of the formatter's words alone by the version", () => {
    expect(fingerprint(tableOf({ description: "One row per person." }))).to.equal(
      fingerprint(table),
    );
    expect(fingerprint(tableOf({ version: 2 }))).to.not.equal(fingerprint(table));
  });

  it("tells what is read for a table apart from what is made of it", () => {
    expect(closureOf(tableOf({ version: 2 }))).to.equal(closureOf(table));
    expect(closureOf(tableOf({ source: [staff, visit] }))).to.not.equal(closureOf(table));
  });

  it("reads a timestamp source from the start while it has no high-water mark", () => {
    expect(planRun(last([visits()]), now, [visits()]).whole).to.deep.equal(new Set(["visit"]));
    const marked = last([visits()], { high_water: { visit: "2026-01-01 00:00:00" } });
    expect(planRun(marked, now, [visits()]).whole).to.deep.equal(new Set());
  });

  const cursor = {
    table: "staff",
    after: { staff_id: "7" },
    key: '"staff_id" integer',
    next: [],
    whole: ["staff"],
    marks: {},
  };

  it("goes on with a run that is not done, from the same fence", () => {
    const unfinished = last([table], { batch: 4, kind: "backfill", since: "300", cursor });
    expect(planRun(unfinished, now, [table])).to.deep.equal({
      kind: "backfill",
      reasons: ["batch 4 left off in staff"],
      since: "300",
      whole: new Set(["staff"]),
      goesOn: unfinished,
    });
  });

  it("begins anew when asked to, though a run is not done", () => {
    const plan = planRun(last([table], { cursor }), now, [table], { resync: true });
    expect(plan).to.deep.include({ kind: "resync", since: null });
    expect(plan.goesOn).to.equal(undefined);
  });

  it("reads everything again when the fence that an unfinished run reads from is too far behind", () => {
    const at = { ...now, fence: "1000000900" };
    const from = (since: string) => last([table], { fence: "900", since, cursor });
    expect(planRun(from("900"), at, [table]).kind).to.not.equal("resync");
    expect(planRun(from("899"), at, [table])).to.deep.include({ kind: "resync", since: null });
  });

  it("leaves a table that changed in the middle of a run to the next one", () => {
    const unfinished = last([table, visits()], { cursor });
    const plan = planRun(unfinished, now, [table, visits()]);
    const same = { dim_staff: fingerprint(table), dim_visit: fingerprint(visits()) };
    expect(servedBy(plan, same)).to.deep.equal(same);
    const changed = fingerprint(visits({ version: 2 }));
    expect(servedBy(plan, { ...same, dim_visit: changed, dim_new: "x.y" })).to.deep.equal({
      dim_staff: same.dim_staff,
    });
    // Whatever it is by then, also as it was before: it is filled from the start.
    const next = last([table], { fingerprints: servedBy(plan, { ...same, dim_visit: changed }) });
    expect(planRun(next, now, [table, visits()]).reasons).to.deep.equal(["dim_visit is new"]);
  });

  const doubts: [string, Partial<IngestionManifest>, RegExp][] = [
    ["another server", { system_identifier: "8" }, /another server \(8 → 7000000000000000001\)/],
    ["another database", { database_oid: "5" }, /another database/],
    ["a restore or fail-over", { timeline: "9" }, /restored or failed over \(timeline 9 → 1\)/],
    ["a restart", { server_started_at: "2026-10-01 00:00:00+00" }, /restarted at 2026-11-01/],
    ["a fence that went back", { fence: "1001" }, /the fence went back \(1001 → 1000\)/],
  ];
  for (const [what, change, reason] of doubts)
    it(`reads everything again after ${what}`, () => {
      const plan = planRun(last([table], change), now, [table]);
      expect(plan).to.deep.include({ kind: "resync", since: null, whole: new Set(["staff"]) });
      expect(plan.reasons[0]).to.match(reason);
    });

  it("reads everything again when the fence is more than 10⁹ transactions behind, and not one less", () => {
    const at = (fence: bigint) => ({ ...now, fence: String(fence) });
    const before = last([table], { fence: "5" });
    expect(planRun(before, at(1_000_000_005n), [table]).kind).to.equal("changes");
    expect(planRun(before, at(1_000_000_006n), [table]).kind).to.equal("resync");
  });

  it("reads the sources of a table that was asked for from the start, once no run is under way", () => {
    const table = tableOf();
    const other = tableOf({
      name: "dim_department",
      source: department,
      columns: { department_id: key(integer) },
    });
    const tables = [table, other];
    expect(planRun(last(tables), now, tables, { backfill: ["dim_staff"] })).to.deep.include({
      kind: "backfill",
      since: "900",
      whole: new Set(["staff"]),
      reasons: ["dim_staff was asked for"],
    });
    const cursor = { table: "visit", after: null, key: "", next: [], whole: [], marks: {} };
    expect(() =>
      planRun(last(tables, { batch: 7, cursor }), now, tables, { backfill: ["dim_staff"] }),
    ).to.throw(
      "dim_staff cannot be read again now: batch 7 left off in visit, and its run goes on first",
    );
  });

  it("reads everything again when asked to", () => {
    expect(planRun(last([table]), now, [table], { resync: true })).to.deep.include({
      kind: "resync",
      reasons: ["asked for"],
    });
  });
});
