// Rows that are gone from the source: what the lake says of them, and what each star table does.
import fc from "fast-check";
import { codecNamed } from "../../src/parquet/codec.ts";
import type { Key } from "../../src/ingestion/keyset.ts";
import { manifestKey } from "../../src/lake/keys.ts";
import { getConnection } from "../../src/postgres/connection.ts";
import { findDeleted } from "../../src/reconciliation/deletes.ts";
import {
  bigint,
  date,
  decimal,
  defineSource,
  defineTable,
  detect,
  integer,
  key,
  nullable,
  references,
  serial,
  text,
  timestamptz,
  type Columns,
  type Deleted,
  type Table,
} from "../../src/table.ts";
import { storedOf } from "../../src/vectors.ts";
import { failureOf } from "../support/attack.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, startAnew, type TestPipeline } from "../support/pipeline.ts";
import { ingestWith, loadWith, runWith, tablesOf, transformWith } from "../support/stages.ts";

const place = defineSource("place", { place_id: key(integer), word: text });
const thing = defineSource("thing", {
  thing_id: key(integer),
  place_id: nullable(integer),
  word: text,
});

/** Places, and things in them as facts: each table with its policy. */
const schema = (places: Deleted, things: Deleted): readonly Table[] =>
  tablesOf(
    defineTable({
      name: "dim_place",
      description: "One row per place.",
      source: place,
      deleted: places,
      columns: { id: key(integer), word: text, size: integer },
      format: ({ place_id, word }) => ({ id: place_id, word, size: word.length }),
    }),
    defineTable({
      name: "fact_thing",
      description: "One row per version of a thing.",
      source: thing,
      deleted: things,
      columns: {
        record_id: serial,
        thing_id: key(integer),
        place_id: nullable(references("dim_place", integer)),
        word: text,
      },
      format: (row) => ({ ...row }),
    }),
  );

const SHOP = `
  drop table if exists place, thing;
  create table place (place_id int primary key, word text not null);
  create table thing (thing_id int primary key, place_id int, word text not null);
  insert into place values (1, 'one'), (2, 'two'), (3, 'three');
  insert into thing values (1, 1, 'a'), (2, 1, 'b'), (3, null, 'c')`;

describe("rows that are gone", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 0 });
  });
  after(closeAll);
  beforeEach(async () => {
    await p.shop.none(SHOP);
    await startAnew(p);
  });

  const named = (rows: Readonly<Record<string, readonly (number | Key)[]>>): Map<string, Key[]> =>
    new Map(
      Object.entries(rows).map(([table, keys]) => [
        table,
        keys.map((one) => (typeof one === "number" ? { [`${table}_id`]: String(one) } : one)),
      ]),
    );

  /** A run that names these rows. @returns what the loader did with the batch that has them */
  async function name(
    tables: readonly Table[],
    rows: Parameters<typeof named>[0],
    { repair = true } = {},
  ) {
    await ingestWith(p, tables, { named: named(rows), repair });
    await transformWith(p, tables);
    const { loaded } = await loadWith(p, tables);
    return loaded[0]!;
  }

  const places = () => p.star.any<Record<string, unknown>>("select * from dim_place order by id");
  /** Each version of each thing, whether it says that the thing is gone. */
  const things = async (): Promise<[number, string, boolean?][]> => {
    const found = await p.star.any<{ thing_id: number; word: string; deleted_at?: Date | null }>(
      "select * from fact_thing order by thing_id, record_id",
    );
    return found.map(({ thing_id, word, deleted_at }) =>
      deleted_at === undefined ? [thing_id, word] : [thing_id, word, deleted_at !== null],
    );
  };

  describe("of a dimension", () => {
    it("stay where it keeps them", async () => {
      const tables = schema("keep", "keep");
      await runWith(p, tables);
      const before = await places();
      await p.shop.none("delete from place where place_id = 3");
      const loaded = await name(tables, { place: [3] }, { repair: false });
      expect(loaded).to.deep.include({ kind: "changes", deleted: {} });
      expect(await places()).to.deep.equal(before);
    });

    it("are marked with the moment of their batch where it marks them, and only once", async () => {
      const tables = schema("mark", "keep");
      await runWith(p, tables);
      expect((await places()).map(({ deleted_at }) => deleted_at)).to.deep.equal([
        null,
        null,
        null,
      ]);
      await p.shop.none("delete from place where place_id > 1");
      const loaded = await name(tables, { place: [2, 3] }, { repair: false });
      expect(loaded).to.deep.include({ deleted: { dim_place: 2 }, inferred: {} });
      const { committed_at } = await p.ingested(2);
      const marked = await places();
      expect(marked).to.deep.equal([
        { id: 1, word: "one", size: 3, deleted_at: null },
        { id: 2, word: "two", size: 3, deleted_at: new Date(committed_at) },
        { id: 3, word: "three", size: 5, deleted_at: new Date(committed_at) },
      ]);
      expect((await name(tables, { place: [2, 3] })).deleted).to.deep.equal({ dim_place: 0 });
      expect(await places()).to.deep.equal(marked);
    });

    it("leave it where it removes them, but for those that facts refer to: inferred members again", async () => {
      const tables = schema("remove", "keep");
      await runWith(p, tables);
      await p.shop.none("delete from place");
      const loaded = await name(tables, { place: [1, 2, 3] }, { repair: false });
      expect(loaded).to.deep.include({ deleted: { dim_place: 3 }, inferred: { dim_place: 1 } });
      expect(await places()).to.deep.equal([{ id: 1, word: "unknown", size: 0 }]);
      const again = await name(tables, { place: [1, 2, 3] });
      expect(again).to.deep.include({ deleted: { dim_place: 0 }, inferred: {} });
    });

    it("leave it in a repair where it keeps them, too", async () => {
      const tables = schema("keep", "keep");
      await runWith(p, tables);
      await p.shop.none("delete from place where place_id <> 2");
      const loaded = await name(tables, { place: [1, 3] });
      expect(loaded).to.deep.include({
        kind: "resync",
        deleted: { dim_place: 2 },
        inferred: { dim_place: 1 },
      });
      expect(await places()).to.deep.equal([
        { id: 1, word: "unknown", size: 0 },
        { id: 2, word: "two", size: 3 },
      ]);
    });

    it("are removed with the facts that alone referred to them", async () => {
      const tables = schema("remove", "remove");
      await runWith(p, tables);
      await p.shop.none(
        "delete from place where place_id = 1; delete from thing where place_id = 1",
      );
      const loaded = await name(tables, { place: [1], thing: [1, 2] }, { repair: false });
      expect(loaded).to.deep.include({ deleted: { dim_place: 1, fact_thing: 2 }, inferred: {} });
      expect((await places()).map(({ id }) => id)).to.deep.equal([2, 3]);
      expect(await things()).to.deep.equal([[3, "c"]]);
    });

    for (const policy of ["mark", "remove"] as const)
      it(`are live again when they come back, where it would ${policy} them`, async () => {
        const tables = schema(policy, "keep");
        await runWith(p, tables);
        await p.shop.none("delete from place where place_id in (1, 3)");
        await name(tables, { place: [1, 3] });
        await p.shop.none("insert into place values (1, 'one again'), (3, 'three')");
        await runWith(p, tables);
        const back = await places();
        expect(back.map(({ id, word }) => [id, word])).to.deep.equal([
          [1, "one again"],
          [2, "two"],
          [3, "three"],
        ]);
        expect(back.every(({ deleted_at = null }) => deleted_at === null)).to.equal(true);
      });
  });

  describe("of a fact", () => {
    it("stay where it keeps them", async () => {
      const tables = schema("keep", "keep");
      await runWith(p, tables);
      const before = await things();
      await p.shop.none("delete from thing where thing_id = 1");
      expect((await name(tables, { thing: [1] }, { repair: false })).deleted).to.deep.equal({});
      expect(await things()).to.deep.equal(before);
    });

    it("get a version that says so where it marks them, and only one", async () => {
      const tables = schema("keep", "mark");
      await runWith(p, tables);
      await p.shop.none("update thing set word = 'b2' where thing_id = 2");
      await runWith(p, tables);
      await p.shop.none("delete from thing where thing_id < 3");
      const { deleted } = await name(tables, { thing: [1, 2] }, { repair: false });
      expect(deleted).to.deep.equal({ fact_thing: 2 });
      const marked: [number, string, boolean][] = [
        [1, "a", false],
        [1, "a", true],
        [2, "b", false],
        [2, "b2", false],
        [2, "b2", true],
        [3, "c", false],
      ];
      expect(await things()).to.deep.equal(marked);
      expect((await name(tables, { thing: [1, 2] })).deleted).to.deep.equal({ fact_thing: 0 });
      expect(await things()).to.deep.equal(marked);
    });

    it("leave it with all their versions where it removes them, and in a repair", async () => {
      for (const [policy, repair] of [
        ["remove", false],
        ["keep", true],
      ] as const) {
        const tables = schema("keep", policy);
        await p.shop.none(SHOP);
        await startAnew(p);
        await runWith(p, tables);
        await p.shop.none("update thing set word = 'a2' where thing_id = 1");
        await runWith(p, tables);
        await p.shop.none("delete from thing where thing_id < 3");
        const { deleted } = await name(tables, { thing: [1, 2] }, { repair });
        expect(deleted).to.deep.equal({ fact_thing: 2 });
        expect(await things()).to.deep.equal([[3, "c"]]);
      }
    });

    it("have a version more when they come back, the same or another", async () => {
      const tables = schema("keep", "mark");
      await runWith(p, tables);
      await p.shop.none("delete from thing");
      await name(tables, { thing: [1, 2, 3] });
      await p.shop.none("insert into thing values (1, 1, 'a'), (2, 1, 'new')");
      await runWith(p, tables);
      expect(await things()).to.deep.equal([
        [1, "a", false],
        [1, "a", true],
        [1, "a", false],
        [2, "b", false],
        [2, "b", true],
        [2, "new", false],
        [3, "c", false],
        [3, "c", true],
      ]);
    });

    it("are there, where they came back before the run that was told of them", async () => {
      const tables = schema("mark", "mark");
      await runWith(p, tables);
      await p.shop.none(
        "delete from thing where thing_id = 1; insert into thing values (1, 2, 'a')",
      );
      const { deleted } = await name(tables, { thing: [1], place: [1] });
      expect(deleted).to.deep.equal({});
      expect(await things()).to.deep.include.members([
        [1, "a", false],
        [1, "a", false],
      ]);
    });

    it("are marked after their last version, where that is not loaded yet", async () => {
      const tables = schema("keep", "mark");
      await runWith(p, tables);
      await p.shop.none("update thing set word = 'last' where thing_id = 1");
      await ingestWith(p, tables);
      await p.shop.none("delete from thing where thing_id = 1");
      await name(tables, { thing: [1] });
      expect((await things()).slice(0, 3)).to.deep.equal([
        [1, "a", false],
        [1, "last", false],
        [1, "last", true],
      ]);
    });

    it("that were never loaded leave no trace", async () => {
      const tables = schema("mark", "mark");
      await runWith(p, tables);
      const before = [await places(), await things()];
      const { deleted } = await name(tables, { thing: [77], place: [78] });
      expect(deleted).to.deep.equal({ fact_thing: 0, dim_place: 0 });
      expect([await places(), await things()]).to.deep.equal(before);
    });
  });

  describe("in the lake", () => {
    it("are told of each star table that is keyed by the source, whatever it does with them", async () => {
      const tables = schema("keep", "mark");
      await runWith(p, tables);
      await p.shop.none("delete from place where place_id = 2");
      await name(tables, { place: [2, 99], thing: [98] }, { repair: false });
      const { deleted, ingested_at } = await p.processed(2);
      expect(deleted.map(({ table, rows }) => [table, rows])).to.have.deep.members([
        ["dim_place", 2],
        ["fact_thing", 1],
      ]);
      const object = deleted.find(({ table }) => table === "dim_place")!;
      expect(object.key).to.match(
        /^_deleted\/dim_place\/\d{4}\/\d\d\/\d\d\/0000000002-[0-9a-f]{12}\.parquet$/,
      );
      const codec = await codecNamed();
      const columns = [
        { name: "id", type: "integer", nullable: false, fieldId: 1 },
        { name: "deleted_at", type: "timestamptz", nullable: false, fieldId: 2 },
        { name: "_batch", type: "bigint", nullable: false, fieldId: 3 },
      ] as const;
      const [ids, at, batch] = await codec.read(await p.get("processed", object.key), columns);
      expect(storedOf(ids!)).to.have.members([2, 99]);
      expect(new Set(storedOf(at!))).to.deep.equal(
        new Set([BigInt(Date.parse(ingested_at)) * 1000n]),
      );
      expect(storedOf(batch!)).to.deep.equal([2n, 2n]);
    });

    it("are verified: a changed object stops its batch", async () => {
      const tables = schema("mark", "mark");
      await runWith(p, tables);
      await p.shop.none("delete from thing where thing_id = 1");
      await ingestWith(p, tables, { named: named({ thing: [1] }) });
      await transformWith(p, tables);
      const [object] = (await p.processed(2)).deleted;
      const bytes = await p.get("processed", object!.key);
      await p.put("processed", object!.key, Buffer.concat([bytes, Buffer.of(0)]));
      const error = await failureOf(loadWith(p, tables));
      expect(error.name).to.equal("ObjectError");
      expect(error.message).to.contain(object!.key);
      await p.put("processed", object!.key, bytes);
      await loadWith(p, tables);
      expect((await things())[1]).to.deep.equal([1, "a", true]);
    });

    it("are none in manifests from before they could be told", async () => {
      const tables = schema("mark", "mark");
      await ingestWith(p, tables);
      await transformWith(p, tables);
      const manifest = (await p.get("processed", manifestKey(1))).toString();
      expect(manifest).to.contain('"deleted":[],');
      await p.put("processed", manifestKey(1), manifest.replace('"deleted":[],', ""));
      await loadWith(p, tables);
      expect(await things()).to.have.length(3);
    });

    it("of a key that the table has no more are left alone", async () => {
      const tables = schema("keep", "mark");
      await runWith(p, tables);
      await p.shop.none("delete from place where place_id = 2");
      await ingestWith(p, tables, { named: named({ place: [2] }) });
      await transformWith(p, tables);
      const renamed = tablesOf(
        defineTable({
          name: "dim_place",
          description: "One row per place.",
          source: place,
          deleted: "remove",
          columns: { place_key: key(integer), word: text, size: integer },
          format: ({ place_id, word }) => ({ place_key: place_id, word, size: 0 }),
        }),
      );
      await p.star.none(
        "insert into dim_place values (0, 'zero', 0); alter table dim_place rename id to place_key",
      );
      await loadWith(p, renamed);
      const { n } = await p.star.one<{ n: string }>("select count(*) n from dim_place");
      expect(n).to.equal("4");
    });
  });

  it("are told once however often, in whatever order and by however many functions", async () => {
    const tables = schema("remove", "mark");
    await runWith(p, tables);
    await p.shop.none("delete from thing where thing_id = 1; delete from place where place_id = 3");
    await ingestWith(p, tables, { named: named({ thing: [1], place: [3] }) });
    await p.shop.none(
      "insert into thing values (1, 2, 'back'); insert into place values (3, 'back')",
    );
    await ingestWith(p, tables);
    await Promise.all([transformWith(p, tables), transformWith(p, tables)]);
    await Promise.all([loadWith(p, tables), loadWith(p, tables)]);
    await transformWith(p, tables);
    await loadWith(p, tables);
    expect((await things()).filter(([id]) => id === 1)).to.deep.equal([
      [1, "a", false],
      [1, "a", true],
      [1, "back", false],
    ]);
    expect((await places()).at(-1)).to.deep.equal({ id: 3, word: "back", size: 4 });
  });

  it("stay as they are where the loader dies after them: it does all of the batch again", async () => {
    const tables = schema("remove", "remove");
    await runWith(p, tables);
    await p.shop.none("delete from thing; delete from place");
    await ingestWith(p, tables, { named: named({ thing: [1, 2, 3], place: [1, 2, 3] }) });
    await transformWith(p, tables);
    // The last statement of a batch fails.
    await p.star.none("alter table etl.batch_load add constraint no check (batch < 2)");
    await failureOf(loadWith(p, tables));
    expect([(await things()).length, (await places()).length]).to.deep.equal([3, 3]);
    await p.star.none("alter table etl.batch_load drop constraint no");
    await loadWith(p, tables);
    expect([await things(), await places()]).to.deep.equal([[], []]);
  });

  it("want DELETE of the loader where they are removed, and no more where they are marked", async () => {
    const plain = schema("keep", "mark");
    await runWith(p, plain);
    await p.star.none(
      `drop role if exists loader_${process.pid}; create role loader_${process.pid} login password 'x';
       grant usage on schema public, etl to loader_${process.pid};
       grant select, insert, update on all tables in schema public, etl to loader_${process.pid};
       grant usage on all sequences in schema public to loader_${process.pid}`,
    );
    const loader = { ...p.users.loader, user: `loader_${process.pid}`, password: "x" };
    const asLoader = { ...p, users: { ...p.users, loader } };
    await p.shop.none("delete from thing where thing_id = 3; delete from place where place_id = 3");
    await ingestWith(p, plain, { named: named({ thing: [3] }), repair: false });
    await transformWith(p, plain);
    // Every loader takes rows out of these two.
    for (const one of ["inferred_member", "quarantine"]) {
      expect((await failureOf(loadWith(asLoader, plain))).message).to.match(
        new RegExp(
          `^permission denied for etl\\.${one}, .* SELECT, INSERT, UPDATE, DELETE ON "etl"\\."${one}" to this user$`,
        ),
      );
      await p.star.none(`grant delete on etl.${one} to loader_${process.pid}`);
    }
    await loadWith(asLoader, plain);
    expect((await things()).at(-1)).to.deep.equal([3, "c", true]);
    await ingestWith(p, plain, { named: named({ place: [3] }) });
    await transformWith(p, plain);
    const error = await failureOf(loadWith(asLoader, plain));
    expect(error.message).to.match(
      /^dim_place: permission denied.*; GRANT DELETE on it to this user$/,
    );
    await p.star.none(`grant delete on dim_place to loader_${process.pid}`);
    await loadWith(asLoader, plain);
    expect((await places()).map(({ id }) => id)).to.deep.equal([1, 2]);
    await p.star.none(`drop owned by loader_${process.pid}; drop role loader_${process.pid}`);
  });

  it("that another table's rows refer to by a foreign key of its own become inferred members", async () => {
    const tables = schema("remove", "keep");
    await runWith(p, tables);
    await p.star.none(
      "create table theirs (id int references dim_place); insert into theirs values (3)",
    );
    await p.shop.none("delete from place where place_id > 1");
    const loaded = await name(tables, { place: [2, 3] });
    expect(loaded).to.deep.include({ deleted: { dim_place: 2 }, inferred: { dim_place: 1 } });
    expect(await places()).to.deep.equal([
      { id: 1, word: "one", size: 3 },
      { id: 3, word: "unknown", size: 0 },
    ]);
  });

  it("become inferred members, too, where a table with a foreign key cannot be read", async () => {
    const tables = schema("remove", "keep");
    await runWith(p, tables);
    await p.star.none(
      "create schema if not exists hidden; create table hidden.theirs (id int references dim_place)",
    );
    await p.star.none(
      `drop role if exists blind_${process.pid}; create role blind_${process.pid} login password 'x';
       grant usage on schema public, etl to blind_${process.pid};
       grant select, insert, update, delete on all tables in schema public, etl to blind_${process.pid};
       grant usage on all sequences in schema public to blind_${process.pid}`,
    );
    await p.shop.none("delete from place where place_id = 3");
    await ingestWith(p, tables, { named: named({ place: [3] }) });
    await transformWith(p, tables);
    const loader = { ...p.users.loader, user: `blind_${process.pid}`, password: "x" };
    await loadWith({ ...p, users: { ...p.users, loader } }, tables);
    expect((await places()).at(-1)).to.deep.equal({ id: 3, word: "unknown", size: 0 });
    await p.star.none(
      `drop schema hidden cascade; drop owned by blind_${process.pid}; drop role blind_${process.pid}`,
    );
  });

  it("of a key of several columns that somebody else's table refers to are named by all of them", async () => {
    await p.shop.none(
      `drop table if exists item; create table item (a int, b text, word text not null, primary key (a, b));
       insert into item values (1, 'x', 'w'), (1, 'y', 'w')`,
    );
    const columns = { a: key(integer), b: key(text), word: text };
    const item = defineSource("item", columns, { deletes: detect });
    const tables = tablesOf(
      defineTable({
        name: "dim_item",
        description: "One row per item.",
        source: item,
        deleted: "remove",
        columns: { a: key(integer), b: key(text), word: text },
        format: (row) => ({ ...row }),
      }),
    );
    await runWith(p, tables);
    await p.star.none(
      `create table theirs (a int, b text, foreign key (a, b) references dim_item);
       insert into theirs values (1, 'y')`,
    );
    await p.shop.none("delete from item");
    const keys = ["x", "y"].map((b) => ({ a: "1", b }));
    expect((await name(tables, { item: keys })).deleted).to.deep.equal({ dim_item: 2 });
    const members = await p.star.any<{ key: string }>("select key from etl.inferred_member");
    expect(members.map((one) => JSON.parse(one.key) as unknown)).to.deep.equal([["1", "y"]]);
    expect(await p.star.any("select * from dim_item")).to.deep.equal([
      { a: 1, b: "y", word: "unknown" },
    ]);
    // Detection does not find it gone again.
    const open = (user: keyof typeof p.users) => () =>
      getConnection({ ...p.users[user], schema: "public" });
    const buckets = { ingestion: p.env.INGESTION_BUCKET, processed: p.env.PROCESSED_BUCKET };
    const sides = { source: open("reader"), warehouse: open("loader"), buckets, tables };
    expect((await findDeleted(sides)).map(({ gone }) => gone)).to.deep.equal([0]);
    await p.shop.none("insert into item values (1, 'y', 'back')");
    await runWith(p, tables);
    expect(await p.star.any("select key from etl.inferred_member")).to.deep.equal([]);
  });

  it("are removed without a look at all facts for each, and a trigger of somebody else's runs all the same", async () => {
    const tables = schema("remove", "keep");
    await p.shop.none("insert into place select i, 'x' from generate_series(10, 1009) i");
    await runWith(p, tables);
    await p.star.none(
      "insert into fact_thing (thing_id, place_id, word) select i, 2, '' from generate_series(10, 20000) i",
    );
    await p.shop.none("delete from place where place_id >= 510");
    const many = Array.from({ length: 500 }, (_, i) => i + 510);
    const scans = async (): Promise<number> => {
      const { n } = await p.star.one<{ n: string }>(
        "select seq_scan as n from pg_stat_user_tables where relname = 'fact_thing'",
      );
      return Number(n);
    };
    const before = await scans();
    const { deleted } = await name(tables, { place: many });
    expect((await scans()) - before).to.be.lessThan(50);
    expect(deleted).to.deep.equal({ dim_place: 500 });
    await p.star.none(
      `create table told (id int); create function tell() returns trigger language plpgsql as
         'begin insert into public.told values (old.id); return old; end';
       create trigger tell before delete on dim_place for each row execute function tell()`,
    );
    await p.shop.none("delete from place where place_id = 11");
    await name(tables, { place: [11] });
    expect(await p.star.any("select id from told")).to.deep.equal([{ id: 11 }]);
  });

  it("refer to placeholders when they become inferred members themselves", async () => {
    const street = defineSource("place", { place_id: key(integer), word: text });
    const city = defineSource("city", { city_id: key(integer) });
    await p.shop.none(
      "drop table if exists city; create table city (city_id int primary key); insert into city values (5)",
    );
    const tables = tablesOf(
      defineTable({
        name: "dim_city",
        description: "One row per city.",
        source: city,
        columns: { city_id: key(integer) },
        format: (row) => ({ ...row }),
      }),
      defineTable({
        name: "dim_place",
        description: "One row per place.",
        source: street,
        deleted: "remove",
        columns: { id: key(integer), city_id: references("dim_city", integer) },
        format: ({ place_id }) => ({ id: place_id, city_id: 5 }),
      }),
      defineTable({
        name: "fact_thing",
        description: "One row per version of a thing.",
        source: thing,
        columns: {
          record_id: serial,
          thing_id: key(integer),
          place_id: nullable(references("dim_place", integer)),
        },
        format: ({ thing_id, place_id }) => ({ thing_id, place_id }),
      }),
    );
    await runWith(p, tables);
    await p.shop.none("delete from place where place_id = 1");
    await name(tables, { place: [1] });
    expect(await places()).to.deep.equal([
      { id: 1, city_id: 0 },
      { id: 2, city_id: 5 },
      { id: 3, city_id: 5 },
    ]);
  });

  describe("by keys", () => {
    const HOSTILE = [
      "it's",
      '"',
      "\\",
      "'; drop table dim_item; --",
      "é😀",
      " a ",
      "a\tb",
      "{1,2}",
      "null",
      "",
    ];
    const kinds: [type: string, column: Columns[string], there: string[]][] = [
      ["text", key(text), HOSTILE],
      ["bigint", key(bigint), ["9007199254740993", "9007199254740992"]],
      ["numeric(20,2)", key(decimal(20, 2)), ["1.50", "900719925474099.30"]],
      ["date", key(date), ["2026-01-01", "0001-01-01"]],
      [
        "timestamptz",
        key(timestamptz),
        ["2026-01-01 00:00:00.000001+00", "2026-01-01 00:00:00+00"],
      ],
      [
        "uuid",
        key(text),
        ["6f1c2b1e-58a5-4d6c-9a57-0e9b6f0b2f11", "6f1c2b1e-58a5-4d6c-9a57-0e9b6f0b2f12"],
      ],
    ];
    for (const [type, column, there] of kinds)
      for (const policy of ["mark", "remove"] as const)
        it(`of ${type} they are found to ${policy}, and no others`, async () => {
          await p.shop.none(
            `drop table if exists item; create table item (id ${type} primary key)`,
          );
          const item = defineSource("item", { id: column });
          const tables = tablesOf(
            defineTable({
              name: "dim_item",
              description: "One row per item.",
              source: item,
              deleted: policy,
              columns: { id: column },
              format: (row) => ({ ...row }),
            }),
          );
          for (const id of there)
            await p.shop.none(`insert into item values ($1::text::${type})`, [id]);
          await runWith(p, tables);
          for (const [i, id] of there.entries()) {
            await p.shop.none(`delete from item where id = $1::text::${type}`, [id]);
            const { deleted } = await name(tables, {
              item: there.slice(0, i + 1).map((one) => ({ id: one })),
            });
            expect(deleted).to.deep.equal({ dim_item: 1 });
            const left = await p.star.any(
              policy === "mark"
                ? "select from dim_item where deleted_at is null"
                : "select from dim_item",
            );
            expect(left).to.have.length(there.length - i - 1);
          }
        });

    for (const policy of ["mark", "remove"] as const)
      it(`of several columns they are found to ${policy}, of facts too`, async () => {
        await p.shop.none(
          `drop table if exists item; create table item (b text, a int, word text not null, primary key (a, b));
           insert into item values ('x', 1, ''), ('y', 1, ''), ('x', 2, ''), ('y', 2, '')`,
        );
        const item = defineSource("item", { a: key(integer), b: key(text), word: text });
        const tables = tablesOf(
          defineTable({
            name: "fact_item",
            description: "One row per version of an item.",
            source: item,
            deleted: policy,
            columns: { record_id: serial, first: key(integer), second: key(text), word: text },
            format: ({ a, b, word }) => ({ first: a, second: b, word }),
          }),
        );
        await runWith(p, tables);
        await p.shop.none("delete from item where (a, b) in ((1, 'y'), (2, 'x'))");
        const rows = ["1y", "2x", "1x"].map(([a, b]) => ({ a: a!, b: b! }));
        expect((await name(tables, { item: rows })).deleted).to.deep.equal({ fact_item: 2 });
        const left = await p.star.any(
          `select distinct on (first, second) first, second from fact_item f
            where ${policy === "mark" ? "not exists (select from fact_item g where (g.first, g.second) = (f.first, f.second) and deleted_at is not null)" : "true"}
            order by 1, 2`,
        );
        expect(left).to.deep.equal([
          { first: 1, second: "x" },
          { first: 2, second: "y" },
        ]);
      });
  });

  it("of five thousand keys go in bounded batches", async () => {
    const tables = schema("mark", "remove");
    await p.shop.none("insert into thing select i, 1, 'x' from generate_series(10, 6000) i");
    await runWith(p, tables);
    await p.shop.none("delete from thing where thing_id between 10 and 5009");
    const keys = Array.from({ length: 5000 }, (_, i) => i + 10);
    await ingestWith(p, tables, {
      named: named({ thing: keys }),
      limits: { rows: 700, bytes: 1 << 30 },
    });
    await transformWith(p, tables);
    const { loaded } = await loadWith(p, tables);
    expect(loaded.map(({ deleted }) => deleted["fact_thing"] ?? 0)).to.deep.equal([
      700, 700, 700, 700, 700, 700, 700, 100, 0,
    ]);
    expect(await things()).to.have.length(3 + 991);
  });

  it("whatever happens to the source, the star is what the policies say of it", async () => {
    const step = fc.record({
      table: fc.constantFrom("thing", "place"),
      id: fc.integer({ min: 1, max: 4 }),
      what: fc.constantFrom("delete", "write", "name", "run"),
      word: fc.constantFrom("u", "v"),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<Deleted>("mark", "remove"),
        fc.array(step, { minLength: 1, maxLength: 25 }),
        async (policy, steps) => {
          await p.shop.none(`${SHOP}; delete from thing; delete from place`);
          await startAnew(p);
          const tables = schema(policy, policy);
          const all = { thing: [1, 2, 3, 4], place: [1, 2, 3, 4] };
          for (const { table, id, what, word } of steps)
            if (what === "delete")
              await p.shop.none("delete from $1:name where $2:name = $3", [
                table,
                `${table}_id`,
                id,
              ]);
            else if (what === "write")
              await p.shop.none(
                table === "thing"
                  ? "insert into thing values ($1, 1 + $1 % 3, $2) on conflict (thing_id) do update set word = $2"
                  : "insert into place values ($1, $2) on conflict (place_id) do update set word = $2",
                [id, word],
              );
            else if (what === "name")
              await ingestWith(p, tables, { named: named({ [table]: [id] }) });
            else await ingestWith(p, tables);
          await ingestWith(p, tables, { named: named(all) });
          await transformWith(p, tables);
          await loadWith(p, tables);
          const live = policy === "mark" ? "where deleted_at is null" : "";
          const latest = await p.star.any(
            `select thing_id, place_id, word from (select distinct on (thing_id) * from fact_thing order by thing_id, record_id desc) f ${live} order by 1`,
          );
          expect(latest).to.deep.equal(await p.shop.any("select * from thing order by 1"));
          const there = await p.shop.any<{ place_id: number; word: string }>(
            "select * from place order by 1",
          );
          const shown = await p.star.any<{ id: number; word: string }>(
            `select id as place_id, word from dim_place ${live} ${live ? "and" : "where"} word <> 'unknown' order by 1`,
          );
          expect(shown).to.deep.equal(there);
        },
      ),
      { numRuns: 10 },
    );
  });
});
