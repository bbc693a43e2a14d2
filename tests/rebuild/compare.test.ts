// Two warehouses side by side: keys of every type in the order of the database, however many rows there are.
import { compareWarehouses, type RowDifference } from "../../src/rebuild/compare-warehouses.ts";
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
  serial,
  text,
  timestamp,
  timestamptz,
  type Table,
} from "../../src/table.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { tablesOf } from "../support/stages.ts";
import { openLive, openRebuilt } from "./history.ts";

const anything = defineSource("anything", { id: key(integer) });
/** A table of one kind of key, its columns `k` and `n`. */
const keyed = (name: `dim_${string}`, of: Parameters<typeof key>[0]): Table =>
  tablesOf(
    defineTable({
      name,
      description: "One row per key.",
      source: anything,
      columns: { k: key(of), n: nullable(integer) },
      format: () => [],
    }),
  )[0]!;

/** Keys of each type, in no order: their SQL type, and each as SQL reads it and as it is told. */
const KEYS: [of: Parameters<typeof key>[0], type: string, texts: string[]][] = [
  [integer, "int", ["-5", "10", "9", "0", "2147483647", "-2147483648"]],
  [bigint, "bigint", ["9007199254740993", "-9007199254740993", "10", "9"]],
  [decimal(6, 2), "numeric(6,2)", ["-10.00", "-9.99", "9.99", "10.00", "0.10", "-0.10"]],
  [boolean, "boolean", ["true", "false"]],
  [
    text,
    "varchar",
    ["", "a", "B", "b", "é", "z", "\u{ff01}", "\u{1f600}", 'q"\\', "line\nbreak", "a b", "a-b"],
  ],
  [date, "date", ["0001-01-01", "9999-12-31", "1969-12-31", "1970-01-01"]],
  [
    timestamp,
    "timestamp",
    [
      "2026-01-01 00:00:00",
      "2026-01-01 00:00:00.5",
      "2026-01-01 00:00:00.45",
      "0001-01-01 00:00:00",
    ],
  ],
  [
    timestamptz,
    "timestamptz",
    ["2026-01-01 00:00:00+00", "2026-01-01 00:00:00.000001+00", "2026-01-01 00:00:01+00"],
  ],
];

/** The live one sorts texts in a way of its own, in which "a" is before "B". */
const collation = (schema: string, type: string): string =>
  type === "varchar" && schema === "public" ? 'collate "und-x-icu"' : "";

describe("the comparison of two warehouses", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 0 });
    await p.star.none("create schema again");
  });
  after(closeAll);

  async function compare(
    ...tables: readonly Table[]
  ): Promise<{ found: RowDifference[]; rows: Record<string, number>; differing: object }> {
    const [rebuilt, live] = [await openRebuilt(p, "again"), await openLive(p)];
    const found: RowDifference[] = [];
    try {
      const compared = await compareWarehouses(rebuilt, live, tables, (one) => found.push(one));
      return { found, ...compared };
    } finally {
      await rebuilt.close();
      await live.close();
    }
  }

  for (const [of, type, texts] of KEYS)
    it(`meets rows by a key of the type ${type}, whichever is missing, extra or different`, async () => {
      const table = keyed(`dim_${of.type}`, of);
      for (const schema of ["again", "public"])
        await p.star.none(
          `create table $1:name.$2:name (k ${type} ${collation(schema, type)} primary key, n int);
           insert into $1:name.$2:name select k::${type}, 1 from unnest($3::text[]) k`,
          [schema, table.name, texts],
        );
      expect(await compare(table)).to.deep.equal({
        found: [],
        rows: { [table.name]: texts.length },
        differing: {},
      });
      // Each key in turn, at each side, and a value.
      for (const k of texts) {
        const about = { table: table.name, key: { k } };
        const one = `from $1:name.$2:name where k = $3::${type}`;
        const where = ["public", table.name, k];
        await p.star.none(`delete ${one}`, ["again", table.name, k]);
        expect((await compare(table)).found, `missing ${k}`).to.deep.equal([
          { ...about, kind: "missing" },
        ]);
        await p.star.none(`insert into again.$2:name select * ${one}`, where);
        await p.star.none(`delete ${one}`, where);
        expect((await compare(table)).found, `extra ${k}`).to.deep.equal([
          { ...about, kind: "extra" },
        ]);
        await p.star.none(`insert into public.$2:name select k, null ${one}`, [
          "again",
          table.name,
          k,
        ]);
        expect((await compare(table)).found, `different ${k}`).to.deep.equal([
          { ...about, kind: "different", column: "n", rebuilt: "1", live: null },
        ]);
        await p.star.none(`update $1:name.$2:name set n = 1 where k = $3::${type}`, where);
      }
    });

  const [versions] = tablesOf(
    defineTable({
      name: "fact_state",
      description: "One row per version of a state.",
      source: anything,
      columns: { record_id: serial, a: key(integer), b: key(text), n: integer },
      format: () => [],
    }),
  );

  it("finds each of a thousand planted differences among 30,000 versions of rows, and none besides", async () => {
    for (const schema of ["again", "public"])
      await p.star.none(
        `create table $1:name.fact_state (record_id serial primary key, a int not null, b varchar not null, n int not null);
         insert into $1:name.fact_state (a, b, n)
         select r, 'b' || r % 7, v from generate_series(1, 3) v, generate_series(1, 10000) r`,
        [schema],
      );
    // Other gaps, the same versions.
    await p.star.none("update again.fact_state set record_id = record_id * 2 + 100000");
    const none = await compare(versions!);
    expect(none).to.deep.equal({ found: [], rows: { fact_state: 30_000 }, differing: {} });
    await p.star.none(`
      update again.fact_state set n = -1 where n = 2 and a % 30 = 0;
      delete from again.fact_state where n = 3 and a % 30 = 1;
      insert into again.fact_state (record_id, a, b, n)
      select r, r + 10000, 'new', 1 from generate_series(1, 333) r`);
    const { found, differing } = await compare(versions!);
    const expected = [
      ...Array.from({ length: 333 }, (_, i) => ({
        table: "fact_state",
        key: { a: String(30 * (i + 1)), b: `b${(30 * (i + 1)) % 7}` },
        version: 2,
        kind: "different",
        column: "n",
        rebuilt: "-1",
        live: "2",
      })),
      ...Array.from({ length: 334 }, (_, i) => ({
        table: "fact_state",
        key: { a: String(30 * i + 1), b: `b${(30 * i + 1) % 7}` },
        version: 3,
        kind: "missing",
      })),
      ...Array.from({ length: 333 }, (_, i) => ({
        table: "fact_state",
        key: { a: String(10_001 + i), b: "new" },
        version: 1,
        kind: "extra",
      })),
    ];
    const sorted = (all: object[]): string[] => all.map((one) => JSON.stringify(one)).toSorted();
    expect(sorted(found)).to.deep.equal(sorted(expected));
    expect(differing).to.deep.equal({ fact_state: 1000 });
  });

  it("sees each digit of a live column that is wider than its declaration", async () => {
    const price = tablesOf(
      defineTable({
        name: "dim_price",
        description: "One row per price.",
        source: anything,
        columns: { k: key(decimal(6, 2)), price: decimal(10, 2) },
        format: () => [],
      }),
    );
    await p.star.none(`
      create table again.dim_price (k numeric(6, 2) primary key, price numeric(10, 2) not null);
      insert into again.dim_price values (-1.25, 2.50), (1, 2.50), (2, 0), (10, 1);
      create table public.dim_price (k numeric(8, 4) primary key, price numeric not null);
      insert into public.dim_price values (-1.25, 2.5), (1, 2.5049), (1.0001, 1), (2, 0.0000), (10, 1)`);
    expect((await compare(...price)).found).to.deep.equal([
      {
        table: "dim_price",
        key: { k: "1.00" },
        kind: "different",
        column: "price",
        rebuilt: "2.50",
        live: "2.5049",
      },
      { table: "dim_price", key: { k: "1.0001" }, kind: "missing" },
    ]);
  });

  it("is refused where the live warehouse has no such table or column", async () => {
    const table = keyed("dim_later", integer);
    await p.star.none("create table again.dim_later (k int primary key, n int)");
    const refusal = (lacks: string): string =>
      `the live warehouse has no ${lacks}, which tables/ declares: rebuild with the code that is deployed, or --no-compare`;
    await expect(compare(table)).to.be.rejectedWith(refusal("dim_later"));
    await p.star.none("create table public.dim_later (k int primary key)");
    await expect(compare(table)).to.be.rejectedWith(refusal("dim_later.n"));
  });
});
