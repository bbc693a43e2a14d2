// Reconciliation of table modules of all shapes: keys, types, ways to find changes, sources of all kinds.
import {
  bigint,
  boolean,
  date,
  decimal,
  defineSource,
  defineTable,
  detect,
  full,
  integer,
  key,
  lookup,
  nullable,
  references,
  serial,
  text,
  time,
  timestamp,
  timestampOf,
  timestamptz,
} from "../../src/table.ts";
import { ingest } from "../../src/ingestion/ingest.ts";
import { getConnection } from "../../src/postgres/connection.ts";
import { findDeleted } from "../../src/reconciliation/deletes.ts";
import { ReconciliationError } from "../../src/reconciliation/error.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, startAnew, type TestPipeline } from "../support/pipeline.ts";
import {
  ingestWith,
  loadWith,
  runWith,
  tablesOf,
  transformWith,
  type Module,
} from "../support/stages.ts";
import { reconciled, shortly, type Reconciled } from "./support.ts";

describe("a reconciliation of", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 0 });
  });
  after(closeAll);
  beforeEach(async () => {
    await p.shop.none("drop schema if exists odd cascade; create schema odd");
    await startAnew(p);
  });

  /** Tables of these modules, and what they are reconciled to. */
  const withModules = (...modules: Module[]) => {
    const tables = tablesOf(...modules);
    return {
      run: () => runWith(p, tables),
      named: async (options?: Parameters<typeof reconciled>[1]): Promise<string[]> =>
        shortly(await reconciled(p, options, tables)),
      report: (): Promise<Reconciled> => reconciled(p, {}, tables),
      tables,
    };
  };

  const words = (type: string) => {
    const source = defineSource(
      "words",
      { word: key(text), n: integer },
      { schema: "odd", deletes: detect },
    );
    return {
      create: `create table odd.words (word ${type} primary key, n int not null)`,
      module: defineTable({
        name: "dim_words",
        description: "One row per word.",
        source,
        columns: { word: key(text), n: integer },
        deleted: "remove",
        format: (row) => row,
      }),
    };
  };

  it("keys that are texts, which two databases have in two orders", async () => {
    // By its bytes "Z" comes before "a" and "é" after "z"; by a language they do not.
    const { create, module } = words('text collate "en-x-icu"');
    const { run, named, report } = withModules(module);
    await p.shop.none(create);
    await p.shop.none(`
      insert into odd.words
      select w || n, n from generate_series(1, 1500) n, unnest(array['a', 'Z', 'é', '"', '\\', '', ' ', '{,}', 'null', 'ß']) w`);
    await run();
    await p.star.none('alter table dim_words alter word type varchar collate "C"');
    const { tables } = await report();
    expect(tables[0]).to.deep.include({ rows: 15_000, ranges: 8, descended: 0 });
    await p.star.none(`
      update dim_words set n = -1 where word in ('é7', '"700', '\\1', '{,}1500', 'null3');
      delete from dim_words where word in ('Z9', 'ß1');
      insert into dim_words values ('', 0), ('zzz', 0), ('~', 0), ('A', 0)`);
    expect(await named()).to.have.members([
      "dim_words é7 different",
      'dim_words "700 different',
      "dim_words \\1 different",
      "dim_words {,}1500 different",
      "dim_words null3 different",
      "dim_words Z9 missing",
      "dim_words ß1 missing",
      "dim_words  extra",
      "dim_words zzz extra",
      "dim_words ~ extra",
      "dim_words A extra",
    ]);
  });

  for (const type of ["varchar(20)", "name", "odd.colour", "uuid", "char(20)"])
    it(`keys that are ${type} in the source`, async () => {
      const { create, module } = words(type);
      const { run, named } = withModules(module);
      const uuids = [
        "0e9f0000-0000-4000-8000-000000000001",
        "ae9f0000-0000-4000-8000-000000000002",
      ];
      const [one, two] = type === "uuid" ? uuids : ["red", "Blue"];
      await p.shop.none("create type odd.colour as enum ('red', 'Blue')");
      await p.shop.none(create);
      await p.shop.none("insert into odd.words values ($1, 1), ($2, 2)", [one, two]);
      await run();
      expect(await named()).to.deep.equal([]);
      await p.star.none("update dim_words set n = 3 where n = 2");
      const padded = type === "char(20)" ? two!.padEnd(20) : two;
      expect(await named()).to.deep.equal([`dim_words ${padded} different`]);
      await p.shop.none("delete from odd.words where n = 2");
      expect(await named()).to.deep.equal([`dim_words ${padded} extra`]);
    });

  it("a source in another encoding, whose bytes are in another order", async () => {
    const { create, module } = words("text");
    await p.shop.none(
      "create database western encoding 'WIN1252' locale_provider libc lc_collate 'C' lc_ctype 'C' template template0",
    );
    const western = { ...p.source, database: "western" };
    const connect = () => getConnection({ ...western, schema: "public" });
    const shop = await connect();
    await shop.db.none(`create schema odd; ${create}`);
    await shop.db.none(
      "insert into odd.words select w || n, n from generate_series(1, 6000) n, unnest(array['€', 'é']) w",
    );
    await shop.close();
    Object.assign(process.env, p.env);
    const tables = tablesOf(module);
    await ingest(connect, p.env.INGESTION_BUCKET, tables);
    await transformWith(p, tables);
    await loadWith(p, tables);
    const report = () => reconciled({ ...p, source: western }, {}, tables);
    const equal = await report();
    expect(equal.found).to.deep.equal([]);
    expect(equal.tables[0]).to.include({ rows: 12_000, ranges: 6, descended: 0 });
    const warehouse = () => getConnection({ ...p.warehouse, schema: "public" });
    const buckets = { ingestion: p.env.INGESTION_BUCKET, processed: p.env.PROCESSED_BUCKET };
    expect(await findDeleted({ source: connect, warehouse, buckets, tables })).to.deep.equal([
      { source: "words", live: 12_000, gone: 0, keys: [] },
    ]);
    // No WIN1252 has it.
    await p.star.none(
      "update dim_words set n = -1 where word = '€77'; insert into dim_words values ('漢', 0)",
    );
    expect(shortly(await report())).to.deep.equal([
      "dim_words €77 different",
      "dim_words 漢 extra",
    ]);
  });

  it("keys of several columns, in many ranges", async () => {
    const source = defineSource(
      "lines",
      { doc: key(bigint), part: key(text), on: key(date), amount: decimal(20, 4) },
      { schema: "odd" },
    );
    const { run, named, report } = withModules(
      defineTable({
        name: "fact_lines",
        description: "One row per version of a line.",
        source,
        columns: {
          line_id: serial,
          document: key(bigint),
          part: key(text),
          day: key(date),
          amount: decimal(20, 4),
        },
        format: ({ doc, part, on, amount }) => ({ document: doc, part, day: on, amount }),
      }),
    );
    await p.shop.none(`
      create table odd.lines (doc bigint, part text collate "en-x-icu", "on" date, amount numeric(20, 4) not null, primary key (doc, part, "on"));
      insert into odd.lines select 9007199254740990 + n / 3, (array['b', 'A', 'ä'])[1 + n % 3], date '2024-01-01' + n % 5, n / 7.0
        from generate_series(1, 9000) n`);
    await run();
    const equal = await report();
    expect(equal.found).to.deep.equal([]);
    expect(equal.tables[0]).to.deep.include({ rows: 9000, ranges: 5, descended: 0 });
    await p.star.none(`
      update fact_lines set amount = amount + 0.0001 where line_id = 8000;
      delete from fact_lines where line_id = 2001;
      insert into fact_lines (document, part, day, amount) values (9007199254740993, 'z', '2024-01-01', 1);
      insert into fact_lines (document, part, day, amount) select document, part, day, amount from fact_lines where line_id = 5`);
    const found = await report();
    expect(found.found.map(({ kind }) => kind)).to.have.members([
      "different",
      "missing",
      "extra",
      "extra",
    ]);
    expect(found.tables[0]!.descended).to.be.below(5);
    expect(await named({ since: 1 })).to.deep.equal([]);
  });

  it("values of every type, to the last digit", async () => {
    const columns = {
      id: key(integer),
      big: nullable(bigint),
      flag: nullable(boolean),
      word: nullable(text),
      day: nullable(date),
      at: nullable(time),
      wall: nullable(timestamp),
      moment: nullable(timestamptz),
      money: nullable(decimal(38, 10)),
      small: nullable(decimal(5, 2)),
    };
    const { run, report } = withModules(
      defineTable({
        name: "dim_values",
        description: "One row per value.",
        source: defineSource("values", columns, { schema: "odd" }),
        columns,
        format: (row) => row,
      }),
    );
    await p.shop.none(`
      create table odd.values (id int primary key, big bigint, flag boolean, word text, day date, at time, wall timestamp,
                               moment timestamptz, money numeric, small numeric);
      insert into odd.values values
        (1, -9223372036854775808, true, 'a|b', '0001-01-01', '00:00', '0001-01-01', '1969-12-31 23:59:59.999999+00', 1234567890123456789012345678.0123456789, -0.00),
        (2, 9223372036854775807, false, '', '9999-12-31', '23:59:59.999999', '9999-12-31 23:59:59.999999', '2026-03-29 02:30+02', -0.0000000001, 999.99),
        (3, 0, null, '3:abc|', '2024-02-29', '12:00:00.100', '2024-02-29 12:00:00.100', '2024-02-29 12:00:00.1+05:30', 10, 1.5),
        (4, null, null, null, null, null, null, null, null, null),
        (5, 5, true, 'é𝄞' || chr(10), '2024-03-01', '01:00:00.000001', '2024-03-01 00:00:00.01', '2024-03-01 00:00:00.000001Z', 0.5, 0)`);
    await run();
    expect((await report()).found).to.deep.equal([]);
    await p.star.none(`
      alter table dim_values alter small type numeric(20, 5), alter id type bigint;
      update dim_values set small = 0.00001, big = null where id = 1;
      update dim_values set word = null, moment = moment + interval '1 us', at = '23:59:59.999998' where id = 2;
      update dim_values set wall = 'infinity', flag = false, money = 'NaN' where id = 3;
      update dim_values set word = '', day = 'infinity' where id = 4`);
    const { found } = await report();
    expect(
      found.flatMap(({ key: of, columns: differ }) =>
        differ.map(
          ({ column, expected, found: there }) => `${of["id"]} ${column}: ${expected} → ${there}`,
        ),
      ),
    ).to.have.members([
      "1 small: 0.00 → 0.00001",
      "1 big: -9223372036854775808 → null",
      "2 word:  → null",
      "2 moment: 2026-03-29 00:30:00+00 → 2026-03-29 00:30:00.000001+00",
      "2 at: 23:59:59.999999 → 23:59:59.999998",
      "3 wall: 2024-02-29 12:00:00.1 → infinity",
      "3 flag: null → f",
      "3 money: 10.0000000000 → NaN",
      "4 word: null → ",
      "4 day: null → infinity",
    ]);
  });

  const things = (changes?: Parameters<typeof defineSource>[2]) =>
    defineSource(
      "things",
      { id: key(integer), word: nullable(text), seen: nullable(timestamp) },
      {
        schema: "odd",
        ...changes,
      },
    );
  const mirror = (source = things()) =>
    defineTable({
      name: "dim_things",
      description: "One row per thing.",
      source,
      columns: { id: key(integer), word: text },
      format: ({ id, word }) => (word === "none" ? [] : { id, word: word! }),
    });
  const createThings = "create table odd.things (id int primary key, word text, seen timestamp)";

  it("a source without rows", async () => {
    await p.shop.none(createThings);
    const other = defineSource("others", { id: key(integer) }, { schema: "odd" });
    const { run, named } = withModules(
      mirror(),
      defineTable({
        name: "dim_others",
        description: "One row per other thing.",
        source: other,
        columns: { id: key(integer) },
        format: (row) => row,
      }),
    );
    await p.shop.none(
      "create table odd.others (id int primary key); insert into odd.others values (1)",
    );
    await run();
    expect(await named()).to.deep.equal([]);
    await p.star.none("insert into dim_things values (1, 'a'); truncate dim_others");
    expect(await named()).to.deep.equal(["dim_others 1 missing", "dim_things 1 extra"]);
  });

  it("rows that the formatter makes none of", async () => {
    const { run, report } = withModules(mirror());
    await p.shop.none(
      `${createThings}; insert into odd.things values (1, 'a'), (2, 'none'), (3, null)`,
    );
    await run();
    const { found, tables } = await report();
    expect(found).to.deep.equal([]);
    expect(tables[0]).to.include({ rows: 3, quarantined: 1 });
    await p.shop.none("update odd.things set word = 'none' where id = 1");
    await run();
    expect((await report()).found.map(({ kind, note }) => [kind, note])).to.deep.equal([
      ["extra", "the source row makes none any more"],
    ]);
  });

  it("rows that fit when they were read, and do not any more", async () => {
    const { run, tables } = withModules(mirror());
    await p.shop.none(
      `${createThings}; insert into odd.things values (1, 'a'), (2, null), (3, 'c'), (4, 'd')`,
    );
    await run();
    const stricter = tables.map((table) => ({
      ...table,
      format: (
        row: Parameters<typeof table.format>[0],
        found: Parameters<typeof table.format>[1],
      ) => {
        if (row["word"] === "c" || row["word"] === "new") throw new Error("not any more");
        return table.format(row, found);
      },
    }));
    await p.shop.none("update odd.things set word = 'new' where id = 4");
    const { found, tables: reports } = await reconciled(p, {}, stricter);
    expect(reports[0]).to.include({ rows: 4, quarantined: 3 });
    expect(found).to.deep.equal([
      {
        table: "dim_things",
        kind: "missing",
        key: { id: "3" },
        columns: [],
        note: "its row of things does not fit, and the quarantine does not have it",
        source: { table: "things", key: { id: "3" } },
      },
    ]);
  });

  it("a source whose changes are found by a column, and a change that this misses", async () => {
    const { run, named } = withModules(
      mirror(things({ changes: timestampOf("seen", { lag: 60 }) })),
    );
    await p.shop.none(
      `${createThings}; insert into odd.things values (1, 'a', '2026-01-01 12:00'), (2, 'b', '2026-01-01 10:00')`,
    );
    await run();
    await p.shop.none("update odd.things set word = 'new', seen = '2026-01-02' where id = 1");
    expect(await named()).to.deep.equal([]);
    await p.shop.none("update odd.things set word = 'missed' where id = 2");
    await run();
    expect(await named()).to.deep.equal(["dim_things 2 stale"]);
  });

  for (const kind of ["table", "view"])
    it(`a ${kind} that is read in full`, async () => {
      const { run, named } = withModules(mirror(things({ changes: full })));
      await p.shop.none(
        kind === "table"
          ? createThings
          : "create table odd.base (id int primary key, word text, seen timestamp); create view odd.things as select * from odd.base",
      );
      const base = kind === "table" ? "things" : "base";
      await p.shop.none(`insert into odd.${base} values (1, 'a'), (2, 'b'), (3, 'c')`);
      await run();
      await p.shop.none(
        `update odd.${base} set word = 'later' where id = 1; insert into odd.${base} values (4, 'd')`,
      );
      expect(await named()).to.deep.equal([]);
      await p.star.none(
        "update dim_things set word = 'forged' where id = 2; delete from dim_things where id = 3",
      );
      expect(await named()).to.deep.equal(["dim_things 2 different", "dim_things 3 missing"]);
      await p.star.none(
        "update dim_things set word = 'b' where id = 2; insert into dim_things values (3, 'c')",
      );
      await run();
      await p.star.none("update dim_things set word = 'a' where id = 1");
      expect(await named()).to.deep.equal(["dim_things 1 stale"]);
    });

  it("a table whose rows only seem to have their source rows' keys", async () => {
    const { run, named, report } = withModules(
      defineTable({
        name: "dim_shifted",
        description: "One row per thing, by another number.",
        source: things(),
        columns: { id: key(integer), word: text },
        format: ({ id, word }) => ({ id: id + 10_000, word: word! }),
      }),
    );
    await p.shop.none(
      `${createThings}; insert into odd.things select n, 'w' || n from generate_series(1, 5000) n`,
    );
    await run();
    expect((await report()).tables[0]).to.include({ rows: 5000, ranges: 0, descended: 0 });
    await p.star.none(
      "update dim_shifted set word = 'forged' where id = 10007; delete from dim_shifted where id = 15000",
    );
    expect(await named()).to.deep.equal([
      "dim_shifted 10007 different",
      "dim_shifted 15000 missing",
    ]);
    await p.shop.none("update odd.things set word = 'later' where id = 7");
    expect(await named()).to.deep.equal(["dim_shifted 15000 missing"]);
  });

  /** Things whose keys are their own, but for the last, which makes the row of another thing. */
  const crossing = () =>
    withModules(
      defineTable({
        name: "fact_crossing",
        description: "One row per version of a thing.",
        source: things(),
        columns: { version: serial, id: key(integer), word: text },
        format: ({ id, word }) => ({ id: id === 5000 ? 7 : id, word: word! }),
      }),
    );
  const fiveThousand = `${createThings}; insert into odd.things select n, 'w' || n from generate_series(1, 5000) n`;

  it("a table of which one of the last rows has not its source row's key, before a difference is told", async () => {
    const { run, named, report } = crossing();
    await p.shop.none(fiveThousand);
    await run();
    // By its own row it is w7, and by the other one w5000, which came last.
    await p.star.none("update fact_crossing set word = 'forged' where id in (8, 4500)");
    expect(await named()).to.deep.equal([
      "fact_crossing 4500 different",
      "fact_crossing 8 different",
    ]);
    const { tables } = await report();
    expect(tables[0]).to.deep.include({ rows: 5000, ranges: 0, descended: 0 });
  });

  it("a table of which one of the last rows has not its source row's key, after a difference was told", async () => {
    const { run, report } = crossing();
    await p.shop.none(fiveThousand);
    await run();
    await p.star.none(
      "insert into fact_crossing (id, word) select id, word from fact_crossing where id = 8",
    );
    await expect(report()).to.be.rejectedWith(
      ReconciliationError,
      'fact_crossing cannot be compared, and what was named of it till now may be wrong: things {"id":"5000"} ' +
        'makes a row with the key {"id":"7"}',
    );
  });

  it("a table of which the source lacks more rows than are held at once, within a range and after all", async () => {
    const { run, named, report } = withModules(mirror());
    await p.shop.none(
      `${createThings}; insert into odd.things select n * 10, 'w' || n from generate_series(1, 4000) n`,
    );
    await run();
    await p.star.none(`
      insert into dim_things select n, 'forged' from generate_series(1, 60000) n where n % 10 > 0 or n > 40000;
      update dim_things set word = 'forged' where id = 20000;
      delete from dim_things where id in (10, 40000)`);
    const found = await named();
    expect(found.filter((one) => !one.endsWith("extra"))).to.deep.equal([
      "dim_things 10 missing",
      "dim_things 20000 different",
      "dim_things 40000 missing",
    ]);
    expect(new Set(found)).to.have.length(56_003);
    expect(found).to.have.length(56_003);
    await p.shop.none("truncate odd.things");
    expect((await report()).tables[0]!.differences).to.deep.equal({
      missing: 0,
      extra: 59_998,
      different: 0,
      stale: 0,
    });
  });

  it("a table that is made of more keys than are held at once", async () => {
    const { run, named } = withModules(
      defineTable({
        name: "dim_spread",
        description: "One row per word.",
        source: things(),
        columns: { word: key(text), n: integer },
        format: ({ id, word }) => [
          { word: `${word}-a`, n: id },
          { word: `${word}-b`, n: id },
        ],
      }),
    );
    await p.shop.none(
      `${createThings}; insert into odd.things select n, 'w' || n from generate_series(1, 70000) n`,
    );
    await run();
    await p.star.none(
      "delete from dim_spread where n > 69990 and word like '%a'; update dim_spread set n = -1 where word = 'w5-b'",
    );
    await p.star.none("insert into dim_spread values ('forged', 1)");
    const found = await named();
    expect(found).to.have.length(12);
    expect(found).to.include.members([
      "dim_spread w5-b different",
      "dim_spread forged extra",
      "dim_spread w70000-a missing",
    ]);
    // Where the warehouse does not say that there are so many.
    await p.star.none("truncate dim_spread");
    expect((await named()).length).to.equal(140_000);
  });

  it("lookups: of the row itself, of one that is null, and of one that is not there", async () => {
    const people = defineSource(
      "people",
      { id: key(integer), name: text, boss: nullable(integer), home: nullable(text) },
      { schema: "odd" },
    );
    const homes = defineSource("homes", { code: key(text), name: text }, { schema: "odd" });
    const { run, named, report } = withModules(
      defineTable({
        name: "dim_people",
        description: "One row per person.",
        source: people,
        lookups: { boss: lookup(people, "boss"), home: lookup(homes, "home") },
        columns: { id: key(integer), name: text, boss: nullable(text), home: nullable(text) },
        format: ({ id, name }, { boss, home }) => ({
          id,
          name,
          boss: boss?.name ?? null,
          home: home?.name ?? null,
        }),
      }),
    );
    await p.shop.none(`
      create table odd.homes (code varchar(30) primary key, name text not null);
      create table odd.people (id int primary key, name text not null, boss int, home varchar(30));
      insert into odd.homes select 'h"' || n, 'Home ' || n from generate_series(1, 4000) n;
      insert into odd.people select n, 'P' || n, nullif(n / 2, 0), 'h"' || n from generate_series(1, 4001) n`);
    await run();
    const { found, tables } = await report();
    expect(found).to.deep.equal([]);
    expect(tables[0]).to.include({ rows: 4001, quarantined: 1 });
    await p.star.none("update dim_people set boss = 'x' where id = 4000");
    await p.shop.none("update odd.homes set name = 'Moved' where code = 'h\"3999'");
    expect(await named()).to.deep.equal(["dim_people 4000 different"]);
    await p.shop.none("update odd.people set name = 'Later' where id = 2000");
    expect(await named()).to.deep.equal([]);
  });

  it("a key that a source without a primary key has twice, where two ranges meet", async () => {
    const { run, report } = withModules(mirror());
    await p.shop.none(`
      create table odd.things (id int not null, word text, seen timestamp);
      insert into odd.things select n, 'w' from generate_series(1, 2000) n, generate_series(1, 1 + (n = 2000)::int);
      insert into odd.things select n, 'w' from generate_series(2001, 4500) n`);
    await run();
    const { found, tables } = await report();
    expect(found).to.deep.equal([]);
    expect(tables[0]).to.include({ rows: 4501, ranges: 3, descended: 0 });
  });

  it("lookups of a char(n), which has blanks at its end", async () => {
    const orders = defineSource("orders", { id: key(integer), code: text }, { schema: "odd" });
    const codes = defineSource("codes", { code: key(text), name: text }, { schema: "odd" });
    const { run, named, report } = withModules(
      defineTable({
        name: "dim_orders",
        description: "One row per order.",
        source: orders,
        lookups: { code: lookup(codes, "code") },
        columns: { id: key(integer), name: text },
        format: ({ id }, { code }) => ({ id, name: code.name }),
      }),
    );
    await p.shop.none(`
      create table odd.codes (code char(5) primary key, name text not null);
      create table odd.orders (id int primary key, code char(5) not null);
      insert into odd.codes values ('GBP', 'pound'), ('EUR', 'euro');
      insert into odd.orders values (1, 'GBP'), (2, 'EUR'), (3, 'GBP'), (4, 'XXX')`);
    await run();
    const { found, tables } = await report();
    expect(found).to.deep.equal([]);
    expect(tables[0]).to.include({ rows: 4, quarantined: 1 });
    await p.star.none("delete from dim_orders where id = 3");
    expect(await named()).to.deep.equal(["dim_orders 3 missing"]);
  });

  it("inferred members, as long as a row refers to them", async () => {
    const sales = defineSource("sales", { id: key(integer), thing: integer }, { schema: "odd" });
    const { run, report } = withModules(
      mirror(),
      defineTable({
        name: "fact_sales",
        description: "One row per version of a sale.",
        source: sales,
        columns: { sale_id: serial, id: key(integer), thing: references("dim_things", integer) },
        format: ({ id, thing }) => ({ id, thing }),
      }),
    );
    await p.shop.none(
      `${createThings}; create table odd.sales (id int primary key, thing int not null); insert into odd.sales values (1, 7)`,
    );
    await run();
    const one = await report();
    expect(one.found).to.deep.equal([]);
    expect(one.tables.find(({ table }) => table === "dim_things")).to.include({ inferred: 1 });
    await p.star.none("insert into dim_things values (8, 'unknown')");
    expect((await report()).found.map(({ key: of, kind }) => [of["id"], kind])).to.deep.equal([
      ["8", "extra"],
    ]);
  });

  it("a new module, once it is filled and not before", async () => {
    await p.shop.none(
      `${createThings}; insert into odd.things select n, 'w' || n from generate_series(1, 40) n`,
    );
    const old = withModules(mirror());
    await old.run();
    const other = defineTable({ ...mirror(), name: "dim_more" });
    const both = withModules(mirror(), other);
    const more = async () =>
      (await both.report()).tables.find(({ table }) => table === "dim_more")!;
    expect((await more()).notCompared).to.equal(
      "batch 1 was made without its module: the next runs fill it",
    );
    await ingestWith(p, both.tables, { limits: { rows: 10, bytes: 1 << 20 }, goOn: () => false });
    await transformWith(p, both.tables);
    await loadWith(p, both.tables);
    expect((await more()).notCompared).to.equal(
      "it is being filled: batch 2 left off before the end of things",
    );
    await both.run();
    expect(await more()).to.not.have.property("notCompared");
    expect(await both.named()).to.deep.equal([]);
    const changed = withModules(
      mirror(),
      defineTable({ ...mirror(), name: "dim_more", version: 2 }),
    );
    expect((await changed.report()).tables.map(({ notCompared }) => notCompared).join()).to.match(
      /^batch \d was made by another version of its module: the next runs fill it,$/,
    );
  });
});
