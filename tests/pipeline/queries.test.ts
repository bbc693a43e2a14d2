// The queries of a run, one by one, on a real database: which rows each finds, in which order, and how it writes them.
import {
  inRange,
  keyIn,
  keyShape,
  orderOf,
  sameKey,
  type Range,
} from "../../src/ingestion/keyset.ts";
import type { Plan } from "../../src/ingestion/plan.ts";
import { Queries } from "../../src/ingestion/select.ts";
import { readCatalogue, type CatalogueTable } from "../../src/postgres/catalogue.ts";
import { getConnection, type Connection } from "../../src/postgres/connection.ts";
import {
  bigint,
  decimal,
  defineSource,
  full,
  integer,
  key,
  lookup,
  nullable,
  text,
  timestamp,
  timestampOf,
  type Columns,
  type Source,
} from "../../src/table.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { tablesOf } from "../support/stages.ts";

describe("a run's queries", () => {
  let p: TestPipeline;
  let connection: Connection;
  before(async () => {
    p = await openPipeline({ orders: 0 });
    connection = await getConnection({ ...p.source, schema: "public" });
    await p.shop.none(`
      create schema other;
      create table team (team_id int primary key, word text not null);
      create table other.person (person_id int primary key, team_id int, boss_id int, seen timestamp);
      create table untouched (id int primary key);
      create type mood as enum ('z', 'a');
      create collation ignore_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      create table pairs (a int not null, b text collate "C" not null, primary key (a, b));
      create table loose (a int, b int);
      create table words (w text collate ignore_case not null);
      create table moods (m mood not null);
      insert into team select i, 'w' || i from generate_series(1, 4) i;
      insert into other.person values (1, 1, null, '2026-01-01 00:00:00'), (2, 1, 1, '2026-01-01 00:01:00'),
        (3, 2, 1, '2026-01-01 00:02:00'), (4, null, 3, null);
      insert into pairs select i, chr(96 + j) from generate_series(1, 3) i, generate_series(1, 3) j;
      insert into loose values (1, 1), (1, 2), (1, null), (2, 1), (null, 1), (null, null);
      insert into words values ('a'), ('A'), ('b'), ('B'), ('a');
      insert into moods values ('a'), ('z');
    `);
  });
  after(async () => {
    await connection.close();
    await closeAll();
  });

  const team = defineSource("team", { team_id: key(integer), word: text });
  const personColumns = {
    person_id: key(integer),
    team_id: nullable(integer),
    boss_id: nullable(integer),
    seen: nullable(timestamp),
  };
  const personWith = (changes?: Source["changes"]) =>
    defineSource("person", personColumns, { schema: "other", ...(changes ? { changes } : {}) });
  const moduleOf = (source: Source, lookups = {}) => ({
    name: `dim_${source.name}`,
    description: `One row per ${source.name}.`,
    source,
    lookups,
    columns: { id: key(integer) },
    format: () => [],
  });

  const catalogueOf = async (...sources: Source[]): Promise<ReadonlyMap<string, CatalogueTable>> =>
    readCatalogue(connection.db, sources);
  /** The lines that a query gives, as what they say. */
  const rowsOf = async (query: string): Promise<Record<string, unknown>[]> =>
    (await p.shop.any<{ line: string }>(`select line from (${query}) q(line)`)).map(
      ({ line }) => JSON.parse(line) as Record<string, unknown>,
    );
  const idsOf = async (query: string, column: string): Promise<unknown[]> =>
    (await rowsOf(query)).map((row) => row[column]);
  /** A transaction id that nothing was written at or past yet. */
  const fenceNow = async (): Promise<string> => {
    const { fence } = await p.shop.one<{ fence: string }>(
      "select pg_snapshot_xmax(pg_current_snapshot())::text as fence",
    );
    return fence;
  };

  describe("find, with rows that look others up,", () => {
    /** Persons look up their team and their boss; teams are a star table too. */
    async function queriesOf(plan: Partial<Plan>, changes?: Source["changes"], marks = {}) {
      const person = personWith(changes);
      const lookups = {
        team: lookup(team, "team_id"),
        boss: lookup(person, "boss_id"),
        again: lookup(team, "team_id"),
      };
      const tables = tablesOf(moduleOf(team), moduleOf(person, lookups));
      const whole: Plan = { kind: "changes", reasons: [], since: null, whole: new Set(), ...plan };
      const queries = new Queries(tables, await catalogueOf(team, person), whole, marks);
      return { queries, person };
    }
    const all: Range = { after: null, upTo: null };
    const within = (...stretches: [source: string, stretch: Range][]): Map<string, Range> =>
      new Map(stretches);

    it("every row of a source that is read from the start, in the order of its key", async () => {
      const { queries, person } = await queriesOf({});
      expect(await idsOf(queries.driving(person, null), "person_id")).to.deep.equal([1, 2, 3, 4]);
      expect(await idsOf(queries.driving(person, { person_id: "2" }), "person_id")).to.deep.equal([
        3, 4,
      ]);
    });

    it("nothing where nothing was written since the fence", async () => {
      const { queries, person } = await queriesOf({ since: await fenceNow() });
      expect(await rowsOf(queries.driving(person, null))).to.deep.equal([]);
      expect(await rowsOf(queries.driving(team, null))).to.deep.equal([]);
    });

    it("what was written since, and whoever looks that up; after a key too", async () => {
      const since = await fenceNow();
      await p.shop.none("update team set word = word where team_id = 1");
      const { queries, person } = await queriesOf({ since });
      expect(await idsOf(queries.driving(team, null), "team_id")).to.deep.equal([1]);
      expect(await idsOf(queries.driving(person, null), "person_id")).to.deep.equal([1, 2]);
      expect(await idsOf(queries.driving(person, { person_id: "1" }), "person_id")).to.deep.equal([
        2,
      ]);
      const boss = await fenceNow();
      await p.shop.none("update other.person set seen = seen where person_id = 3");
      const { queries: later } = await queriesOf({ since: boss });
      expect(await idsOf(later.driving(person, null), "person_id")).to.deep.equal([3, 4]);
    });

    it("every row of a source that the plan names, though nothing was written", async () => {
      const { queries, person } = await queriesOf({
        since: await fenceNow(),
        whole: new Set(["person"]),
      });
      expect(await idsOf(queries.driving(person, null), "person_id")).to.deep.equal([1, 2, 3, 4]);
      expect(await rowsOf(queries.driving(team, null))).to.deep.equal([]);
    });

    it("every row of a source that is read in full each time", async () => {
      const { queries, person } = await queriesOf({ since: await fenceNow() }, full);
      expect(await idsOf(queries.driving(person, null), "person_id")).to.deep.equal([1, 2, 3, 4]);
    });

    it("by timestamp what is at or past the mark, less the lag, and what has none", async () => {
      const changes = timestampOf("seen", { lag: 60 });
      const since = await fenceNow();
      for (const [mark, ids] of [
        // Who has 3 for a boss comes with 3.
        ["2026-01-01 00:03:00", [3, 4]],
        ["2026-01-01 00:03:00.000001", [4]],
        ["2026-01-01 00:02:00", [2, 3, 4]],
      ] as const) {
        const { queries, person } = await queriesOf({ since }, changes, { person: mark });
        expect(await idsOf(queries.driving(person, null), "person_id"), mark).to.deep.equal(ids);
      }
      const { queries, person } = await queriesOf({ since }, changes);
      expect(await idsOf(queries.driving(person, null), "person_id")).to.deep.equal([1, 2, 3, 4]);
    });

    it("the sources that are looked up, each once", async () => {
      const { queries } = await queriesOf({});
      expect(queries.lookedUpBy(new Set(["person"])).map(({ name }) => name)).to.deep.equal([
        "team",
        "person",
      ]);
      expect(queries.lookedUpBy(new Set(["team"]))).to.deep.equal([]);
    });

    it("what a stretch of driving rows looks up, and does not drive itself", async () => {
      const { queries, person } = await queriesOf({});
      const first = { after: null, upTo: { person_id: "3" } };
      const ranges = within(["person", first]);
      expect(await idsOf(queries.lookedUp(team, ranges)!, "team_id")).to.deep.equal([1, 2]);
      // Bosses of 1 to 3: 1, which is in the stretch.
      expect(await rowsOf(queries.lookedUp(person, ranges)!)).to.deep.equal([]);
      // The boss of 4: 3, which is not.
      const last = within(["person", { after: { person_id: "3" }, upTo: null }]);
      expect(await idsOf(queries.lookedUp(person, last)!, "person_id")).to.deep.equal([3]);
      // Teams that drive as well are not there twice.
      const both = within(...ranges, ["team", { after: { team_id: "1" }, upTo: null }]);
      expect(await idsOf(queries.lookedUp(team, both)!, "team_id")).to.deep.equal([1]);
    });

    it("of rows that changed alone what these look up", async () => {
      const since = await fenceNow();
      await p.shop.none("update other.person set seen = seen where person_id = 3");
      const { queries, person } = await queriesOf({ since });
      const ranges = within(["person", all]);
      expect(await idsOf(queries.lookedUp(team, ranges)!, "team_id")).to.deep.equal([2]);
      expect(await idsOf(queries.lookedUp(person, ranges)!, "person_id")).to.deep.equal([1]);
    });

    it("nothing to look up where none does, or where all of it is there", async () => {
      const { queries } = await queriesOf({});
      expect(queries.lookedUp(team, within(["team", all]))).to.equal(undefined);
      expect(queries.lookedUp(team, within())).to.equal(undefined);
      const ranges = within(["team", all], ["person", all]);
      expect(queries.lookedUp(team, ranges)).to.equal(undefined);
    });
  });

  describe("cut a table between any two of its keys", () => {
    const sources: [what: string, table: string, keys: Columns, order: string][] = [
      ["of two columns", "pairs", { a: key(integer), b: key(text) }, 'a, b collate "C"'],
      ["that may be null", "loose", { a: key(integer), b: key(integer) }, "a, b"],
      ["that is null alone", "loose", { a: key(integer) }, "a"],
      ["that a collation holds for the same", "words", { w: key(text) }, 'w collate "C"'],
      ["that is an enum", "moods", { m: key(text) }, "m"],
    ];
    for (const [what, table, keys, order] of sources)
      it(what, async () => {
        const source = defineSource(table, keys);
        const catalogue = (await catalogueOf(source)).get(table)!;
        const columns = Object.keys(keys);
        const sorted = await p.shop.any<{ line: string }>(
          `select row_to_json(t)::text as line from (select ${columns.join(", ")} from ${table}) t order by ${order}`,
        );
        const lines = sorted.map(({ line }) => line);
        const where = (range: Parameters<typeof inRange>[3]): Promise<string[]> =>
          p.shop
            .any<{ line: string }>(
              `select row_to_json(k)::text as line from ${table} t
                cross join lateral (select ${columns.map((column) => `t.${column}`).join(", ")}) k
                where ${inRange(source, catalogue, "t", range)} order by ${orderOf(source, catalogue, "t")}`,
            )
            .then((found) => found.map(({ line }) => line));
        expect(await where({ after: null, upTo: null })).to.deep.equal(lines);
        for (const line of new Set(lines)) {
          const cut = keyIn(line, source);
          const end = lines.lastIndexOf(line) + 1;
          expect(await where({ after: cut, upTo: null }), line).to.deep.equal(lines.slice(end));
          expect(await where({ after: null, upTo: cut }), line).to.deep.equal(lines.slice(0, end));
          const from = keyIn(lines[0]!, source);
          expect(await where({ after: from, upTo: cut }), line).to.deep.equal(
            lines.slice(lines.lastIndexOf(lines[0]!) + 1, end),
          );
        }
      });

    it("and know when that is another key", async () => {
      const shapes = await Promise.all(
        [
          defineSource("pairs", { a: key(integer), b: key(text) }),
          defineSource("words", { w: key(text) }),
          defineSource("moods", { m: key(text) }),
        ].map(async (source) => keyShape(source, (await catalogueOf(source)).get(source.name)!)),
      );
      expect(shapes).to.deep.equal(['"a" integer, "b" text', '"w" as text', '"m" public.mood']);
    });
  });

  it("take a key from its line: each value as text, null as null", () => {
    const source = defineSource("pairs", { a: key(integer), b: key(text), c: key(integer) });
    expect(keyIn('{"a":1,"b":"x","c":null,"d":2}', source)).to.deep.equal({
      a: "1",
      b: "x",
      c: null,
    });
    expect(keyIn('{"a":true,"b":"x"}', source)).to.deep.equal({ a: "true", b: "x", c: null });
    expect(sameKey({ a: "1" }, { a: "1" })).to.equal(true);
    expect(sameKey({ a: "1" }, { a: "2" })).to.equal(false);
  });

  describe("write a row as one line of JSON", () => {
    const written = async (columns: string, values: string, declared: Columns = {}) => {
      await p.shop.none(
        `drop table if exists wide; create table wide (id int primary key, ${columns}); insert into wide values (1, ${values})`,
      );
      const source = defineSource("wide", { id: key(integer), ...declared });
      const tables = tablesOf(moduleOf(source));
      const plan: Plan = { kind: "backfill", reasons: [], since: null, whole: new Set() };
      const queries = new Queries(tables, await catalogueOf(source), plan, {});
      const [found] = await p.shop.any<{ line: string }>(
        `select line from (${queries.driving(source, null)}) q(line)`,
      );
      return found!.line;
    };

    it("numbers bare where a double holds them, and as text where not, or where they are declared so", async () => {
      expect(
        await written(
          "s smallint not null, i int, l bigint not null, n numeric not null, m numeric, b int not null, d int",
          "1, 2, 9007199254740993, 1.50, 0.1, 3, 4",
          { b: bigint, d: nullable(decimal(10, 2)) },
        ),
      ).to.equal(
        '{"id":1,"s":1,"i":2,"l":"9007199254740993","n":"1.50","m":"0.1","b":"3","d":"4"}',
      );
    });

    it("nulls of every kind as null", async () => {
      expect(
        await written(
          "i int, l bigint, n numeric, w text, b bool, d date, x inet",
          "null, null, null, null, null, null, null",
        ),
      ).to.equal('{"id":1,"i":null,"l":null,"n":null,"w":null,"b":null,"d":null,"x":null}');
    });

    it("texts, dates, truth values and floats as JSON has them, all else as text", async () => {
      expect(
        await written(
          "w text, v varchar(9), c char(3), nm name, b bool not null, d date, t time, tz timetz, ts timestamp, u uuid, f float4, g float8, m mood, j jsonb, x inet not null, a int[]",
          `'a"b\\', 'é', 'x', 'n', true, '2024-02-29', '14:20:52.1', '14:20:52+01', '2024-02-29 14:20:52.1',
           '00000000-0000-0000-0000-000000000001', 1.5, 2.25, 'a', '{"k": 1}', '10.0.0.1', '{1,2}'`,
        ),
      ).to.equal(
        '{"id":1,"w":"a\\"b\\\\","v":"é","c":"x  ","nm":"n","b":true,"d":"2024-02-29","t":"14:20:52.1",' +
          '"tz":"14:20:52+01","ts":"2024-02-29T14:20:52.1","u":"00000000-0000-0000-0000-000000000001","f":1.5,"g":2.25,' +
          '"m":"a","j":"{\\"k\\": 1}","x":"10.0.0.1/32","a":"{1,2}"}',
      );
    });

    it("with columns whose names have quotes in them", async () => {
      expect(await written(`"a""b" int, "it's" text`, "1, 'x'")).to.equal(
        `{"id":1,"a\\"b":1,"it's":"x"}`,
      );
    });

    it("of 200 columns, which is more than a function takes arguments", async () => {
      const names = Array.from({ length: 200 }, (_, i) => `c${i}`);
      const line = await written(
        names.map((name) => `${name} int`).join(", "),
        names.map((_, i) => String(i)).join(", "),
      );
      expect(JSON.parse(line)).to.deep.equal(
        Object.fromEntries([["id", 1], ...names.map((name, i) => [name, i])]),
      );
    });
  });
});
