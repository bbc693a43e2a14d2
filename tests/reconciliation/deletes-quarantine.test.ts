// Rows in quarantine that the source has deleted: they may have no star row that could be missed.
import type { Gone } from "../../src/reconciliation/deletes.ts";
import {
  decimal,
  defineSource,
  defineTable,
  detect,
  integer,
  key,
  serial,
  text,
  timestamp,
  type DeleteDetection,
  type Table,
} from "../../src/table.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, startAnew, type TestPipeline } from "../support/pipeline.ts";
import { ingestWith, loadWith, runWith, tablesOf, transformWith } from "../support/stages.ts";
import { deletedOf } from "./support.ts";

const refuse = (word: string): void => {
  if (word.startsWith("bad")) throw new Error(`the word is ${word}`);
};

const schema = (deletes: DeleteDetection): readonly Table[] => {
  const thing = defineSource("thing", { thing_id: key(integer), word: text }, { deletes });
  return tablesOf(
    defineTable({
      name: "fact_thing",
      description: "One row per version of a thing.",
      source: thing,
      ...(deletes === "detect" ? { deleted: "mark" as const } : {}),
      columns: { record_id: serial, thing_id: key(integer), word: text },
      format: (row) => {
        refuse(row.word);
        return { ...row };
      },
    }),
    defineTable({
      name: "dim_word",
      description: "One row per word that a thing has.",
      source: thing,
      columns: { word: key(text) },
      format: ({ word }) => {
        if (word === "no word") throw new Error("there is no word");
        return word.startsWith("bad") ? [] : { word };
      },
    }),
  );
};
const tables = schema("detect");

describe("deletes of rows in quarantine", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 0 });
  });
  after(closeAll);
  beforeEach(async () => {
    await p.shop.none(`
      drop table if exists thing, odd;
      create table thing (thing_id int primary key, word text not null);
      insert into thing select n, 'thing ' || n from generate_series(1, 300) n`);
    await startAnew(p);
  });

  const held = async (): Promise<string[]> => {
    const rows = await p.star.any<{ table_name: string; key: string }>(
      "select table_name, key from etl.quarantine order by 1, 2",
    );
    return rows.map((row) => `${row.table_name} ${row.key}`);
  };
  /** Detects, and has what was found told and loaded. */
  const pass = async (of: readonly Table[] = tables): Promise<Gone[]> => {
    const found = await deletedOf(p, of);
    const named = new Map(
      found.filter(({ keys }) => keys.length > 0).map(({ source, keys }) => [source, keys]),
    );
    if (named.size === 0) return found;
    await ingestWith(p, of, { named, repair: false });
    await transformWith(p, of);
    await loadWith(p, of);
    return found;
  };

  it("that no star row was ever made of are found, and leave with the batch that says so", async () => {
    await p.shop.none("update thing set word = 'bad' where thing_id in (7, 8, 9)");
    await runWith(p, tables);
    expect(await held()).to.deep.equal(["fact_thing 7", "fact_thing 8", "fact_thing 9"]);
    await p.shop.none("delete from thing where thing_id in (8, 9, 10)");
    expect(await pass()).to.deep.equal([
      {
        source: "thing",
        live: 299,
        gone: 3,
        keys: [{ thing_id: "10" }, { thing_id: "8" }, { thing_id: "9" }],
      },
    ]);
    expect(await held()).to.deep.equal(["fact_thing 7"]);
    expect((await pass())[0]).to.deep.include({ live: 296, gone: 0, keys: [] });
  });

  it("whose last good state is in the star are found once, by either", async () => {
    await runWith(p, tables);
    await p.shop.none("update thing set word = 'bad' where thing_id = 7");
    await runWith(p, tables);
    await p.shop.none("delete from thing where thing_id = 7");
    expect((await pass())[0]).to.deep.include({ live: 300, gone: 1, keys: [{ thing_id: "7" }] });
    expect(await held()).to.deep.equal([]);
    expect((await pass())[0]).to.deep.include({ live: 299, gone: 0, keys: [] });
  });

  it("of a table that is not keyed by the source leave it, too", async () => {
    await p.shop.none("update thing set word = 'no word' where thing_id = 7");
    await runWith(p, tables);
    await p.shop.none("update thing set word = 'bad' where thing_id = 8");
    await runWith(p, tables);
    // So that the quarantine alone has it.
    await p.star.none("update fact_thing set deleted_at = now() where thing_id = 7");
    expect(await held()).to.deep.equal(["dim_word 7", "fact_thing 8"]);
    await p.shop.none("delete from thing where thing_id = 7");
    expect((await pass())[0]).to.deep.include({ gone: 1, keys: [{ thing_id: "7" }] });
    expect(await held()).to.deep.equal(["fact_thing 8"]);
  });

  it("are no matter of a source whose deletes are ignored", async () => {
    const ignoring = schema("ignore");
    await p.shop.none("update thing set word = 'bad' where thing_id = 7");
    await runWith(p, ignoring);
    await p.shop.none("delete from thing where thing_id = 7");
    expect(await pass(ignoring)).to.deep.equal([]);
    expect(await held()).to.deep.equal(["fact_thing 7"]);
  });

  describe("are doubted where they are many:", () => {
    it("with those of the star, more than a hundred of a few hundred", async () => {
      await p.shop.none("update thing set word = 'bad' where thing_id > 240");
      await runWith(p, tables);
      await p.shop.none("delete from thing where thing_id between 191 and 290");
      expect((await deletedOf(p, tables))[0]).to.deep.include({ live: 290, gone: 100 });
      await p.shop.none("delete from thing where thing_id = 300");
      const [doubted] = await deletedOf(p, tables);
      expect(doubted).to.deep.include({ live: 291, gone: 101, keys: [] });
      expect(doubted!.doubt).to.match(
        /^101 of 291 rows of thing are gone, more than are deleted in a day; .*`totes deletes --confirm thing`/,
      );
      const [confirmed] = await deletedOf(p, tables, { confirmed: ["thing"] });
      expect(confirmed!.keys).to.have.length(101);
    });

    it("a source that is empty, whatever it had", async () => {
      await p.shop.none("delete from thing where thing_id > 1; update thing set word = 'bad'");
      await runWith(p, tables);
      await p.shop.none("truncate thing");
      const [doubted] = await deletedOf(p, tables);
      expect(doubted).to.deep.include({ live: 1, gone: 1, keys: [] });
      expect(doubted!.doubt).to.match(/it is empty, as after TRUNCATE/);
    });

    it("the last that there were, as when an older backup was restored", async () => {
      await p.shop.none("update thing set word = 'bad' where thing_id > 150");
      await runWith(p, tables);
      await p.shop.none("delete from thing where thing_id > 150");
      expect((await deletedOf(p, tables))[0]!.doubt).to.match(
        /^150 of 300 .* all of them after the last key that it has, as when an older backup/,
      );
    });
  });

  it("are found however many others there are", async () => {
    await p.shop.none(`
      insert into thing select n, 'thing' from generate_series(301, 10300) n;
      update thing set word = 'bad' where thing_id > 200`);
    await runWith(p, tables);
    // The first and the last, in the order of texts.
    await p.shop.none("delete from thing where thing_id in (1000, 999)");
    expect((await deletedOf(p, tables))[0]).to.deep.include({
      gone: 2,
      keys: [{ thing_id: "1000" }, { thing_id: "999" }],
    });
  });

  it("are named by keys of several columns and of every sort, those alone left out that are cut", async () => {
    const odd = defineSource(
      "odd",
      { word: key(text), size: key(decimal(10, 2)), at: key(timestamp) },
      { deletes: detect },
    );
    const odds = tablesOf(
      defineTable({
        name: "dim_odd",
        description: "One row per odd thing.",
        source: odd,
        deleted: "remove",
        columns: { first: key(text), second: key(decimal(10, 2)), third: key(timestamp) },
        format: ({ word, size, at }) => {
          if (size === "1.5") refuse("bad");
          return { first: word, second: size, third: at };
        },
      }),
    );
    const long = "l".repeat(3000);
    // Of more digits than are declared, no row fits: its key has no text that a star row's would have.
    await p.shop.none(
      `create table odd (word text, size numeric, at timestamp, primary key (word, size, at));
       insert into odd select w, s, '2024-02-29 00:00:00.1'
         from unnest(array['', 'x''; drop table odd; --', '"{,}"', '\\N', 'null', $1]) w, unnest(array[1, 1.5, 2.0070]::numeric[]) s`,
      [long],
    );
    await runWith(p, odds);
    expect(await held()).to.have.length(12);
    await p.shop.none(
      `delete from odd where word in ('"{,}"', '\\N', 'null', $1) and size in (1.5, 2.007)`,
      [long],
    );
    const [gone] = await pass(odds);
    expect(gone).to.include({ gone: 6 });
    expect(await held()).to.have.length(6);
    expect((await pass(odds))[0]).to.deep.include({ gone: 0, keys: [] });
  });

  it("cannot be told where one has a key that the source can have none of, which is said", async () => {
    await p.shop.none("update thing set word = 'bad' where thing_id = 7");
    await runWith(p, tables);
    await p.star.none("update etl.quarantine set key = 'seven'");
    const [doubted] = await deletedOf(p, tables);
    expect(doubted).to.deep.include({ gone: 0, keys: [] });
    expect(doubted!.doubt).to.match(
      /^deletes of thing cannot be detected: its quarantine has a key that it can have none of: .*"seven"/,
    );
  });

  it("are none in a warehouse that was prepared, and that nothing was loaded into", async () => {
    await p.star.none(
      "create table fact_thing (record_id serial primary key, thing_id int not null, word text not null, deleted_at timestamptz)",
    );
    expect(await deletedOf(p, tables)).to.deep.equal([]);
  });
});
