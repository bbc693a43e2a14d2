// Rows that are asked for by their keys come first in a run, changed or not; keys that the source lacks are told to be gone.
import { manifestKey } from "../../src/lake/keys.ts";
import fc from "fast-check";
import { gunzipSync } from "node:zlib";
import { handler } from "../../src/handlers/ingestion.ts";
import { ingest } from "../../src/ingestion/ingest.ts";
import type { Key } from "../../src/ingestion/keyset.ts";
import { getConnection, type Connection } from "../../src/postgres/connection.ts";
import { getTables } from "../../src/registry.ts";
import {
  bigint,
  decimal,
  defineSource,
  defineTable,
  integer,
  key,
  lookup,
  text,
  timestamptz,
  type Columns,
  type Table,
} from "../../src/table.ts";
import { failureOf } from "../support/attack.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, startAnew, type TestPipeline } from "../support/pipeline.ts";
import { ingestWith, loadWith, runWith, tablesOf, transformWith } from "../support/stages.ts";

/** What a batch says to be gone, by source table. */
async function goneOf(p: TestPipeline, batch: number): Promise<Record<string, unknown[]>> {
  const found: Record<string, unknown[]> = {};
  for (const { table, key: object, rows } of (await p.ingested(batch)).deleted) {
    const lines = gunzipSync(await p.get("ingestion", object))
      .toString()
      .trimEnd()
      .split("\n");
    expect(lines).to.have.length(rows);
    found[table] = lines.map((line): unknown => JSON.parse(line));
  }
  return found;
}

const named = (
  rows: Readonly<Record<string, readonly Key[]>>,
): ReadonlyMap<string, readonly Key[]> => new Map(Object.entries(rows));

const objectsOf = async (p: TestPipeline, batch: number): Promise<[string, number, number][]> =>
  (await p.ingested(batch)).objects.map(({ table, rows, driving_rows }) => [
    table,
    rows,
    driving_rows,
  ]);

describe("named rows of the shop", () => {
  let p: TestPipeline;
  let tables: readonly Table[];
  before(async () => {
    p = await openPipeline();
    tables = await getTables();
  });
  after(closeAll);
  beforeEach(async () => {
    await startAnew(p);
    await p.run();
  });

  it("come as a batch of their own, with what they look up, though nothing changed", async () => {
    const summary = await ingestWith(p, tables, {
      named: named({ sales_order: [{ sales_order_id: "5" }], staff: [{ staff_id: "3" }] }),
    });
    expect(summary).to.deep.include({
      outcome: "committed",
      batch: 3,
      batches: 2,
      unfinished: false,
      named: { staff: 1, sales_order: 1 },
      deleted: {},
      unread: {},
    });
    expect(summary.reasons).to.deep.equal(["1 row of staff named", "1 row of sales_order named"]);
    const { kind, cursor } = await p.ingested(2);
    expect(kind).to.equal("resync");
    expect(cursor).to.deep.include({ after: null, kind: "changes" });
    expect(await objectsOf(p, 2)).to.have.deep.members([
      ["staff", 1, 1],
      ["sales_order", 1, 1],
      ["department", 1, 0],
    ]);
    // The run is done with what changed: nothing.
    expect(await p.ingested(3)).to.deep.include({ kind: "changes", cursor: null, objects: [] });
  });

  it("put the warehouse right where somebody changed it", async () => {
    await p.star.none(`
      update dim_staff set first_name = 'Forged', department_name = 'None' where staff_id = 3;
      delete from fact_sales_order where sales_order_id = 5;
      update fact_sales_order set units_sold = units_sold + 1 where sales_order_id = 6`);
    await ingestWith(p, tables, {
      named: named({
        staff: [{ staff_id: "3" }],
        sales_order: [{ sales_order_id: "5" }, { sales_order_id: "6" }],
      }),
    });
    await p.transform();
    await p.load();
    await p.expectTrue();
  });

  it("are those of the newest batch, and come again all the same", async () => {
    for (const batch of [2, 4]) {
      await ingestWith(p, tables, { named: named({ design: [{ design_id: "1" }] }) });
      expect(await objectsOf(p, batch)).to.deep.equal([["design", 1, 1]]);
    }
    expect(await p.ingest()).to.include({ outcome: "unchanged", batch: 5 });
  });

  it("come with what changed meanwhile, in the same snapshot", async () => {
    await p.shop.none(
      "update design set design_name = 'Changed' where design_id = 1; update staff set last_name = 'Changed'",
    );
    await ingestWith(p, tables, { named: named({ design: [{ design_id: "1" }] }) });
    const [first, last] = [await p.ingested(2), await p.ingested(3)];
    expect(last.snapshot).to.equal(first.snapshot);
    expect(last.objects.map(({ table }) => table)).to.include.members(["design", "staff"]);
    await p.transform();
    await p.load();
    await p.expectTrue();
  });

  it("that the source has no more are gone ones of their batch", async () => {
    const summary = await ingestWith(p, tables, {
      named: named({
        design: [{ design_id: "1" }, { design_id: "-7" }, { design_id: "990" }],
        payment: [{ payment_id: "991" }, { payment_id: "991" }],
      }),
    });
    expect(summary.named).to.deep.equal({ design: 1 });
    expect(summary.deleted).to.deep.equal({ design: 2, payment: 1 });
    const gone = await goneOf(p, 2);
    expect(gone["design"]).to.have.deep.members([{ design_id: -7 }, { design_id: 990 }]);
    expect(gone["payment"]).to.deep.equal([{ payment_id: 991 }]);
    const [object] = (await p.ingested(2)).deleted;
    expect(object!.key).to.match(
      /^_deleted\/design\/\d{4}\/\d\d\/\d\d\/0000000002-[0-9a-f]{12}\.json\.gz$/,
    );
    expect((await p.ingested(3)).deleted).to.deep.equal([]);
  });

  it("come before an unfinished run goes on, at its cursor and as what it was", async () => {
    await p.shop.none(
      "update staff set last_name = last_name || '!'; update design set file_name = 'x'",
    );
    await ingestWith(p, tables, { limits: { rows: 5, bytes: 1 << 30 }, goOn: () => false });
    const { cursor, since, fence } = await p.ingested(2);
    expect(cursor).to.not.equal(null);
    const summary = await ingestWith(p, tables, {
      named: named({ sales_order: [{ sales_order_id: "9" }] }),
    });
    expect(summary.unfinished).to.equal(false);
    const batch = await p.ingested(3);
    expect(batch).to.deep.include({ kind: "resync", since, fence });
    expect(batch.cursor).to.deep.equal({ ...cursor, kind: "changes" });
    expect(await p.ingested(4)).to.deep.include({ kind: "changes", since, fence });
    await p.transform();
    await p.load();
    await p.expectTrue();
  });

  it("leave the rest of their run to the next one, where time is up after them", async () => {
    await p.shop.none("update staff set last_name = 'Later'");
    const summary = await ingestWith(p, tables, {
      named: named({ design: [{ design_id: "1" }] }),
      goOn: () => false,
    });
    expect(summary).to.deep.include({ unfinished: true, batches: 1, unread: {} });
    expect(await p.ingest()).to.deep.include({ kind: "changes", unfinished: false });
    await p.transform();
    await p.load();
    await p.expectTrue();
  });

  it("that time does not suffice for are said to be unread", async () => {
    const keys = [1, 2, 3].map((id) => ({ design_id: String(id) }));
    const summary = await ingestWith(p, tables, {
      named: named({ design: keys, staff: [{ staff_id: "1" }] }),
      limits: { rows: 2, bytes: 1 << 30 },
      goOn: () => false,
    });
    expect(summary.named).to.deep.equal({ design: 2 });
    expect(summary.unread).to.deep.equal({ design: 1, staff: 1 });
  });

  it("come first of everything, of a resync and of a first run too", async () => {
    await ingestWith(p, tables, { named: named({ design: [{ design_id: "2" }] }), resync: true });
    expect(await objectsOf(p, 2)).to.deep.equal([["design", 1, 1]]);
    expect(await p.ingested(3)).to.deep.include({ kind: "resync", since: null, cursor: null });
    await startAnew(p);
    await ingestWith(p, tables, { named: named({ design: [{ design_id: "2" }] }) });
    expect(await p.ingested(1)).to.deep.include({ kind: "resync", since: null });
    expect(await p.ingested(2)).to.deep.include({ kind: "backfill", since: null, cursor: null });
    await p.transform();
    await p.load();
    await p.expectTrue();
  });

  it("have their turn while another run commits batch after batch", async () => {
    let asked: ReturnType<typeof ingestWith> | undefined;
    const first = await ingestWith(p, tables, {
      resync: true,
      limits: { rows: 5, bytes: 1 << 30 },
      goOn: () => {
        asked ??= ingestWith(p, tables, { named: named({ design: [{ design_id: "2" }] }) });
        return true;
      },
    });
    // Who is quicker is the machine's affair: either may lose what is left of its run to the other. The named rows are read.
    expect(["lost the race", "committed"]).to.include(first.outcome);
    expect(await asked!).to.deep.include({ named: { design: 1 }, unread: {} });
    await p.ingest();
    await p.transform();
    await p.load();
    await p.expectTrue();
  });

  it("end no run that another has begun meanwhile, and not ended", async () => {
    await p.star.none("update dim_design set design_name = 'wrong' where design_id = 3");
    const open = (): Promise<Connection> => getConnection({ ...p.source, schema: "public" });
    const bucket = p.env.INGESTION_BUCKET;
    // The first try loses to an ordinary run, the second, a claim, meets a resync that has just begun.
    const others = [
      () => ingest(open, bucket, tables),
      () =>
        ingest(open, bucket, tables, {
          resync: true,
          limits: { rows: 10, bytes: 1 << 20 },
          goOn: () => false,
        }),
    ];
    await p.shop.none("update staff set first_name = first_name || '!' where staff_id = 1");
    const kinds: string[] = [];
    const summary = await ingest(
      async () => {
        const other = await others.shift()?.();
        if (other) kinds.push(`${other.kind} ${other.outcome}`);
        return open();
      },
      bucket,
      tables,
      { named: named({ staff: [{ staff_id: "2" }] }) },
    );
    expect(kinds).to.deep.equal(["changes committed", "resync committed"]);
    expect(summary).to.deep.include({ outcome: "committed", named: { staff: 1 } });
    await p.run();
    await p.expectTrue();
  });

  it("are answered as committed also where another run is first after them", async () => {
    await p.shop.none("update design set design_name = design_name || '!' where design_id = 3");
    const newest = (await p.keys("ingestion", "_batches/")).length;
    Object.assign(process.env, p.env);
    const connect = async () => {
      // Theirs has the number of the batch after the one with the named rows.
      await p.put("ingestion", manifestKey(newest + 2), "{}");
      return getConnection({ ...p.users.reader, schema: "public" });
    };
    const summary = await ingest(connect, p.env.INGESTION_BUCKET, tables, {
      named: named({ design: [{ design_id: "2" }] }),
    });
    await p.remove("ingestion", manifestKey(newest + 2));
    expect(summary).to.deep.include({ outcome: "committed", named: { design: 1 }, unread: {} });
  });

  it("of two runs at once: both have theirs", async () => {
    const both = await Promise.all(
      ["1", "2"].map((id) =>
        ingestWith(p, tables, { named: named({ design: [{ design_id: id }] }) }),
      ),
    );
    expect(both.map((summary) => summary.named)).to.deep.equal([{ design: 1 }, { design: 1 }]);
    await p.run();
    await p.expectTrue();
  });

  it("are refused before anything is written where they cannot be", async () => {
    const before = await p.keys("ingestion");
    const refused: [Record<string, Key[]>, RegExp][] = [
      [
        { nothing: [] },
        /^rows of nothing were named, which drives no table; these do: .*\bsales_order\b/,
      ],
      [{ department: [{ department_id: "1" }] }, /department were named, which drives no table/],
      [
        { staff: [{ id: "1" }] },
        /staff: expected a text for each of staff_id, its key, found \{"id":"1"\}/,
      ],
      [{ staff: [{ staff_id: null }] }, /staff: expected a text for each of staff_id/],
      [{ staff: [{ staff_id: "a\0" }] }, /staff: expected a text for each of staff_id/],
      [
        { design: [{ design_id: "1" }], staff: [{ staff_id: "2" }, { staff_id: "2; drop" }] },
        /named row of staff with the key \{"staff_id":"2; drop"\}: staff_id: invalid input syntax for type integer/,
      ],
      [
        { staff: [{ staff_id: "99999999999" }] },
        /staff with the key \{"staff_id":"99999999999"\}: staff_id: .*out of range/,
      ],
    ];
    for (const [rows, message] of refused) {
      const error = await failureOf(ingestWith(p, tables, { named: named(rows) }));
      expect(error.name).to.equal("NamedRowsError");
      expect(error.message).to.match(message);
    }
    expect(await p.keys("ingestion")).to.deep.equal(before);
  });

  it("are named by an event of the function", async () => {
    const summary = await p.ingest({ rows: { design: ["1", 2, ["3"], "999"] } });
    expect(summary.named).to.deep.equal({ design: 3 });
    expect(summary.deleted).to.deep.equal({ design: 1 });
    expect(await p.ingest({ rows: {} })).to.deep.include({ outcome: "unchanged" });
    for (const [rows, message] of [
      [["1"], /send their keys: \{ "rows": \{ "TABLE"/],
      [{ design: "1" }, /send their keys/],
      [{ design: [1.5] }, /send their keys/],
      [
        { design: [["1", "2"]] },
        /design: expected a value for each of design_id, its key, found \["1","2"\]/,
      ],
      [{ shadow: ["1"] }, /rows of shadow were named, which drives no table/],
    ] as const)
      expect((await failureOf(p.ingest({ rows: rows as never }))).message).to.match(message);
  });

  it("that an invocation has no time for make it fail, which tells how many", async () => {
    Object.assign(process.env, p.env, { BATCH_ROWS: "1" });
    try {
      const late = { getRemainingTimeInMillis: () => 1 } as never;
      const error = await failureOf(handler({ rows: { design: ["1", "2", "3"] } }, late));
      expect(error.message).to.match(/time was up.*\(2 of design\); send those again/);
    } finally {
      delete process.env["BATCH_ROWS"];
    }
  });

  it("never change what the warehouse says where nothing differs", async () => {
    const ids = fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { maxLength: 12 });
    const before = await everything(p);
    await fc.assert(
      fc.asyncProperty(
        fc.record({ sales_order: ids, payment: ids, purchase_order: ids }),
        fc.uniqueArray(fc.integer({ min: 1, max: 4 }), { maxLength: 4 }),
        fc.integer({ min: 1, max: 20 }),
        async (facts, staff, rows) => {
          const there: Record<string, Key[]> = {
            staff: staff.map((id) => ({ staff_id: `${id}` })),
          };
          for (const [table, of] of Object.entries(facts)) {
            const found = await p.shop.any<{ id: string }>(
              "select $1:name::text as id from $2:name where $1:name in ($3:csv)",
              [`${table}_id`, table, [0, ...of]],
            );
            there[table] = found.map(({ id }) => ({ [`${table}_id`]: id }));
          }
          await ingestWith(p, tables, { named: named(there), limits: { rows, bytes: 1 << 30 } });
          await p.transform();
          await p.load();
          expect(await everything(p)).to.equal(before);
        },
      ),
      { numRuns: 8 },
    );
  });
});

/** Every row of the warehouse's star, record ids and all. */
async function everything({ star }: TestPipeline): Promise<string> {
  const found = await star.any<{ name: string }>(
    "select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1",
  );
  const all: unknown[] = [];
  for (const { name } of found)
    all.push(await star.any("select $2 as of, t.* from $1:name t order by t::text", [name, name]));
  return JSON.stringify(all);
}

/** A table module that shows a source with this key, and a word, as it is. */
function mirror(name: string, keys: Columns) {
  const source = defineSource(name, { ...keys, word: text });
  return defineTable({
    name: `dim_${name}`,
    description: `One row per ${name}.`,
    source,
    columns: { ...keys, word: text },
    format: (row) => ({ ...row }),
  });
}

describe("named rows", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 0 });
    await p.shop.none(
      `create extension if not exists citext; create type mood as enum ('glad', 'sad''; drop');
       create domain code as varchar(3); create collation ignore_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
    );
  });
  after(closeAll);
  beforeEach(async () => {
    await p.shop.none("drop table if exists thing, place");
    await startAnew(p);
  });

  const HOSTILE = [
    "it's",
    '"',
    "\\",
    "'; drop table thing; --",
    "é😀",
    " a ",
    "a\tb\nc",
    "{1,2}",
    "null",
    "",
  ];
  const kinds: [type: string, column: Columns[string], there: string[], gone: string[]][] = [
    ["text", key(text), HOSTILE, ["IT'S", "$1", "%s", "nul", "\u0001"]],
    ['text collate "en-x-icu"', key(text), HOSTILE, ["b"]],
    ["varchar(3)", key(text), ["abc", "d"], ["abcd", "dd"]],
    ["code", key(text), ["abc", "d"], ["abcd", "dd"]],
    ["char(3)", key(text), ["abc", "d  "], ["abcd", "e  "]],
    ["citext", key(text), ["Abc", "d"], ["abd"]],
    ["mood", key(text), ["glad", "sad'; drop"], ["angry"]],
    [
      "uuid",
      key(text),
      ["6f1c2b1e-58a5-4d6c-9a57-0e9b6f0b2f11"],
      ["6f1c2b1e-58a5-4d6c-9a57-0e9b6f0b2f12"],
    ],
    ["bigint", key(bigint), ["9007199254740993", "-9223372036854775808"], ["9007199254740992"]],
    [
      "numeric(20,2)",
      key(decimal(20, 2)),
      ["1.50", "900719925474099.30"],
      ["1.51", "900719925474099.31"],
    ],
    [
      "timestamptz",
      key(timestamptz),
      ["2026-01-01 00:00:00.000001+00"],
      ["2026-01-01 00:00:00+00"],
    ],
  ];
  for (const [type, column, there, gone] of kinds)
    it(`are found by a key of ${type}, and missed by it`, async () => {
      const tables = tablesOf(mirror("thing", { id: column }));
      await p.shop.none(`create table thing (id ${type} primary key, word text not null)`);
      for (const id of there)
        await p.shop.none(`insert into thing values ($1::text::${type.split(" ")[0]}, 'w')`, [id]);
      await runWith(p, tables);
      const summary = await ingestWith(p, tables, {
        named: named({ thing: [...there, ...gone].map((id) => ({ id })) }),
      });
      expect(summary.named).to.deep.equal({ thing: there.length });
      expect(summary.deleted).to.deep.equal({ thing: gone.length });
      const lines = (await goneOf(p, 2))["thing"] as { id: string }[];
      const isMoment = type === "timestamptz";
      const expected = isMoment ? ["2026-01-01T00:00:00+00:00"] : gone;
      expect(lines.map(({ id }) => id)).to.have.members(expected);
      expect(await p.shop.any("select from thing")).to.have.length(there.length);
    });

  it("are found by a key of several columns", async () => {
    const tables = tablesOf(mirror("thing", { n: key(integer), t: key(text) }));
    await p.shop.none(
      `create table thing (t text, n int, word text not null, primary key (n, t));
       insert into thing values ('a', 1, ''), ('b', 1, ''), ('a', 2, ''), (',"', 3, '')`,
    );
    await runWith(p, tables);
    const keys = [
      ["1", "a"],
      ["2", "b"],
      ["3", ',"'],
      ["1", "b"],
      ["2", "A"],
    ];
    const summary = await ingestWith(p, tables, {
      named: named({ thing: keys.map(([n, t]) => ({ t: t!, n: n! })) }),
    });
    expect(summary.named).to.deep.equal({ thing: 3 });
    expect((await goneOf(p, 2))["thing"]).to.have.deep.members([
      { n: 2, t: "b" },
      { n: 2, t: "A" },
    ]);
  });

  it("are equal by the source's collation", async () => {
    const tables = tablesOf(mirror("thing", { id: key(text) }));
    await p.shop.none(
      `create table thing (id text collate ignore_case primary key, word text not null);
       insert into thing values ('Abc', '')`,
    );
    await runWith(p, tables);
    const summary = await ingestWith(p, tables, {
      named: named({ thing: [{ id: "aBC" }, { id: "x" }] }),
    });
    expect(summary).to.deep.include({ named: { thing: 1 }, deleted: { thing: 1 } });
    expect(await p.lines(2, "thing")).to.deep.equal([{ id: "Abc", word: "" }]);
  });

  /** Things in places: a thing looks up its place. */
  function thingsInPlaces() {
    const place = defineSource("place", { place_id: key(integer), words: text });
    const thing = defineSource("thing", { id: key(integer), place_id: integer });
    return tablesOf(
      defineTable({
        name: "dim_thing",
        description: "One row per thing.",
        source: thing,
        lookups: { place: lookup(place, "place_id") },
        columns: { id: key(integer), words: text },
        format: ({ id }, { place: { words } }) => ({ id, words: words.slice(0, 5) }),
      }),
    );
  }

  it("of five thousand keys are bounded batches, each with what it looks up", async () => {
    const tables = thingsInPlaces();
    await p.shop.none(
      `create table place (place_id int primary key, words text not null);
       create table thing (id int primary key, place_id int not null);
       insert into place select i, repeat('x', 1000) from generate_series(1, 1000) i;
       insert into thing select i, 1 + i % 1000 from generate_series(1, 6000) i`,
    );
    await runWith(p, tables);
    const { batch } = await ingestWith(p, tables);
    const keys = Array.from({ length: 5000 }, (_, i) => ({ id: String(i + 1001) }));
    await p.shop.none("delete from thing where id % 5 = 0");
    const summary = await ingestWith(p, tables, {
      named: named({ thing: keys }),
      limits: { rows: 2000, bytes: 300_000 },
    });
    expect(summary.named).to.deep.equal({ thing: 4000 });
    expect(summary.deleted).to.deep.equal({ thing: 1000 });
    const found: unknown[] = [];
    const gone: unknown[] = [];
    for (let of = batch + 1; of < summary.batch; of++) {
      const rows = await p.lines(of, "thing");
      expect(rows.length).to.be.within(1, 2000);
      const places = await p.lines(of, "place");
      expect(places.length * 1000).to.be.lessThan(300_000);
      const there = new Set(places.map(({ place_id }) => place_id));
      expect(rows.every(({ place_id }) => there.has(place_id))).to.equal(true);
      found.push(...rows.map(({ id }) => id));
      gone.push(...((await goneOf(p, of))["thing"] as { id: number }[]).map(({ id }) => id));
    }
    expect(found).to.have.length(4000);
    expect(new Set([...found, ...gone])).to.deep.equal(new Set(keys.map(({ id }) => Number(id))));
    await transformWith(p, tables);
    await loadWith(p, tables);
  });

  it("that are more bytes than a batch may hold are cut into several, and one that is more alone is one", async () => {
    const tables = tablesOf(mirror("thing", { id: key(integer) }));
    await p.shop.none(
      `create table thing (id int primary key, word text not null);
       insert into thing select i, repeat('x', 1000) from generate_series(1, 30) i;
       insert into thing values (31, repeat('y', 20000))`,
    );
    const keys = Array.from({ length: 32 }, (_, i) => ({ id: String(i + 1) }));
    const summary = await ingestWith(p, tables, {
      named: named({ thing: keys }),
      limits: { rows: 100, bytes: 5000 },
    });
    expect(summary).to.deep.include({ named: { thing: 31 }, deleted: { thing: 1 } });
    const found: unknown[] = [];
    for (let of = 1; (await p.ingested(of)).kind === "resync"; of++) {
      const rows = await p.lines(of, "thing");
      expect(rows.length).to.be.lessThan(5);
      found.push(...rows.map(({ id }) => id));
    }
    expect(found).to.deep.equal(Array.from({ length: 31 }, (_, i) => i + 1));
  });

  it("that look up more than a batch may hold are read one by one in the end", async () => {
    const tables = thingsInPlaces();
    await p.shop.none(
      `create table place (place_id int primary key, words text not null);
       create table thing (id int primary key, place_id int not null);
       insert into place select i, repeat('x', 10000) from generate_series(1, 5) i;
       insert into thing select i, i from generate_series(1, 5) i`,
    );
    await runWith(p, tables);
    const keys = [1, 2, 3, 4, 5].map((id) => ({ id: String(id) }));
    const summary = await ingestWith(p, tables, {
      named: named({ thing: keys }),
      limits: { rows: 100, bytes: 5000 },
    });
    expect(summary.named).to.deep.equal({ thing: 5 });
    for (let of = 2; of < 7; of++)
      expect(await objectsOf(p, of)).to.have.deep.members([
        ["thing", 1, 1],
        ["place", 1, 0],
      ]);
  });
});
