// What is in quarantine now: how rows come in, change, and leave by themselves.
import { gunzipSync, gzipSync } from "node:zlib";
import { manifestKey } from "../../src/lake/keys.ts";
import { sha256, type ProcessedManifest } from "../../src/lake/manifest.ts";
import {
  date,
  defineSource,
  defineTable,
  full,
  integer,
  key,
  serial,
  text,
  timestamp,
} from "../../src/table.ts";
import { getConnection } from "../../src/postgres/connection.ts";
import { retryQuarantined } from "../../src/quarantine/retry.ts";
import { refusal } from "../support/attack.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, startAnew, type TestPipeline } from "../support/pipeline.ts";
import { ingestWith, loadWith, runWith, tablesOf, transformWith } from "../support/stages.ts";

const thing = defineSource("thing", { id: key(integer), day: text, word: text });
const other = defineSource("other", { id: key(integer), day: text });
const tag = defineSource("tag", { id: key(integer), code: text });
const visit = defineSource("visit", { place: key(text), at: key(timestamp), word: text });

const refuse = (word: string): void => {
  if (word.startsWith("bad")) throw new Error(`the word is ${word}`);
};
const fact_thing = defineTable({
  name: "fact_thing",
  description: "One row per version of a thing.",
  source: thing,
  columns: { record_id: serial, id: key(integer), word: text },
  format: ({ id, word }) => {
    refuse(word);
    return word === "none" ? [] : { id, word };
  },
});
const dim_day = defineTable({
  name: "dim_day",
  description: "One row per day.",
  source: [thing, other],
  columns: { day: key(date) },
  format: ({ day }) => [{ day }],
});
const dim_tag = defineTable({
  name: "dim_tag",
  description: "One row per code of a tag.",
  source: tag,
  columns: { code: key(text) },
  format: ({ code }) => {
    refuse(code);
    return code === "none" ? [] : { code };
  },
});
const fact_visit = defineTable({
  name: "fact_visit",
  description: "One row per version of a visit.",
  source: visit,
  columns: { record_id: serial, place: key(text), at: key(timestamp), word: text },
  format: (row) => {
    refuse(row.word);
    return { ...row };
  },
});
const tables = tablesOf(fact_thing, dim_day, dim_tag, fact_visit);

/** A row of the quarantine, but for the moment since when it is there. */
interface Quarantined {
  readonly table_name: string;
  readonly source_name: string;
  readonly key: string;
  readonly reason: string;
  readonly batch: string;
  readonly first_batch: string;
  readonly row: string;
}

const quarantine = ({ star }: TestPipeline): Promise<Quarantined[]> =>
  star.any(
    `select table_name, source_name, key, reason, batch, first_batch, "row" from etl.quarantine order by 1, 2, 3`,
  );
/** `table source key`, of each. */
const held = async (p: TestPipeline): Promise<string[]> =>
  (await quarantine(p)).map((one) => `${one.table_name} ${one.source_name} ${one.key}`);

describe("the quarantine", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 0 });
  });
  beforeEach(async () => {
    await startAnew(p);
    await p.shop.none(
      `drop table if exists thing, other, tag, visit;
       create table thing (id int primary key, day text not null, word text not null);
       create table other (id int primary key, day text not null);
       create table tag (id int primary key, code text not null);
       create table visit (place text, at timestamp, word text not null, primary key (place, at));
       insert into thing values (1, '2024-01-01', 'a'), (2, '2024-01-02', 'b'), (3, '2024-01-03', 'c');
       insert into other values (1, '2024-01-01'), (2, '2024-02-01');
       insert into tag values (1, 'x'), (2, 'y')`,
    );
    await runWith(p, tables);
  });
  after(closeAll);

  it("is empty where all rows fit", async () => {
    expect(await held(p)).to.deep.equal([]);
    const { quarantine: now } = await loadWith(p, tables);
    expect(now).to.deep.equal({ rows: 0, age: 0 });
  });

  it("has a row that does not fit, with table, source, key, reason, batch, and what the source gave", async () => {
    await p.shop.none("update thing set word = 'bad one' where id = 2");
    await runWith(p, tables);
    const found = await quarantine(p);
    expect(
      found.map(({ row, ...rest }) => ({ ...rest, row: JSON.parse(row) as unknown })),
    ).to.deep.equal([
      {
        table_name: "fact_thing",
        source_name: "thing",
        key: "2",
        reason: "the word is bad one",
        batch: "2",
        first_batch: "2",
        row: { id: 2, day: "2024-01-02", word: "bad one" },
      },
    ]);
    const { ingested_at } = await p.processed(2);
    const { since } = await p.star.one<{ since: Date }>("select since from etl.quarantine");
    expect(since.toISOString()).to.equal(ingested_at);
  });

  it("keeps the first batch and moment of a row that is rejected again, for another reason", async () => {
    await p.shop.none("update thing set word = 'bad one' where id = 2");
    await runWith(p, tables);
    const since = await p.star.one("select since from etl.quarantine");
    await p.shop.none("update thing set word = 'bad two' where id = 2");
    await runWith(p, tables);
    const [row, ...more] = await quarantine(p);
    expect(more).to.deep.equal([]);
    expect(row).to.include({ reason: "the word is bad two", batch: "3", first_batch: "2" });
    expect(row!.row).to.include("bad two");
    expect(await p.star.one("select since from etl.quarantine")).to.deep.equal(since);
  });

  it("lets go of a row that was put right, and takes it in anew when it goes bad again", async () => {
    await p.shop.none("update thing set word = 'bad' where id in (1, 2)");
    await runWith(p, tables);
    await p.shop.none("update thing set word = 'good' where id = 2");
    await runWith(p, tables);
    expect(await held(p)).to.deep.equal(["fact_thing thing 1"]);
    await p.shop.none("update thing set word = 'bad again' where id = 2");
    await runWith(p, tables);
    const [, second] = await quarantine(p);
    expect(second).to.include({ key: "2", reason: "the word is bad again", first_batch: "4" });
  });

  it("tells apart the tables that a row fits and those that it does not", async () => {
    await p.shop.none(
      "update thing set day = 'never' where id = 1; update thing set word = 'bad' where id = 2; update thing set day = 'never', word = 'bad' where id = 3",
    );
    await runWith(p, tables);
    expect(await held(p)).to.deep.equal([
      "dim_day thing 1",
      "dim_day thing 3",
      "fact_thing thing 2",
      "fact_thing thing 3",
    ]);
    await p.shop.none("update thing set word = 'fits' where id = 3");
    await runWith(p, tables);
    expect(await held(p)).to.deep.equal([
      "dim_day thing 1",
      "dim_day thing 3",
      "fact_thing thing 2",
    ]);
    // The fact has no row of it, and the day fits.
    await p.shop.none("update thing set day = '2024-05-05', word = 'bad' where id = 3");
    await runWith(p, tables);
    expect(await held(p)).to.deep.equal([
      "dim_day thing 1",
      "fact_thing thing 2",
      "fact_thing thing 3",
    ]);
    await p.shop.none("update thing set day = '2024-05-05'");
    await runWith(p, tables);
    expect(await held(p)).to.deep.equal(["fact_thing thing 2", "fact_thing thing 3"]);
  });

  it("keeps a row through a batch that its table was not made of", async () => {
    await p.shop.none("update thing set day = 'never' where id = 1");
    await runWith(p, tables);
    // Read by code that does not know the table: the row is in the batch, and nobody has looked at its day.
    await p.shop.none("update thing set day = '2024-01-09' where id = 1");
    await ingestWith(
      p,
      tables.filter(({ name }) => name !== "dim_day"),
    );
    await transformWith(p, tables);
    await loadWith(p, tables);
    expect(await held(p)).to.deep.equal(["dim_day thing 1"]);
    await runWith(p, tables);
    expect(await held(p)).to.deep.equal([]);
  });

  for (const serves of ["other tables", "no table"])
    it(`lets go of a row that is gone, told in a batch that was made for ${serves}`, async () => {
      const limits = { rows: 1, bytes: 1 << 20 };
      const made = (version: number) =>
        serves === "no table"
          ? tablesOf(defineTable({ ...fact_thing, version }))
          : tablesOf(defineTable({ ...fact_thing, version }), dim_tag);
      await startAnew(p);
      await p.shop.none("update thing set word = 'bad' where id = 1");
      await ingestWith(p, made(1), {
        limits,
        goOn: () => false,
        named: new Map([["thing", [{ id: "1" }]]]),
      });
      await transformWith(p, made(1));
      await loadWith(p, made(1));
      expect(await held(p)).to.deep.equal(["fact_thing thing 1"]);
      // The run that is under way was begun with another module: its batches are not made for the new one.
      await p.shop.none("delete from thing where id = 1");
      await ingestWith(p, made(2), {
        limits,
        named: new Map([["thing", [{ id: "1" }]]]),
        repair: false,
        goOn: () => false,
      });
      await transformWith(p, made(2));
      await loadWith(p, made(2));
      const { fingerprints } = await p.processed((await p.keys("processed", "_loads/")).length);
      expect(Object.keys(fingerprints)).to.deep.equal(serves === "no table" ? [] : ["dim_tag"]);
      expect(await held(p)).to.deep.equal([]);
    });

  it("takes rows of two sources with one key for two", async () => {
    await p.shop.none(
      "update thing set day = 'never' where id = 1; update other set day = 'never'",
    );
    await runWith(p, tables);
    expect(await held(p)).to.deep.equal(["dim_day other 1", "dim_day other 2", "dim_day thing 1"]);
    await p.shop.none("update other set day = '2024-06-01' where id = 1");
    await runWith(p, tables);
    expect(await held(p)).to.deep.equal(["dim_day other 2", "dim_day thing 1"]);
  });

  it("lets go of a row that makes no star row any more", async () => {
    await p.shop.none("update thing set word = 'bad'; update tag set code = 'bad ' || id");
    await runWith(p, tables);
    expect(await held(p)).to.have.length(5);
    await p.shop.none(
      "update thing set word = case when id < 3 then 'none' else 'bad still' end; update tag set code = 'none' where id = 1",
    );
    await runWith(p, tables);
    expect(await held(p)).to.deep.equal(["dim_tag tag 2", "fact_thing thing 3"]);
  });

  it("lets go of a row whose source has no table that is keyed by it", async () => {
    await p.shop.none(
      "update tag set code = 'bad' where id = 2; update other set day = 'never' where id = 1",
    );
    await runWith(p, tables);
    expect(await held(p)).to.deep.equal(["dim_day other 1", "dim_tag tag 2"]);
    await p.shop.none("update tag set code = 'z' where id = 2");
    await runWith(p, tables);
    expect(await held(p)).to.deep.equal(["dim_day other 1"]);
  });

  it("knows keys of several columns, of any type and with any character", async () => {
    const place = `a'b"c\\d\te\nf\r\\.;{},é😀`;
    const long = "l".repeat(3000);
    await p.shop.none(
      "insert into visit values ($1, '2024-01-01 10:00:00.5', 'bad'), ($1, '2024-01-01 10:00:01', 'bad'), ($2, '2024-01-01 10:00', 'bad')",
      [place, long],
    );
    await runWith(p, tables);
    const keys = (await quarantine(p)).map((row) => row.key);
    expect(keys).to.have.length(3);
    expect(keys.map((one) => one.length < 300)).to.deep.equal([true, true, true]);
    expect(keys).to.include(JSON.stringify([place, "2024-01-01 10:00:00.500000"]));
    await p.shop.none("update visit set word = 'good' where at <> '2024-01-01 10:00:01'");
    await runWith(p, tables);
    const left = await quarantine(p);
    expect(left.map((row) => row.key)).to.deep.equal([
      JSON.stringify([place, "2024-01-01 10:00:01.000000"]),
    ]);
    expect((JSON.parse(left[0]!.row) as { place: string }).place).to.equal(place);
  });

  it("forgets rows of a table that no module declares any more, and of a source that it has no more", async () => {
    await p.shop.none(
      "update tag set code = 'bad'; update other set day = 'never'; update thing set day = 'never'",
    );
    await runWith(p, tables);
    expect(await held(p)).to.have.length(2 + 2 + 3);
    const fewer = tablesOf(fact_thing, defineTable({ ...dim_day, source: thing }), fact_visit);
    await p.star.none(
      "update etl.quarantine set since = now() - interval '1 h' where source_name = 'other'",
    );
    const { quarantine: now } = await loadWith(p, fewer);
    expect(now.rows).to.equal(3);
    expect(now.age).to.be.lessThan(600);
    // A loader that is older than the code that read them says nothing yet.
    expect(await held(p)).to.have.length(2 + 2 + 3);
    expect((await loadWith(p, tables)).quarantine.rows).to.equal(2 + 2 + 3);
    await runWith(p, fewer);
    expect(await held(p)).to.deep.equal(["dim_day thing 1", "dim_day thing 2", "dim_day thing 3"]);
  });

  it("keeps rows of a table that a loader of older code does not declare, whatever that loads", async () => {
    await p.shop.none("update thing set day = 'never' where id = 1");
    await runWith(p, tables);
    const older = tablesOf(fact_thing, dim_tag, fact_visit);
    await p.shop.none("update thing set word = 'other' where id in (1, 2)");
    await ingestWith(p, tables);
    await transformWith(p, tables);
    const { loaded } = await loadWith(p, older);
    expect(loaded).to.have.length(1);
    expect(await held(p)).to.deep.equal(["dim_day thing 1"]);
    await p.shop.none("update thing set day = '2024-01-09' where id = 1");
    await runWith(p, tables);
    expect(await held(p)).to.deep.equal([]);
  });

  it("says how many rows it has, and since when", async () => {
    await p.shop.none("update thing set word = 'bad'");
    await runWith(p, tables);
    await p.star.none("update etl.quarantine set since = now() - interval '90 s' where key = '2'");
    const { quarantine: now } = await loadWith(p, tables);
    expect(now.rows).to.equal(3);
    expect(now.age).to.be.within(90, 120);
    const { receipt } = await p.star.one<{ receipt: object }>(
      "select receipt from etl.batch_load order by batch desc limit 1",
    );
    expect(receipt).to.include({ rejected: 3, quarantined: 3 });
    // From a clock that is ahead.
    await p.star.none("update etl.quarantine set since = now() + interval '1 h'");
    expect((await loadWith(p, tables)).quarantine).to.deep.equal({ rows: 3, age: 0 });
  });

  it("ends the same when a loader dies in a batch and when all is loaded again from the lake", async () => {
    await p.shop.none("update thing set word = 'bad one' where id in (1, 2)");
    await ingestWith(p, tables);
    await p.shop.none(
      "update thing set word = 'good' where id = 1; update thing set word = 'bad two' where id = 2",
    );
    await ingestWith(p, tables);
    await p.shop.none(
      "update thing set word = 'bad three' where id = 1; update tag set code = 'bad'",
    );
    await ingestWith(p, tables);
    await transformWith(p, tables);
    // At the last statement of each batch's transaction.
    await p.star.none(
      `create function public.die() returns trigger language plpgsql as $$ begin raise 'died'; end $$;
       create trigger die before insert on etl.batch_load for each row when (new.batch = 3) execute function public.die()`,
    );
    await expect(loadWith(p, tables)).to.be.rejectedWith("died");
    expect(await held(p)).to.deep.equal(["fact_thing thing 1", "fact_thing thing 2"]);
    await p.star.none("drop function public.die() cascade");
    await loadWith(p, tables);
    const all = `select q.*, q.since::text from etl.quarantine q order by 1, 2, 3`;
    const once = await p.star.any(all);
    expect(await held(p)).to.deep.equal([
      "dim_tag tag 1",
      "dim_tag tag 2",
      "fact_thing thing 1",
      "fact_thing thing 2",
    ]);
    const [, , first, second] = await quarantine(p);
    expect(first).to.include({ first_batch: "4", batch: "4" });
    expect(second).to.include({ first_batch: "2", batch: "3", reason: "the word is bad two" });
    await p.star.none("drop schema public cascade; drop schema etl cascade; create schema public");
    await loadWith(p, tables);
    expect(await p.star.any(all)).to.deep.equal(once);
  });

  it("stops at a rejected object that is not what was committed, and nothing of the batch is loaded", async () => {
    await p.shop.none(
      "update thing set word = 'bad' where id = 1; update thing set word = 'good' where id = 2",
    );
    await ingestWith(p, tables);
    await transformWith(p, tables);
    const [object] = (await p.processed(2)).rejected;
    const body = await p.get("processed", object!.key);
    await p.put("processed", object!.key, gzipSync("{}\n"));
    await refusal(
      p,
      () => loadWith(p, tables),
      /_rejected\/fact_thing\/.* is not what was committed/,
    );
    await p.put("processed", object!.key, body);
    await loadWith(p, tables);
    expect(await held(p)).to.deep.equal(["fact_thing thing 1"]);
  });

  it("reads lines from before they said which source they are of", async () => {
    await p.shop.none(
      "update thing set day = 'never' where id = 1; update other set day = 'never' where id = 2",
    );
    await ingestWith(p, tables);
    await transformWith(p, tables);
    const manifest = await p.processed(2);
    const rejected: ProcessedManifest["rejected"] = [];
    for (const object of manifest.rejected) {
      const lines = gunzipSync(await p.get("processed", object.key))
        .toString()
        .trimEnd()
        .split("\n");
      const old = lines.map((line) => {
        const { source: _, ...rest } = JSON.parse(line) as Record<string, unknown>;
        return `${JSON.stringify(rest)}\n`;
      });
      const body = gzipSync(old.join(""));
      await p.put("processed", object.key, body);
      rejected.push({ ...object, bytes: body.length, sha256: sha256(body) });
    }
    const { driven: _, fingerprints: __, ...old } = { ...manifest, rejected };
    await p.put("processed", manifestKey(2), `${JSON.stringify(old)}\n`);
    await loadWith(p, tables);
    // A row of `thing` has the columns of `other` too: the first source whose columns are all there is taken.
    expect(await held(p)).to.deep.equal(["dim_day other 2", "dim_day thing 1"]);
  });

  it("leaves rows without a key out of a retry, and says how many; a text that says null is one", async () => {
    await p.shop.none(
      `drop view if exists seen; drop view if exists told;
       create view seen as select k, word from (values (null::int, 'bad'), (1, 'bad')) v(k, word);
       create view told as select k, word from (values ('null', 'bad'), (null, 'bad')) v(k, word) where k is not null`,
    );
    const seen = defineSource("seen", { k: key(integer), word: text }, { changes: full });
    const told = defineSource("told", { k: key(text), word: text }, { changes: full });
    const format = ({ word }: { word: string }): [] => {
      refuse(word);
      return [];
    };
    const views = tablesOf(
      defineTable({
        name: "dim_seen",
        description: "One row per row seen.",
        source: seen,
        columns: { k: key(integer) },
        format,
      }),
      defineTable({
        name: "dim_told",
        description: "One row per row told.",
        source: told,
        columns: { k: key(text) },
        format,
      }),
    );
    await runWith(p, views);
    expect(await held(p)).to.deep.equal([
      "dim_seen seen 1",
      "dim_seen seen null",
      "dim_told told null",
    ]);
    const open = () => getConnection({ ...p.users.reader, schema: "public" });
    const warehouse = await getConnection({ ...p.users.loader, schema: "public" });
    try {
      const retry = (reason?: string) =>
        retryQuarantined(warehouse, open, p.env.INGESTION_BUCKET, views, { reason });
      expect(await retry()).to.deep.include({
        named: { seen: 1, told: 1 },
        deleted: {},
        leftOut: 1,
      });
      await p.star.none(
        "update etl.quarantine set reason = 'alone' where source_name = 'seen' and key = 'null'",
      );
      await expect(retry("alone")).to.be.rejectedWith("no key names the rows in quarantine (1)");
    } finally {
      await warehouse.close();
    }
  });

  it("takes in fifty thousand rows at once, and lets them go", async () => {
    await p.shop.none(
      "insert into thing select n, '2024-01-01', 'bad ' || repeat('w', 200) from generate_series(10, 50009) n",
    );
    await runWith(p, tables);
    expect(await p.star.one("select count(*)::int as n from etl.quarantine")).to.deep.equal({
      n: 50_000,
    });
    await p.shop.none("update thing set word = 'good' where id >= 10 and id <> 777");
    const { quarantine: now } = await runWith(p, tables).then(() => loadWith(p, tables));
    expect(now.rows).to.equal(1);
    expect(await held(p)).to.deep.equal(["fact_thing thing 777"]);
  });
});

describe("what a formatter throws", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 0 });
  });
  after(closeAll);

  const mute = { toString: () => ({}) };
  const THROWN: [what: string, thrown: unknown, reason: string][] = [
    ["null", null, "null"],
    ["undefined", undefined, "undefined"],
    ["a text", "no", "no"],
    ["a symbol", Symbol("s"), "Symbol(s)"],
    ["a bigint", 1n, "1"],
    [
      "an object without a prototype",
      Object.create(null),
      "the formatter threw something that has no text",
    ],
    ["an object whose text is none", mute, "the formatter threw something that has no text"],
    ["an Error whose message is no text", Object.assign(new Error(), { message: 7n }), "7"],
    [
      "an Error whose message cannot be read",
      Object.defineProperty(new Error(), "message", { get: () => expect.fail("never") }),
      "the formatter threw something that has no text",
    ],
    ["characters that PostgreSQL has not", new Error("a\0b\ud800c"), "a\ufffdb\ufffdc"],
    ["the marks of COPY", new Error("a\tb\\N\nc\r\\.\n"), "a\tb\\N\nc\r\\.\n"],
    ["SQL", new Error("'); drop table etl.quarantine; --"), "'); drop table etl.quarantine; --"],
    ["a book", new Error("x".repeat(3_000_000)), "x".repeat(2000)],
  ];

  it("is the reason, whatever it is", async () => {
    const one = defineSource("one", { id: key(integer), word: text });
    await p.shop.none(
      `create table one (id int primary key, word text not null);
       insert into one select n, E'\\\\ \\t \\n \\r \\\\. \\\\N '' " \\u2028 😀' from generate_series(0, $1) n`,
      [THROWN.length - 1],
    );
    const throwing = tablesOf(
      defineTable({
        name: "fact_one",
        description: "One row per one.",
        source: one,
        columns: { record_id: serial, id: key(integer) },
        format: ({ id }) => {
          throw THROWN[id]![1];
        },
      }),
    );
    await runWith(p, throwing);
    const found = await p.star.any<{ key: string; reason: string; row: string }>(
      `select key, reason, "row" from etl.quarantine order by key::int`,
    );
    expect(
      Object.fromEntries(found.map((row) => [THROWN[Number(row.key)]![0], row.reason])),
    ).to.deep.equal(Object.fromEntries(THROWN.map(([what, , reason]) => [what, reason])));
    for (const { row, key: id } of found)
      expect(JSON.parse(row)).to.deep.equal({
        id: Number(id),
        word: `\\ \t \n \r \\. \\N ' " \u2028 😀`,
      });
    expect(
      await p.star.any(`select "row"::json ->> 'id' as id from etl.quarantine`),
    ).to.have.length(THROWN.length);
  });
});
