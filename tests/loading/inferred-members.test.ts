// Inferred members: made for every reference that finds nothing, known as such, and replaced by the real row in any order.
import {
  bigint,
  boolean,
  date,
  decimal,
  defineSource,
  defineTable,
  integer,
  key,
  nullable,
  references,
  serial,
  text,
  timestamptz,
  type Column,
  type Table,
} from "../../src/table.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, startAnew, type TestPipeline } from "../support/pipeline.ts";
import { ingestWith, loadWith, runWith, tablesOf, transformWith } from "../support/stages.ts";

const members = async ({ star }: TestPipeline): Promise<string[]> =>
  (
    await star.any<{ member: string }>(
      "select table_name || ' ' || key as member from etl.inferred_member order by 1",
    )
  ).map(({ member }) => member);

describe("inferred members", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 0 });
  });
  beforeEach(() => startAnew(p));
  after(closeAll);

  const kind = defineSource("kind", { id: key(integer), word: text });
  const use = defineSource("use", {
    id: key(integer),
    kind_id: integer,
    also_id: nullable(integer),
  });
  const dim_kind = defineTable({
    name: "dim_kind",
    description: "One row per kind.",
    source: kind,
    columns: { id: key(integer), word: text },
    format: ({ id, word }) => {
      if (word === "bad") throw new Error("a bad word");
      return { id, word };
    },
  });
  const fact_use = defineTable({
    name: "fact_use",
    description: "One row per version of a use.",
    source: use,
    columns: {
      record_id: serial,
      id: key(integer),
      kind_id: references("dim_kind", integer),
      also_id: references("dim_kind", nullable(integer)),
    },
    format: (row) => ({ ...row }),
  });
  const both = tablesOf(dim_kind, fact_use);
  const shop = () =>
    p.shop.none(
      `drop table if exists kind, use;
       create table kind (id int primary key, word text not null);
       create table use (id int primary key, kind_id int not null, also_id int)`,
    );
  const kinds = () => p.star.any("select id, word from dim_kind order by id");

  it("are named with the batch that made them, and counted", async () => {
    await shop();
    await p.shop.none("insert into use values (1, 5, null)");
    await runWith(p, both);
    await p.shop.none("insert into use values (2, 6, 5), (3, 7, 6)");
    await runWith(p, both);
    expect(
      await p.star.any("select table_name, key, batch from etl.inferred_member order by key"),
    ).to.deep.equal([
      { table_name: "dim_kind", key: "5", batch: "1" },
      { table_name: "dim_kind", key: "6", batch: "2" },
      { table_name: "dim_kind", key: "7", batch: "2" },
    ]);
    const { receipt } = await p.star.one<{ receipt: object }>(
      "select receipt from etl.batch_load where batch = 2",
    );
    expect(receipt).to.deep.include({ inferred: { dim_kind: 2 }, inferredMembers: 3 });
    expect((await loadWith(p, both)).inferredMembers).to.equal(3);
  });

  it("are described in the catalogue", async () => {
    await shop();
    await runWith(p, both);
    const { comment } = await p.star.one<{ comment: string }>(
      "select obj_description('etl.inferred_member'::regclass) as comment",
    );
    expect(comment).to.match(/^One row per inferred member there is now/);
  });

  // What happens in the shop between two runs, and what is in the warehouse after each: the dimension, and the inferred ones.
  const ORDERS: readonly [
    name: string,
    steps: readonly [sql: string, kinds: string, inferred: string][],
  ][] = [
    [
      "the fact first",
      [
        ["insert into use values (1, 5, null)", "5 unknown", "5"],
        ["insert into kind values (5, 'real')", "5 real", ""],
      ],
    ],
    [
      "both at once",
      [["insert into use values (1, 5, 5); insert into kind values (5, 'real')", "5 real", ""]],
    ],
    [
      "the dimension first",
      [
        ["insert into kind values (5, 'real')", "5 real", ""],
        ["insert into use values (1, 5, null)", "5 real", ""],
      ],
    ],
    [
      "the fact, a dimension's row that does not fit, the row put right",
      [
        ["insert into use values (1, 5, null)", "5 unknown", "5"],
        ["insert into kind values (5, 'bad')", "5 unknown", "5"],
        ["update kind set word = 'real'", "5 real", ""],
      ],
    ],
    [
      "a dimension's row that does not fit, then the fact, then the row put right",
      [
        ["insert into kind values (5, 'bad')", "", ""],
        ["insert into use values (1, 5, null)", "5 unknown", "5"],
        ["update kind set word = 'real'", "5 real", ""],
      ],
    ],
    [
      "the fact first, and a real row that looks like the inferred one",
      [
        ["insert into use values (1, 5, null)", "5 unknown", "5"],
        ["insert into kind values (5, 'unknown')", "5 unknown", ""],
      ],
    ],
    [
      "the fact first, and others of the dimension around and beyond it before its own",
      [
        ["insert into use values (1, 5, 8)", "5 unknown, 8 unknown", "5 8"],
        [
          "insert into kind values (6, 'six'), (7, 'seven')",
          "5 unknown, 6 six, 7 seven, 8 unknown",
          "5 8",
        ],
        [
          "insert into kind values (1, 'one'), (4, 'four')",
          "1 one, 4 four, 5 unknown, 6 six, 7 seven, 8 unknown",
          "5 8",
        ],
        [
          "insert into kind values (8, 'eight'), (9, 'nine')",
          "1 one, 4 four, 5 unknown, 6 six, 7 seven, 8 eight, 9 nine",
          "5",
        ],
        [
          "insert into kind values (5, 'real')",
          "1 one, 4 four, 5 real, 6 six, 7 seven, 8 eight, 9 nine",
          "",
        ],
      ],
    ],
    [
      "the fact first, again after its dimension's row",
      [
        ["insert into use values (1, 5, null)", "5 unknown", "5"],
        ["insert into kind values (5, 'real')", "5 real", ""],
        ["update use set also_id = 5", "5 real", ""],
        ["update kind set word = 'other'", "5 other", ""],
      ],
    ],
  ];
  for (const [name, steps] of ORDERS)
    it(`are replaced by the real row: ${name}`, async () => {
      await shop();
      await runWith(p, both);
      for (const [sql, wanted, inferred] of steps) {
        await p.shop.none(sql);
        await runWith(p, both);
        const found = (await kinds()) as { id: number; word: string }[];
        expect(found.map(({ id, word }) => `${id} ${word}`).join(", "), sql).to.equal(wanted);
        expect(
          (await members(p)).map((one) => one.replace("dim_kind ", "")).join(" "),
          sql,
        ).to.equal(inferred);
      }
      const before = [await kinds(), await members(p)];
      await p.star.none(
        "drop schema public cascade; drop schema etl cascade; create schema public",
      );
      await loadWith(p, both);
      expect([await kinds(), await members(p)]).to.deep.equal(before);
    });

  // A straight COPY checks for nothing: it would fail where it met one.
  for (const [type, column, sqlType, values] of [
    ["integer", integer, "int", ["5", "4", "6"]],
    ["bigint", bigint, "bigint", ["9007199254740993", "9007199254740992", "9007199254740994"]],
    ["boolean", boolean, "boolean", ["true", "false"]],
    ["text", text, "text", ["m", "a", "z", "", "e'\"{},\\é😀", "l".repeat(3000)]],
    ["date", date, "date", ["2024-01-02", "2024-01-01", "2024-01-03"]],
    ["timestamptz", timestamptz, "timestamptz", ["2024-01-02T00:00:00.5Z", "2024-01-01T00:00:00Z"]],
    ["decimal", decimal(7, 2), "numeric(7,2)", ["5.50", "5.49", "5.51"]],
  ] as [string, Column, string, string[]][])
    it(`are replaced whatever the type of the key: ${type}`, async () => {
      const thing = defineSource("thing", { id: key(column) as never, word: text });
      const ref = defineSource("ref", { id: key(integer), thing_id: column as never });
      const tables: readonly Table[] = tablesOf(
        defineTable({
          name: "dim_thing",
          description: "One row per thing.",
          source: thing,
          columns: { id: key(column), word: text },
          format: (row: object) => ({ ...row }),
        } as never),
        defineTable({
          name: "fact_ref",
          description: "One row per version of a reference.",
          source: ref,
          columns: {
            record_id: serial,
            id: key(integer),
            thing_id: references("dim_thing", column),
          },
          format: (row: object) => ({ ...row }),
        } as never),
      );
      await p.shop.none(
        `drop table if exists thing, ref; create table thing (id ${sqlType} primary key, word text not null);
         create table ref (id int primary key, thing_id ${sqlType} not null)`,
      );
      for (const [n, value] of values.entries())
        await p.shop.none("insert into ref values ($1, $2)", [n, value]);
      await runWith(p, tables);
      expect(await members(p)).to.have.length(values.length);
      for (const [n, value] of values.entries()) {
        await p.shop.none("insert into thing values ($1, $2)", [value, `word ${n}`]);
        await runWith(p, tables);
        expect(await members(p)).to.have.length(values.length - n - 1);
      }
      const words = await p.star.any("select word from dim_thing order by word");
      expect(words).to.deep.equal(values.map((_, n) => ({ word: `word ${n}` })));
    });

  describe("of a dimension that refers to others", () => {
    const region = defineSource("region", { id: key(text), word: text });
    const country = defineSource("country", { id: key(integer), region_id: text });
    const city = defineSource("city", {
      id: key(integer),
      country_id: integer,
      twin: nullable(integer),
    });
    const visit = defineSource("visit", { id: key(integer), city_id: integer });
    const chain = tablesOf(
      defineTable({
        name: "dim_region",
        description: "One row per region.",
        source: region,
        columns: { id: key(text), word: text },
        format: (row) => ({ ...row }),
      }),
      defineTable({
        name: "dim_country",
        description: "One row per country.",
        source: country,
        columns: { id: key(integer), region_id: references("dim_region", text) },
        format: (row) => ({ ...row }),
      }),
      defineTable({
        name: "dim_city",
        description: "One row per city.",
        source: city,
        columns: {
          id: key(integer),
          country_id: references("dim_country", integer),
          twin: references("dim_country", nullable(integer)),
        },
        format: (row) => ({ ...row }),
      }),
      // A row of it is a row of a city too: its key refers.
      defineTable({
        name: "dim_town",
        description: "One row per visited city.",
        source: visit,
        columns: { id: key(references("dim_city", integer)) },
        format: ({ city_id }) => [{ id: city_id }],
      }),
      defineTable({
        name: "fact_visit",
        description: "One row per version of a visit.",
        source: visit,
        columns: { record_id: serial, id: key(integer), city_id: references("dim_city", integer) },
        format: (row) => ({ ...row }),
      }),
      defineTable({
        name: "fact_stay",
        description: "One row per stay.",
        source: visit,
        columns: { id: key(integer), town_id: references("dim_town", integer) },
        format: ({ id, city_id }) => ({ id, town_id: city_id }),
      }),
    );
    beforeEach(() =>
      p.shop.none(
        `drop table if exists region, country, city, visit;
         create table region (id text primary key, word text not null);
         create table country (id int primary key, region_id text not null);
         create table city (id int primary key, country_id int not null, twin int);
         create table visit (id int primary key, city_id int not null)`,
      ),
    );

    it("bring members of those along, to the end", async () => {
      await p.shop.none("insert into visit values (1, 7)");
      await runWith(p, chain);
      expect(await members(p)).to.deep.equal(["dim_city 7", "dim_country 0", "dim_region unknown"]);
      expect(await p.star.one("select * from dim_city")).to.deep.equal({
        id: 7,
        country_id: 0,
        twin: null,
      });
      expect(await p.star.one("select * from dim_country")).to.deep.equal({
        id: 0,
        region_id: "unknown",
      });
    });

    it("are made for what a dimension's own row refers to, and replaced from the one end or the other", async () => {
      await p.shop.none("insert into city values (7, 3, 4)");
      await runWith(p, chain);
      const made = ["dim_country 3", "dim_country 4", "dim_region unknown"];
      expect(await members(p)).to.deep.equal(made);
      await p.shop.none("insert into country values (3, 'south')");
      await runWith(p, chain);
      expect(await members(p)).to.deep.equal([
        "dim_country 4",
        "dim_region south",
        "dim_region unknown",
      ]);
      await p.shop.none("insert into region values ('unknown', 'real'), ('south', 'real')");
      await runWith(p, chain);
      expect(await members(p)).to.deep.equal(["dim_country 4"]);
      await p.shop.none("insert into country values (4, 'south')");
      await runWith(p, chain);
      expect(await members(p)).to.deep.equal([]);
    });

    it("are none where nothing is missing: no placeholder is made for nobody", async () => {
      await p.shop.none(
        "insert into region values ('n', 'north'); insert into country values (1, 'n'); insert into city values (7, 1, null); insert into visit values (1, 7)",
      );
      await runWith(p, chain);
      await p.shop.none("insert into visit values (2, 7)");
      await runWith(p, chain);
      expect(await members(p)).to.deep.equal([]);
      expect(await p.star.any("select id from dim_country")).to.deep.equal([{ id: 1 }]);
    });

    it("have the key of what they are a part of", async () => {
      const parts = chain.filter(({ name }) => name !== "fact_visit");
      const stay = parts.map((table) =>
        table.name === "dim_town" ? { ...table, format: () => [] } : table,
      );
      await p.shop.none("insert into visit values (1, 7)");
      await runWith(p, stay);
      expect(await members(p)).to.deep.equal([
        "dim_city 7",
        "dim_country 0",
        "dim_region unknown",
        "dim_town 7",
      ]);
    });
  });

  describe("and rows that are gone from the source", () => {
    /** A run that is told that these rows may be gone. */
    const repair = async (
      tables: readonly Table[],
      named: Readonly<Record<string, readonly string[]>>,
    ): Promise<void> => {
      const keys = Object.entries(named).map(
        ([source, ids]) => [source, ids.map((id) => ({ id }))] as const,
      );
      await ingestWith(p, tables, { named: new Map(keys) });
      await transformWith(p, tables);
      await loadWith(p, tables);
    };

    it("are what a row becomes that others refer to, until it comes back", async () => {
      await shop();
      await p.shop.none("insert into use values (1, 5, null); insert into kind values (5, 'real')");
      await runWith(p, both);
      await p.shop.none("delete from kind");
      await repair(both, { kind: ["5"] });
      expect(await kinds()).to.deep.equal([{ id: 5, word: "unknown" }]);
      expect(
        await p.star.any("select table_name, key, batch from etl.inferred_member"),
      ).to.deep.equal([{ table_name: "dim_kind", key: "5", batch: "2" }]);
      // Once more is no news.
      await repair(both, { kind: ["5"] });
      const { receipt } = await p.star.one<{ receipt: object }>(
        "select receipt from etl.batch_load where kind = 'resync' order by batch desc limit 1",
      );
      expect(receipt).to.deep.include({ inferred: {}, inferredMembers: 1 });
      await p.shop.none("insert into kind values (5, 'back')");
      await runWith(p, both);
      expect(await kinds()).to.deep.equal([{ id: 5, word: "back" }]);
      expect(await members(p)).to.deep.equal([]);
    });

    it("are none any more where nothing refers to them", async () => {
      await shop();
      await p.shop.none("insert into use values (1, 5, null), (2, 6, null)");
      await runWith(p, both);
      await p.shop.none("delete from use where id = 1");
      await repair(both, { use: ["1"], kind: ["5", "6"] });
      expect(await kinds()).to.deep.equal([{ id: 6, word: "unknown" }]);
      expect(await members(p)).to.deep.equal(["dim_kind 6"]);
    });

    it("bring along what their placeholders refer to, where they are made alone", async () => {
      const city = defineSource("city", { id: key(integer), kind_id: integer });
      const visit = defineSource("visit", { id: key(integer), city_id: integer });
      const tables = tablesOf(
        dim_kind,
        defineTable({
          name: "dim_city",
          description: "One row per city.",
          source: city,
          columns: { id: key(integer), kind_id: references("dim_kind", integer) },
          format: (row) => ({ ...row }),
        }),
        defineTable({
          name: "fact_visit",
          description: "One row per version of a visit.",
          source: visit,
          columns: {
            record_id: serial,
            id: key(integer),
            city_id: references("dim_city", integer),
          },
          format: (row) => ({ ...row }),
        }),
      );
      await shop();
      await p.shop.none(
        `drop table if exists city, visit;
         create table city (id int primary key, kind_id int not null);
         create table visit (id int primary key, city_id int not null);
         insert into kind values (5, 'real'); insert into city values (7, 5), (8, 5); insert into visit values (1, 7)`,
      );
      await runWith(p, tables);
      await p.shop.none("delete from city where id = 8");
      await repair(tables, { city: ["8"] });
      expect(await members(p)).to.deep.equal([]);
      await p.shop.none("delete from city");
      await repair(tables, { city: ["7"] });
      expect(await members(p)).to.deep.equal(["dim_city 7", "dim_kind 0"]);
      expect(await p.star.any("select * from dim_city")).to.deep.equal([{ id: 7, kind_id: 0 }]);
    });
  });

  it("that a new column wants are of no batch", async () => {
    await shop();
    await p.shop.none("insert into use values (1, 5, null); insert into kind values (5, 'real')");
    const { also_id: _, kind_id: __, ...columns } = fact_use.columns;
    const small = defineTable({ ...fact_use, columns, format: ({ id }) => ({ id }) });
    await runWith(p, tablesOf(dim_kind, small));
    await runWith(p, both);
    expect(
      await p.star.any("select table_name, key, batch from etl.inferred_member"),
    ).to.deep.equal([{ table_name: "dim_kind", key: "0", batch: null }]);
  });

  it("are not counted while no module declares their dimension, and are when one does again", async () => {
    await shop();
    await p.shop.none("insert into use values (1, 5, null)");
    await runWith(p, both);
    const { record_id: _, kind_id: __, also_id: ___, ...columns } = fact_use.columns;
    const alone = defineTable({
      ...fact_use,
      name: "dim_use",
      columns,
      format: ({ id }) => ({ id }),
    });
    expect((await loadWith(p, tablesOf(alone))).inferredMembers).to.equal(0);
    expect((await loadWith(p, both)).inferredMembers).to.equal(1);
    expect(await members(p)).to.deep.equal(["dim_kind 5"]);
  });

  it("are named from now on where the ledger is older than its list of them", async () => {
    await shop();
    await p.shop.none("insert into use values (1, 5, null)");
    await runWith(p, both);
    await p.star.none("drop table etl.inferred_member, etl.quarantine");
    await p.shop.none("insert into use values (2, 6, null)");
    await runWith(p, both);
    expect(await members(p)).to.deep.equal(["dim_kind 6"]);
    expect(await p.star.one("select count(*)::int as n from etl.batch_load")).to.deep.equal({
      n: 2,
    });
  });
});
