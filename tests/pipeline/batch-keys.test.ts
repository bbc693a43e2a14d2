// Runs are cut by primary key, whatever that is; sources and table modules of the tests' own.
import {
  bigint,
  decimal,
  defineSource,
  defineTable,
  full,
  integer,
  key,
  lookup,
  text,
  timestamp,
  timestampOf,
  type Columns,
} from "../../src/table.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, startAnew, type TestPipeline } from "../support/pipeline.ts";
import { ingestWith, loadWith, runWith, tablesOf, transformWith } from "../support/stages.ts";

/** A table module that shows a source with this key, and a word, as it is. */
function mirror(name: string, keys: Columns, { changes = undefined as unknown } = {}) {
  const source = defineSource(
    name,
    { ...keys, word: text },
    changes === undefined ? {} : { changes: changes as typeof full },
  );
  return defineTable({
    name: `dim_${name}`,
    description: `One row per ${name}.`,
    source,
    columns: { ...keys, word: text },
    format: (row) => ({ ...row }),
  });
}

describe("runs are cut", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 0 });
  });
  after(closeAll);
  beforeEach(async () => {
    await p.shop.none(
      `drop view if exists things; drop table if exists thing, other, place; drop type if exists mood;
       drop collation if exists ignore_case; create extension if not exists citext`,
    );
    await startAnew(p);
  });

  /** Reads with these tables, a batch of `rows` an invocation, and loads what was read. */
  async function runBounded(
    tables: ReturnType<typeof tablesOf>,
    rows: number,
    bytes = 1 << 30,
  ): Promise<number> {
    let invocations = 0;
    for (let unfinished = true; unfinished; invocations++) {
      const summary = await ingestWith(p, tables, { limits: { rows, bytes }, goOn: () => false });
      unfinished = summary.unfinished;
      expect(invocations).to.be.lessThan(200);
    }
    await transformWith(p, tables);
    await loadWith(p, tables);
    return invocations;
  }

  const kinds: [what: string, type: string, values: string, columns: Columns][] = [
    ["uuid", "uuid", "gen_random_uuid()", { id: key(text) }],
    [
      "text in a language's order",
      'text collate "en-x-icu"',
      "(array['a','B','c','Ä','ä','z','A','-a','a b','ab','É','e','10','9','_x',' y','Z','ß','ss','œ'])[i] || case when i > 15 then e'\\t\"\\\\' else '' end",
      { id: key(text) },
    ],
    [
      "text by bytes",
      'text collate "C"',
      "chr(40 + (i * 37) % 80) || '''' || i",
      { id: key(text) },
    ],
    [
      "text that a collation holds for the same letters",
      "text collate ignore_case",
      "(array['a','B','c','D'])[1 + i % 4] || i",
      { id: key(text) },
    ],
    [
      "timestamp",
      "timestamp",
      "timestamp '2026-01-01 00:00:00.000001' + i * interval '1 microsecond'",
      { id: key(timestamp) },
    ],
    ["bigint beyond 2⁵³", "bigint", "9007199254740990 + i", { id: key(bigint) }],
    ["negative integer", "int", "(i - 10) * 3", { id: key(integer) }],
    ["enum", "mood", "(enum_range(null::mood))[i]", { id: key(text) }],
    [
      "extension's type",
      "citext",
      "chr(case i % 2 when 0 then 64 else 96 end + i)::citext",
      { id: key(text) },
    ],
    ["padded text", "character(5)", "i::text", { id: key(text) }],
  ];
  for (const [what, type, value, columns] of kinds)
    it(`by a key that is ${what}`, async () => {
      await p.shop.none(
        `create type mood as enum ('z','y','x','w','v','u','t','s','r','q','p','o','n','m','l','k','j','i','h','g');
         create collation ignore_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         create table thing (id ${type} primary key, word text not null);
         insert into thing select ${value}, 'w' || i from generate_series(1, 20) i`,
      );
      const tables = tablesOf(mirror("thing", columns));
      // 20 rows by three; a batch an invocation, so that each goes on by a key.
      expect(await runBounded(tables, 3)).to.equal(7);
      const words = await p.star.any<{ word: string }>("select word from dim_thing");
      expect(words.map(({ word }) => word)).to.have.members(
        Array.from({ length: 20 }, (_, i) => `w${i + 1}`),
      );
      const ranges: number[] = [];
      for (let batch = 1; batch <= 7; batch++) ranges.push((await p.lines(batch, "thing")).length);
      expect(ranges).to.deep.equal([3, 3, 3, 3, 3, 3, 2]);
    });

  it("by a key of several columns", async () => {
    await p.shop.none(
      `create table thing (a text, b timestamp, c int, word text not null, primary key (a, b, c));
       insert into thing select chr(97 + i % 3), timestamp '2026-01-01' + (i % 2) * interval '1 day', i, 'w' || i
         from generate_series(1, 20) i`,
    );
    const columns = { a: key(text), b: key(timestamp), c: key(integer) };
    expect(await runBounded(tablesOf(mirror("thing", columns)), 3)).to.equal(7);
    const { rows } = await p.star.one<{ rows: string }>("select count(*) as rows from dim_thing");
    expect(rows).to.equal("20");
  });

  it("in a table without a primary key, between rows of different keys; a key that is null is quarantined", async () => {
    await p.shop.none(
      `create table thing (id int, word text not null);
       insert into thing select i / 3, 'w' || i from generate_series(3, 20) i;
       insert into thing values (null, 'none'), (null, 'neither')`,
    );
    const tables = tablesOf(mirror("thing", { id: key(integer) }));
    await runBounded(tables, 2);
    const found = await p.star.any<{ id: number; word: string }>(
      "select * from dim_thing order by 1",
    );
    expect(found.map(({ id }) => id)).to.deep.equal([1, 2, 3, 4, 5, 6]);
    // Rows of one key are in one batch.
    const batchOf = new Map<unknown, number>();
    for (const [i] of (await p.keys("ingestion", "_batches/")).entries())
      for (const { id } of await p.lines(i + 1, "thing")) {
        expect(batchOf.get(id) ?? i).to.equal(i);
        batchOf.set(id, i);
      }
    expect((await p.rejected()).map(({ reason }) => reason)).to.deep.equal([
      "id: is null",
      "id: is null",
    ]);
  });

  it("in a table without a primary key, not between rows that only look different", async () => {
    await p.shop.none(
      `create collation ignore_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
       create table thing (id numeric, letter text collate ignore_case, word text not null);
       insert into thing select 1 + i / 6 + case i % 3 when 0 then 0 when 1 then 0.0 else 0.00 end,
                                case i % 2 when 0 then 'a' else 'A' end, 'w' || i from generate_series(0, 17) i`,
    );
    const source = defineSource("thing", { id: key(decimal(5, 2)), letter: key(text), word: text });
    const tables = tablesOf(
      defineTable({
        name: "dim_thing",
        description: "One row per word.",
        source,
        columns: { word: key(text), id: decimal(5, 2) },
        format: ({ id, word }) => ({ id, word }),
      }),
    );
    for (const rows of [1, 2, 4]) {
      await startAnew(p);
      await runBounded(tables, rows);
      const { count } = await p.star.one<{ count: string }>("select count(*) from dim_thing");
      expect(count).to.equal("18");
    }
  });

  it("in a table without a primary key, also where time is up in the middle of one key's rows", async () => {
    await p.shop.none(
      `create table thing (id int, word text not null);
       insert into thing select i / 700, repeat('x', 90) || i from generate_series(1, 6000) i`,
    );
    const source = defineSource("thing", { id: key(integer), word: text });
    const tables = tablesOf(
      defineTable({
        name: "dim_thing",
        description: "One row per word.",
        source,
        columns: { word: key(text), id: integer },
        format: ({ id, word }) => ({ id, word }),
      }),
    );
    const late = { goOn: () => false, isLate: () => true };
    let invocations = 1;
    while ((await ingestWith(p, tables, late)).unfinished) invocations++;
    expect(invocations).to.be.within(3, 12);
    await transformWith(p, tables);
    await loadWith(p, tables);
    const { count } = await p.star.one<{ count: string }>("select count(*) from dim_thing");
    expect(count).to.equal("6000");
  });

  it("also where the row that a run left off at is deleted, and one that it had not come to", async () => {
    await p.shop.none(
      `create table thing (id int primary key, word text not null);
       insert into thing select i, 'w' || i from generate_series(1, 10) i`,
    );
    const tables = tablesOf(mirror("thing", { id: key(integer) }));
    await ingestWith(p, tables, { limits: { rows: 4, bytes: 1 << 30 }, goOn: () => false });
    expect((await p.ingested(1)).cursor!.after).to.deep.equal({ id: "4" });
    await p.shop.none("delete from thing where id in (4, 9); insert into thing values (11, 'w11')");
    await runBounded(tables, 4);
    const ids = await p.star.any<{ id: number }>("select id from dim_thing order by id");
    expect(ids.map(({ id }) => id)).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8, 10, 11]);
  });

  it("by a key whose type is another in the middle of a run: its table is begun anew", async () => {
    await p.shop.none(
      `create table thing (id int primary key, word text not null);
       insert into thing select i, 'w' || i from generate_series(1, 10) i`,
    );
    const one = { limits: { rows: 4, bytes: 1 << 30 }, goOn: () => false };
    await ingestWith(p, tablesOf(mirror("thing", { id: key(integer) })), one);
    await p.shop.none("alter table thing alter id type uuid using lpad(id::text, 32, '0')::uuid");
    const tables = tablesOf(mirror("thing", { id: key(text) }));
    await runBounded(tables, 4);
    await runWith(p, tables);
    const { count } = await p.star.one<{ count: string }>("select count(*) from dim_thing");
    expect(count).to.equal("10");
  });

  it("in a view that is read whole, each time", async () => {
    await p.shop.none(
      `create table thing (id int primary key, word text not null);
       create view things as select * from thing;
       insert into thing select i, 'w' || i from generate_series(1, 10) i`,
    );
    const tables = tablesOf(mirror("things", { id: key(integer) }, { changes: full }));
    expect(await runBounded(tables, 3)).to.equal(4);
    await p.shop.none("update thing set word = 'new' where id = 10");
    expect(await runBounded(tables, 3)).to.equal(4);
    const { word } = await p.star.one<{ word: string }>(
      "select word from dim_things where id = 10",
    );
    expect(word).to.equal("new");
  });

  it("of a source that is found by timestamp, from the mark at which the run began", async () => {
    await p.shop.none(
      `create table thing (id int primary key, word text not null, seen timestamp not null);
       insert into thing select i, 'w' || i, timestamp '2026-01-01' + i * interval '1 hour' from generate_series(1, 6) i`,
    );
    const source = defineSource(
      "thing",
      { id: key(integer), word: text, seen: timestamp },
      { changes: timestampOf("seen", { lag: 0 }) },
    );
    const tables = tablesOf(
      defineTable({
        name: "dim_thing",
        description: "One row per thing.",
        source,
        columns: { id: key(integer), word: text },
        format: ({ id, word }) => ({ id, word }),
      }),
    );
    await runBounded(tables, 100);
    await p.shop.none(
      "update thing set word = 'later', seen = timestamp '2026-02-01' + (10 - id) * interval '1 hour'",
    );
    let left = 1;
    const first = await ingestWith(p, tables, {
      limits: { rows: 2, bytes: 1 << 30 },
      goOn: () => --left > 0,
    });
    expect(first).to.deep.include({ unfinished: true, kind: "changes" });
    // In the middle of the run one behind the cursor changes, with a time between those that were read.
    await p.shop.none("update thing set word = 'last', seen = '2026-02-01 09:30' where id = 1");
    await runBounded(tables, 2);
    await runWith(p, tables);
    const words = await p.star.any<{ word: string }>("select word from dim_thing order by id");
    expect(words.map(({ word }) => word)).to.deep.equal([
      "last",
      ...Array<string>(5).fill("later"),
    ]);
  });

  it("of a source whose changes are found by another column now: it is read from the start", async () => {
    await p.shop.none(
      `create table thing (id int primary key, word text not null, seen timestamp, made timestamp);
       insert into thing select i, 'w', '2026-05-01', '2026-01-01' from generate_series(1, 3) i`,
    );
    const by = (column: string) =>
      tablesOf(
        defineTable({
          name: "dim_thing",
          description: "One row per thing.",
          source: defineSource(
            "thing",
            { id: key(integer), word: text, [column]: timestamp },
            { changes: timestampOf(column, { lag: 0 }) },
          ),
          columns: { id: key(integer), word: text },
          format: ({ id, word }) => ({ id, word }),
        }),
      );
    await runWith(p, by("seen"));
    await p.shop.none("update thing set word = 'new', made = '2026-02-01' where id = 2");
    const { reasons } = await runWith(p, by("made"));
    expect(reasons).to.deep.equal(["dim_thing has changed"]);
    const { word } = await p.star.one<{ word: string }>("select word from dim_thing where id = 2");
    expect(word).to.equal("new");
  });

  it("with a row that is larger than a batch may be, alone in its own", async () => {
    await p.shop.none(
      `create table thing (id int primary key, word text not null);
       insert into thing select i, case i when 3 then repeat('x', 100000) else 'w' end from generate_series(1, 5) i`,
    );
    await runBounded(tablesOf(mirror("thing", { id: key(integer) })), 100, 1000);
    const sizes: number[] = [];
    for (const [i] of (await p.keys("ingestion", "_batches/")).entries())
      sizes.push((await p.lines(i + 1, "thing")).length);
    expect(sizes).to.deep.equal([2, 1, 2]);
    const { size } = await p.star.one<{ size: number }>(
      "select length(word) as size from dim_thing where id = 3",
    );
    expect(size).to.equal(100_000);
  });

  describe("where rows look others up", () => {
    const place = defineSource("place", { id: key(integer), word: text });
    const thing = defineSource("thing", { id: key(integer), place_id: integer });
    const tables = tablesOf(
      defineTable({
        name: "dim_thing",
        description: "One row per thing, with the word of its place.",
        source: thing,
        lookups: { place: lookup(place, "place_id") },
        columns: { id: key(integer), word: text },
        format: ({ id }, found) => ({ id, word: found.place.word }),
      }),
    );
    beforeEach(() =>
      p.shop.none(
        `create table place (id int primary key, word text not null);
         create table thing (id int primary key, place_id int not null references place);
         insert into place select i, repeat(chr(96 + i), 1000) from generate_series(1, 20) i;
         insert into thing select i, 1 + i % 20 from generate_series(1, 200) i`,
      ),
    );
    const wrong = async (): Promise<unknown[]> => {
      const expected = await p.shop.any(
        "select t.id, p.word from thing t join place p on p.id = place_id order by 1",
      );
      const found = await p.star.any("select id, word from dim_thing order by 1");
      return expected.filter((row, i) => JSON.stringify(row) !== JSON.stringify(found[i]));
    };

    it("at most as many bytes of those as a batch may have, also while more rows are on their way", async () => {
      await runBounded(tables, 50, 7_000);
      expect(await wrong()).to.deep.equal([]);
      expect(await p.rejected()).to.deep.equal([]);
      const batches = (await p.keys("ingestion", "_batches/")).length;
      for (let batch = 1; batch <= batches; batch++) {
        const looked = (await p.lines(batch, "place")).slice(
          (await p.ingested(batch)).objects.find(({ table }) => table === "place")?.driving_rows ??
            0,
        );
        expect(JSON.stringify(looked).length).to.be.at.most(7_100);
      }
      // Seven places at most in a batch of things.
      expect(batches).to.be.at.least(200 / 7);
    });

    it("in a batch of several sources, the last of which looks nothing up", async () => {
      const other = mirror("other", { id: key(integer) });
      const more = [...tables, ...tablesOf(other)];
      await p.shop.none("create table other (id int primary key, word text not null)");
      await runWith(p, more);
      await p.shop.none(
        "update thing set place_id = id where id <= 12; insert into other select i, 'w' from generate_series(1, 5) i",
      );
      const before = (await p.keys("ingestion", "_batches/")).length;
      await ingestWith(p, more, { limits: { rows: 50, bytes: 7_000 } });
      await transformWith(p, more);
      await loadWith(p, more);
      expect(await wrong()).to.deep.equal([]);
      const batches = (await p.keys("ingestion", "_batches/")).length;
      expect(batches - before).to.be.greaterThan(1);
      for (let batch = before + 1; batch <= batches; batch++)
        expect(JSON.stringify(await p.lines(batch, "place")).length).to.be.at.most(7_100);
      const { rows } = await p.star.one<{ rows: string }>("select count(*) as rows from dim_other");
      expect(rows).to.equal("5");
    });

    it("through a looked-up row that changed and that every row shows, bounded", async () => {
      await runWith(p, tables);
      await p.shop.none("update thing set place_id = 1");
      await runWith(p, tables);
      const before = (await p.keys("ingestion", "_batches/")).length;
      await p.shop.none("update place set word = 'moved' where id = 1");
      await runBounded(tables, 30);
      expect(await wrong()).to.deep.equal([]);
      const batches = (await p.keys("ingestion", "_batches/")).length;
      expect(batches - before).to.equal(Math.ceil(201 / 30));
      for (let batch = before + 1; batch <= batches; batch++) {
        const { objects, kind } = await p.ingested(batch);
        expect(kind).to.equal("changes");
        expect(objects.reduce((sum, object) => sum + object.driving_rows, 0)).to.be.at.most(30);
        expect((await p.lines(batch, "place")).map(({ word }) => word)).to.deep.equal(["moved"]);
      }
    });

    it("and a row that is looked up by many batches is in each once", async () => {
      await p.shop.none("update thing set place_id = 2");
      await runBounded(tables, 60);
      for (const [i] of (await p.keys("ingestion", "_batches/")).entries()) {
        const ids = (await p.lines(i + 1, "place")).map(({ id }) => id);
        expect(new Set(ids).size).to.equal(ids.length);
        if ((await p.lines(i + 1, "thing")).length > 0) expect(ids).to.include(2);
      }
      expect(await wrong()).to.deep.equal([]);
    });
  });

  it("and a module that changes in the middle is filled by the next run; a new one too", async () => {
    await p.shop.none(
      `create table thing (id int primary key, word text not null);
       insert into thing select i, 'w' || i from generate_series(1, 10) i`,
    );
    const source = defineSource("thing", { id: key(integer), word: text });
    const made = (name: `dim_${string}`, version: number, mark: string) =>
      defineTable({
        name,
        description: "One row per thing.",
        source,
        columns: { id: key(integer), word: text },
        version,
        format: ({ id, word }) => ({ id, word: word + mark }),
      });
    const one = { limits: { rows: 4, bytes: 1 << 30 }, goOn: () => false };
    const before = tablesOf(made("dim_thing", 1, ""));
    expect((await ingestWith(p, before, one)).unfinished).to.equal(true);
    await transformWith(p, before);
    const after = tablesOf(made("dim_thing", 2, "!"), made("dim_more", 1, "?"));
    expect((await ingestWith(p, after, one)).reasons).to.deep.equal(["batch 1 left off in thing"]);
    // And back, to code that made other rows of the batches before.
    expect((await ingestWith(p, before, one)).unfinished).to.equal(false);
    const { reasons } = await ingestWith(p, after, { limits: one.limits });
    expect(reasons).to.have.members(["dim_thing is new", "dim_more is new"]);
    await transformWith(p, after);
    await loadWith(p, after);
    for (const [table, mark] of [
      ["dim_thing", "!"],
      ["dim_more", "?"],
    ] as const) {
      const words = await p.star.any<{ word: string }>(`select word from ${table} order by id`);
      expect(words.map(({ word }) => word)).to.deep.equal(
        Array.from({ length: 10 }, (_, i) => `w${i + 1}${mark}`),
      );
    }
  });

  it("and a source that no module declares any more is left where it is", async () => {
    await p.shop.none(
      `create table thing (id int primary key, word text not null);
       create table other (id int primary key, word text not null);
       insert into thing select i, 'w' || i from generate_series(1, 10) i;
       insert into other select i, 'w' || i from generate_series(1, 10) i`,
    );
    const [thing, other] = ["thing", "other"].map((name) => mirror(name, { id: key(integer) }));
    const both = tablesOf(thing!, other!);
    const one = { limits: { rows: 4, bytes: 1 << 30 }, goOn: () => false };
    await ingestWith(p, both, one);
    const { table } = (await p.ingested(1)).cursor!;
    const left = tablesOf(table === "thing" ? other! : thing!);
    let summary = await ingestWith(p, left, one);
    while (summary.unfinished) summary = await ingestWith(p, left, one);
    await runWith(p, left);
    const { rows } = await p.star.one<{ rows: string }>(
      `select count(*) as rows from dim_${table === "thing" ? "other" : "thing"}`,
    );
    expect(rows).to.equal("10");
  });
});
