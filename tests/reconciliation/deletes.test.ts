// Rows that the source has deleted: found by comparing keys, doubted where they are many, told to the lake by the function.
import { handler } from "../../src/handlers/reconciliation.ts";
import { findDeleted, type DeletesOptions, type Gone } from "../../src/reconciliation/deletes.ts";
import { ReconciliationError } from "../../src/reconciliation/error.ts";
import {
  decimal,
  defineSource,
  defineTable,
  detect,
  integer,
  key,
  references,
  serial,
  text,
  timestamp,
  type Deleted,
  type Table,
} from "../../src/table.ts";
import { getConnection } from "../../src/postgres/connection.ts";
import { failureOf } from "../support/attack.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, startAnew, type TestPipeline } from "../support/pipeline.ts";
import { ingestWith, loadWith, runWith, tablesOf, transformWith } from "../support/stages.ts";
import { deletedOf } from "./support.ts";

const place = defineSource("place", { place_id: key(integer), word: text }, { deletes: detect });
const thing = defineSource("thing", { thing_id: key(integer), word: text }, { deletes: detect });

const schema = (places: Deleted, things: Deleted): readonly Table[] =>
  tablesOf(
    defineTable({
      name: "dim_place",
      description: "One row per place.",
      source: place,
      deleted: places,
      columns: { id: key(integer), word: text },
      format: ({ place_id, word }) => ({ id: place_id, word }),
    }),
    defineTable({
      name: "fact_thing",
      description: "One row per version of a thing.",
      source: thing,
      deleted: things,
      columns: { record_id: serial, thing_id: key(integer), word: text },
      format: (row) => ({ ...row }),
    }),
  );

describe("deletes are detected:", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 0 });
  });
  after(closeAll);
  beforeEach(async () => {
    await p.shop.none(`
      drop table if exists place, thing, odd;
      create table place (place_id int primary key, word text not null);
      create table thing (thing_id int primary key, word text not null);
      insert into place select n, 'place ' || n from generate_series(1, 25000) n;
      insert into thing select n, 'thing ' || n from generate_series(1, 300) n`);
    await startAnew(p);
  });

  const find = (tables: readonly Table[], options?: DeletesOptions): Promise<Gone[]> =>
    deletedOf(p, tables, options);
  const ids = ({ keys }: Gone): number[] => keys.map((one) => Number(Object.values(one)[0]));

  it("nothing before the first load, and nothing where nothing was deleted", async () => {
    const tables = schema("mark", "remove");
    expect(await find(tables)).to.deep.equal([]);
    await runWith(p, tables);
    expect(await find(tables)).to.deep.equal([
      { source: "place", live: 25000, gone: 0, keys: [] },
      { source: "thing", live: 300, gone: 0, keys: [] },
    ]);
  });

  it("keys that are gone, whatever else was inserted and updated meanwhile", async () => {
    const tables = schema("mark", "remove");
    await runWith(p, tables);
    await p.shop.none(`
      delete from place where place_id in (1, 9999, 10000, 10001, 25000);
      update place set word = 'other' where place_id = 2;
      insert into place values (0, 'before'), (25001, 'after');
      delete from thing where thing_id = 7`);
    const [places, things] = await find(tables);
    expect(ids(places!)).to.deep.equal([1, 9999, 10000, 10001, 25000]);
    expect(places!.keys[0]).to.deep.equal({ place_id: "1" });
    expect(ids(things!)).to.deep.equal([7]);
  });

  it("not again what the star knows to be deleted, and again what came back and went", async () => {
    const tables = schema("mark", "mark");
    await runWith(p, tables);
    const pass = async (): Promise<number[][]> => {
      const found = await find(tables);
      const named = new Map(found.map(({ source, keys }) => [source, keys]));
      await ingestWith(p, tables, { named, repair: false });
      await transformWith(p, tables);
      await loadWith(p, tables);
      return found.map(ids);
    };
    await p.shop.none("delete from place where place_id = 3; delete from thing where thing_id = 4");
    expect(await pass()).to.deep.equal([[3], [4]]);
    expect((await find(tables)).map(ids)).to.deep.equal([[], []]);
    await p.shop.none(
      "insert into place values (3, 'again'); insert into thing values (4, 'again')",
    );
    await runWith(p, tables);
    expect((await find(tables)).map(ids)).to.deep.equal([[], []]);
    await p.shop.none("delete from place where place_id = 3; delete from thing where thing_id = 4");
    expect(await pass()).to.deep.equal([[3], [4]]);
    const versions = await p.star.any<{ word: string; gone: boolean }>(
      "select word, deleted_at is not null as gone from fact_thing where thing_id = 4 order by record_id",
    );
    expect(versions.map(({ word, gone }) => `${word} ${gone}`)).to.deep.equal([
      "thing 4 false",
      "thing 4 true",
      "again false",
      "again true",
    ]);
  });

  describe("many at once are doubted:", () => {
    it("a hundred are believed, one more of three hundred is not, unless it is confirmed", async () => {
      const tables = schema("mark", "remove");
      await runWith(p, tables);
      await p.shop.none("delete from thing where thing_id between 101 and 200");
      const [, hundred] = await find(tables);
      expect(ids(hundred!)).to.have.length(100);
      await p.shop.none("delete from thing where thing_id = 50");
      const [, more] = await find(tables);
      expect(more).to.deep.include({ live: 300, gone: 101, keys: [] });
      expect(more!.doubt).to.match(
        /^101 of 300 rows of thing are gone, more than are deleted in a day; .*`totes deletes --confirm thing`/,
      );
      const [, confirmed] = await find(tables, { confirmed: ["thing"] });
      expect(ids(confirmed!)).to.have.length(101);
    });

    it("a table that is empty is said to be truncated", async () => {
      const tables = schema("mark", "remove");
      await runWith(p, tables);
      await p.shop.none("truncate place");
      const [places, things] = await find(tables);
      expect(places).to.deep.include({ gone: 25000, keys: [] });
      expect(places!.doubt).to.match(/it is empty, as after TRUNCATE/);
      expect(things).to.not.have.property("doubt");
    });

    it("a table of few rows, too, where it is empty", async () => {
      const tables = schema("mark", "remove");
      await p.shop.none("delete from place where place_id > 5");
      await runWith(p, tables);
      await p.shop.none("truncate place");
      const [places] = await find(tables);
      expect(places).to.deep.include({ live: 5, gone: 5, keys: [] });
      expect(places!.doubt).to.match(/it is empty, as after TRUNCATE/);
    });

    it("a truncated table of three hundred thousand rows is confirmed", async () => {
      const tables = schema("mark", "remove");
      await p.shop.none(
        "insert into place select n, 'place' from generate_series(25001, 300000) n",
      );
      await runWith(p, tables);
      await p.shop.none("truncate place");
      expect((await find(tables))[0]).to.deep.include({ gone: 300_000, keys: [] });
      const [places] = await find(tables, { confirmed: ["place"] });
      expect(places!.keys).to.have.length(300_000);
    });

    it("a table whose last rows are gone is said to be restored from an older backup", async () => {
      const tables = schema("mark", "remove");
      await runWith(p, tables);
      await p.shop.none("delete from place where place_id > 22000");
      const [places] = await find(tables);
      expect(places!.doubt).to.match(
        /all of them after the last key that it has, as when an older backup/,
      );
    });

    it("the share may be another", async () => {
      const tables = schema("mark", "remove");
      await runWith(p, tables);
      await p.shop.none("delete from place where place_id <= 3000");
      expect((await find(tables, { share: 0.2 }))[0]!.keys).to.have.length(3000);
      expect((await find(tables, { share: 0.11 }))[0]).to.have.property("doubt");
    });
  });

  it("keys of several columns and of every sort, by what they are and not by how they look", async () => {
    const odd = defineSource(
      "odd",
      { word: key(text), size: key(decimal(10, 2)), at: key(timestamp), rest: integer },
      { deletes: detect },
    );
    const tables = tablesOf(
      defineTable({
        name: "dim_odd",
        description: "One row per odd thing.",
        source: odd,
        deleted: "mark",
        columns: {
          first: key(text),
          second: key(decimal(10, 2)),
          third: key(timestamp),
          rest: integer,
        },
        format: ({ word, size, at, rest }) => ({ first: word, second: size, third: at, rest }),
      }),
    );
    await p.shop.none(`
      create table odd (word text, size numeric, at timestamp, rest int not null, primary key (word, size, at));
      insert into odd
        select w, s, t, 1 from unnest(array['', 'a', 'B', 'b ', 'ä', '☃', 'x''; drop table odd; --', '"{,}"', '\\N']) w,
               unnest(array[1, 1.5, -0.25, 1000]::numeric[]) s,
               unnest(array['2024-02-29 00:00:00', '2024-02-29 00:00:00.1']::timestamp[]) t`);
    await runWith(p, tables);
    expect((await find(tables))[0]).to.deep.include({ live: 72, gone: 0 });
    await p.shop.none(
      "delete from odd where (word, size, at) in (('ä', 1, '2024-02-29 00:00:00.1'), ('\"{,}\"', 1.5, '2024-02-29 00:00:00'))",
    );
    const [gone] = await find(tables);
    expect(gone!.keys).to.deep.equal([
      { word: '"{,}"', size: "1.5", at: "2024-02-29 00:00:00" },
      { word: "ä", size: "1", at: "2024-02-29 00:00:00.1" },
    ]);
  });

  it("keys of a char(n), which have blanks at their end", async () => {
    const odd = defineSource("odd", { code: key(text) }, { deletes: detect });
    const tables = tablesOf(
      defineTable({
        name: "dim_odd",
        description: "One row per odd thing.",
        source: odd,
        deleted: "remove",
        columns: { code: key(text) },
        format: (row) => ({ ...row }),
      }),
    );
    await p.shop.none(
      "create table odd (code char(5) primary key); insert into odd values ('GBP'), ('EUR'), ('X')",
    );
    await runWith(p, tables);
    await p.shop.none("delete from odd where code = 'EUR'");
    expect((await find(tables))[0]).to.deep.include({
      live: 3,
      gone: 1,
      keys: [{ code: "EUR  " }],
    });
  });

  it("not in inferred members: they are no rows of the source, and were told to be gone once", async () => {
    const used = defineSource("thing", { thing_id: key(integer), place_id: integer });
    const tables = tablesOf(
      defineTable({
        name: "dim_place",
        description: "One row per place.",
        source: place,
        deleted: "remove",
        columns: { id: key(integer), word: text },
        format: ({ place_id, word }) => ({ id: place_id, word }),
      }),
      defineTable({
        name: "fact_thing",
        description: "One row per version of a thing.",
        source: used,
        columns: {
          record_id: serial,
          thing_id: key(integer),
          place_id: references("dim_place", integer),
        },
        format: (row) => ({ ...row }),
      }),
    );
    await p.shop.none("alter table thing add place_id int; update thing set place_id = thing_id");
    await runWith(p, tables);
    await p.shop.none("delete from place where place_id <= 3");
    const [first] = await find(tables);
    expect(ids(first!)).to.deep.equal([1, 2, 3]);
    await ingestWith(p, tables, { named: new Map([["place", first!.keys]]), repair: false });
    await transformWith(p, tables);
    await loadWith(p, tables);
    expect(await p.star.any("select key from etl.inferred_member order by 1")).to.have.length(3);
    expect((await find(tables))[0]).to.deep.include({ live: 24_997, gone: 0, keys: [] });
  });

  it("in every table that is keyed by the source: a row may be in one of them alone", async () => {
    const table = (name: "dim_one" | "dim_other", lacks: string) =>
      defineTable({
        name,
        description: "One row per place.",
        source: place,
        deleted: "remove",
        columns: { id: key(integer), word: text },
        format: ({ place_id, word }) => (word === lacks ? [] : { id: place_id, word }),
      });
    const tables = tablesOf(table("dim_one", "place 2"), table("dim_other", "place 3"));
    await runWith(p, tables);
    await p.shop.none("delete from place where place_id in (2, 3, 4)");
    const [places] = await find(tables);
    expect(ids(places!)).to.have.members([2, 3, 4]);
    expect(places).to.include({ live: 24_999, gone: 3 });
  });

  it("of one source though another's key cannot be compared, which is said", async () => {
    const tables = schema("mark", "remove");
    await runWith(p, tables);
    await p.shop.none(
      "delete from thing where thing_id = 9; alter table place drop constraint place_pkey, alter place_id drop not null",
    );
    const [places, things] = await find(tables);
    expect(places!.doubt).to.equal(
      "deletes of place cannot be detected: expected a key (place_id) that is not null, as dim_place has it; found another",
    );
    expect(ids(things!)).to.deep.equal([9]);
  });

  it("in no other database than the lake was read from", async () => {
    const tables = schema("mark", "remove");
    await runWith(p, tables);
    const other = await openPipeline({ orders: 0 });
    await other.shop.none("create table place (place_id int primary key, word text not null)");
    const error = await failureOf(
      findDeleted({
        source: () => getConnection({ ...other.source, schema: "public" }),
        warehouse: () => getConnection({ ...p.warehouse, schema: "public" }),
        buckets: { ingestion: p.env.INGESTION_BUCKET, processed: p.env.PROCESSED_BUCKET },
        tables,
      }),
    );
    expect(error.message).to.match(/^the source is another database than batch \d+ was read from/);
  });

  it("a source of that name is asked for that is none", async () => {
    const error = await failureOf(find(schema("mark", "mark"), { confirmed: ["plaice"] }));
    expect(error).to.be.instanceOf(ReconciliationError);
    expect(error.message).to.equal(
      "plaice is no source whose deletes are detected; these are: place, thing",
    );
  });

  it("by the function, which has nothing to look for in the shop's own tables", async () => {
    Object.assign(process.env, p.env);
    expect(await handler({ deletes: true })).to.deep.equal({ deletes: [] });
    expect((await failureOf(handler({ deletes: "yes" }))).message).to.match(
      /send \{ "deletes": true, "confirmed": \["TABLE"\], "share": 0\.1 \}/,
    );
  });
});
