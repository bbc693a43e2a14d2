// The ways to find changes, on sources of all kinds; table modules of the tests' own.
import {
  bigint,
  decimal,
  defineSource,
  defineTable,
  full,
  integer,
  key,
  lookup,
  nullable,
  text,
  timestamp,
  timestampOf,
  timestamptz,
  type ChangeDetection,
} from "../../src/table.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, startAnew, type TestPipeline } from "../support/pipeline.ts";
import { ingestWith, runWith, tablesOf } from "../support/stages.ts";

/** A table module that shows a source of two columns as it is. */
function mirror(name: string, changes?: ChangeDetection) {
  const source = defineSource(
    name,
    { id: key(integer), word: text, seen: nullable(timestamp) },
    changes ? { changes } : {},
  );
  return defineTable({
    name: `dim_${name}`,
    description: `One row per ${name}.`,
    source,
    columns: { id: key(integer), word: text },
    format: ({ id, word }) => ({ id, word }),
  });
}

describe("change detection", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 0 });
    await p.shop.none(`
      create table visit (id int primary key, word text not null, seen timestamp);
      create view visits as select * from visit;
      create materialized view stored as select * from visit;
      create table parts (id int, word text not null, seen timestamp) partition by range (id);
      create table parts_low partition of parts for values from (0) to (10);
      create table parts_high partition of parts for values from (10) to (100);
    `);
  });
  after(closeAll);
  beforeEach(async () => {
    await p.shop.none("truncate visit, parts");
    await startAnew(p);
  });
  const words = async (table: string): Promise<string[]> =>
    (await p.star.any<{ word: string }>(`select word from ${table} order by id`)).map(
      (r) => r.word,
    );

  it("by timestamp reads from the newest value, less the lag, never past it", async () => {
    const tables = tablesOf(mirror("visit", timestampOf("seen", { lag: 60 })));
    await p.shop.none(
      "insert into visit values (1, 'a', '2026-01-01 12:00:00.123'), (2, 'b', '2026-01-01 11:59:30')",
    );
    await runWith(p, tables);
    expect((await p.ingested(1)).high_water).to.deep.equal({ visit: "2026-01-01 12:00:00.123" });
    // In the same millisecond; within the lag; before it: what this way can miss, as its docs say; and without a time.
    await p.shop.none(
      "insert into visit values (3, 'same', '2026-01-01 12:00:00.123'), (4, 'late', '2026-01-01 11:59:01'), (5, 'missed', '2026-01-01 11:58:00'), (6, 'none', null)",
    );
    const { rows } = await runWith(p, tables);
    expect(rows).to.deep.equal({ visit: 5 });
    expect(await words("dim_visit")).to.deep.equal(["a", "b", "same", "late", "none"]);
  });

  it("by timestamp with a zone compares moments", async () => {
    const source = defineSource(
      "moments",
      { id: key(integer), at: timestamptz },
      { changes: timestampOf("at", { lag: 0 }) },
    );
    const tables = tablesOf(
      defineTable({
        name: "dim_moments",
        description: "One row per moment.",
        source,
        columns: { id: key(integer), at: timestamptz },
        format: (row) => row,
      }),
    );
    await p.shop.none(
      "create table moments (id int primary key, at timestamptz not null); insert into moments values (1, '2026-03-29 01:30:00+01')",
    );
    await runWith(p, tables);
    await p.shop.none(
      "insert into moments values (2, '2026-03-29 00:30:00+00'), (3, '2026-03-29 00:29:59.999+00')",
    );
    expect((await runWith(p, tables)).rows).to.deep.equal({ moments: 2 });
    const shown = await p.star.any(
      "select id, at at time zone 'UTC' || '' as at from dim_moments order by id",
    );
    expect(shown).to.deep.equal([
      { id: 1, at: "2026-03-29 00:30:00" },
      { id: 2, at: "2026-03-29 00:30:00" },
    ]);
  });

  it("in full reads a view each time, and writes nothing where it is as it was", async () => {
    const tables = tablesOf(mirror("visits", full));
    await p.shop.none("insert into visit values (1, 'a', null)");
    await runWith(p, tables);
    expect(await runWith(p, tables)).to.include({ outcome: "unchanged" });
    await p.shop.none("update visit set word = 'b'");
    expect(await runWith(p, tables)).to.include({ outcome: "committed" });
    expect(await words("dim_visits")).to.deep.equal(["b"]);
  });

  it("by snapshot refuses a view, and names the alternatives", async () => {
    await expect(ingestWith(p, tablesOf(mirror("visits")))).to.be.rejectedWith(
      /visits is a view and has no xmin: declare its changes as full, or as timestampOf/,
    );
    expect(await p.keys("ingestion")).to.deep.equal([]);
  });

  it("by snapshot follows partitioned tables and materialised views", async () => {
    const tables = tablesOf(mirror("parts"), mirror("stored"));
    await p.shop.none(
      "insert into parts values (1, 'low', null), (11, 'high', null); insert into visit values (1, 'a', null); refresh materialized view stored",
    );
    await runWith(p, tables);
    await p.shop.none(
      "update parts set word = 'HIGH' where id = 11; update visit set word = 'A'; refresh materialized view stored",
    );
    expect((await runWith(p, tables)).rows).to.deep.equal({ parts: 1, stored: 1 });
    expect(await words("dim_parts")).to.deep.equal(["low", "HIGH"]);
    expect(await words("dim_stored")).to.deep.equal(["A"]);
  });

  it("reads wide tables, odd types and composite keys as text that loses nothing", async () => {
    const many = Array.from({ length: 120 }, (_, i) => `c${i} int not null default ${i}`).join(
      ", ",
    );
    await p.shop.none(`create table "wide ""one""" (
        a int, "b c" bigint not null, n numeric not null, j json, ja jsonb, t text[], by bytea, f float8, i interval, ${many},
        primary key (a, "b c"));
      insert into "wide ""one""" (a, "b c", n, j, ja, t, by, f, i) values
        (1, 9007199254740993, 12345678901234567890.123456789, e'{"x":\\n1}', '{"y": 12345678901234567890}', '{a,"b c"}', '\\x00ff', 'NaN', '1 day'),
        (1, -9223372036854775808, 0.1, null, null, null, null, 0.1, null)`);
    const source = defineSource('wide "one"', {
      a: key(integer),
      "b c": key(bigint),
      n: decimal(38, 9),
      c119: integer,
    });
    const tables = tablesOf(
      defineTable({
        name: "dim_wide",
        description: "One row per wide one.",
        source,
        columns: { a: key(integer), "b c": key(bigint), n: decimal(38, 9), c119: integer },
        format: (row) => row,
      }),
    );
    await runWith(p, tables);
    const [, line] = await p.lines(1, 'wide "one"');
    expect(line).to.deep.include({
      a: 1,
      "b c": "9007199254740993",
      n: "12345678901234567890.123456789",
      j: '{"x":\n1}',
      ja: '{"y": 12345678901234567890}',
      t: '{a,"b c"}',
      by: "\\x00ff",
      f: "NaN",
      i: "P1D",
      c0: 0,
      c119: 119,
    });
    expect(await p.star.any('select a, "b c", n, c119 from dim_wide order by 2')).to.deep.equal([
      { a: 1, "b c": "-9223372036854775808", n: "0.100000000", c119: 119 },
      { a: 1, "b c": "9007199254740993", n: "12345678901234567890.123456789", c119: 119 },
    ]);
    expect(
      (await p.keys("ingestion")).filter((k) => k.startsWith("wide%20%22one%22/")),
    ).to.have.length(1);
  });

  it("follows tables that look themselves up, and two lookups into one source", async () => {
    await p.shop
      .none(`create table person (id int primary key, name text not null, boss int, friend int);
      insert into person values (1, 'Ann', null, 2), (2, 'Bob', 1, 1), (3, 'Cid', 2, null), (4, 'Dee', 3, 3)`);
    const person = defineSource("person", {
      id: key(integer),
      name: text,
      boss: nullable(integer),
      friend: nullable(integer),
    });
    const tables = tablesOf(
      defineTable({
        name: "dim_person",
        description: "One row per person.",
        source: person,
        lookups: { boss: lookup(person, "boss"), friend: lookup(person, "friend") },
        columns: { id: key(integer), name: text, boss: nullable(text), friend: nullable(text) },
        format: ({ id, name }, { boss, friend }) => ({
          id,
          name,
          boss: boss?.name ?? null,
          friend: friend?.name ?? null,
        }),
      }),
    );
    const people = () => p.star.any("select name, boss, friend from dim_person order by id");
    await runWith(p, tables);
    expect(await people()).to.deep.equal([
      { name: "Ann", boss: null, friend: "Bob" },
      { name: "Bob", boss: "Ann", friend: "Ann" },
      { name: "Cid", boss: "Bob", friend: null },
      { name: "Dee", boss: "Cid", friend: "Cid" },
    ]);
    await p.shop.none("update person set name = 'Zed' where id = 3");
    const { batch } = await runWith(p, tables);
    // Cid changed and Dee shows him; Bob came along to be looked up, and drives nothing.
    const { objects } = await p.ingested(batch);
    expect(objects.map(({ rows, driving_rows }) => [rows, driving_rows])).to.deep.equal([[3, 2]]);
    expect(await people()).to.deep.equal([
      { name: "Ann", boss: null, friend: "Bob" },
      { name: "Bob", boss: "Ann", friend: "Ann" },
      { name: "Zed", boss: "Bob", friend: null },
      { name: "Dee", boss: "Zed", friend: "Zed" },
    ]);
    expect(await p.rejected()).to.deep.equal([]);
  });
});
