// A run goes on after a key: whatever the key is, that must be exactly the rest of what PostgreSQL's own order has.
import fc from "fast-check";
import { inRange, keyIn, sameKey, type Key } from "../../src/ingestion/keyset.ts";
import { Queries } from "../../src/ingestion/select.ts";
import { readCatalogue } from "../../src/postgres/catalogue.ts";
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
  text,
  time,
  timestamp,
  timestamptz,
  type Column,
} from "../../src/table.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { tablesOf } from "../support/stages.ts";
import { assertOften } from "./runs.ts";

interface KeyType {
  readonly sql: string;
  readonly column: Column;
  /** Few, in an order in which a key that is compared in some other way goes wrong. */
  readonly values: readonly string[];
}

const TYPES: readonly KeyType[] = [
  { sql: "int2", column: integer, values: ["-32768", "-1", "0", "9", "10"] },
  { sql: "int4", column: integer, values: ["-2147483648", "-9", "-10", "9", "10"] },
  {
    sql: "int8",
    column: bigint,
    values: ["9007199254740993", "9007199254740992", "-5", "10", "9"],
  },
  { sql: "numeric", column: decimal(38, 4), values: ["1.0", "1.00", "1", "10", "9.5", "-0.0001"] },
  { sql: "numeric(10, 2)", column: decimal(10, 2), values: ["10", "9.99", "-9.99", "0"] },
  { sql: "text", column: text, values: ["a", "B", "ä", "", "a b", "'", '"', "\\", "ab"] },
  { sql: 'text collate "C"', column: text, values: ["a", "B", "ä", "", "\t", "z"] },
  { sql: 'text collate "en-x-icu"', column: text, values: ["a", "A", "ä", "b", "-a", "Z"] },
  { sql: "text collate ignore_case", column: text, values: ["a", "A", "b", "B", "É", "é"] },
  { sql: "varchar(5)", column: text, values: ["10", "9", "a", "", " "] },
  { sql: "character(4)", column: text, values: ["a", "a ", "b", ""] },
  { sql: "name", column: text, values: ["a", "B", "_"] },
  {
    sql: "uuid",
    column: text,
    values: [
      "00000000-0000-0000-0000-000000000000",
      "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
      "ffffffff-ffff-4fff-bfff-ffffffffffff",
    ],
  },
  { sql: "boolean", column: boolean, values: ["true", "false"] },
  { sql: "mood", column: text, values: ["z", "m", "a", "it's"] },
  { sql: "date", column: date, values: ["0044-03-15 BC", "2024-02-29", "infinity", "10000-01-01"] },
  { sql: "time", column: time, values: ["00:00", "09:05:07.12", "24:00"] },
  {
    sql: "timestamp",
    column: timestamp,
    values: ["0044-03-15 BC", "2024-02-29 00:00:00.000001", "-infinity", "294276-12-31"],
  },
  {
    sql: "timestamptz",
    column: timestamptz,
    values: ["2024-10-27 01:30+01", "2024-10-27 01:30+00", "infinity", "0001-01-01 BC"],
  },
];

interface KeyColumn extends KeyType {
  readonly name: string;
  readonly isNullable: boolean;
}

/** A table's key, and rows of it: each value by its number among its type's, null by -1. */
interface Keyed {
  readonly columns: readonly KeyColumn[];
  /** None, or unique: then by the columns in another order than they are declared in. */
  readonly index: "none" | "unique" | "turned";
  readonly rows: readonly (readonly number[])[];
}

const anyKeyed: fc.Arbitrary<Keyed> = fc.record({
  columns: fc
    .array(fc.record({ type: fc.constantFrom(...TYPES), isNullable: fc.boolean() }), {
      minLength: 1,
      maxLength: 3,
    })
    .map((columns) =>
      columns.map(({ type, isNullable }, i) => ({ ...type, isNullable, name: `it's "k" ${i}` })),
    ),
  index: fc.constantFrom("none", "unique", "turned"),
  rows: fc.array(fc.array(fc.nat(9), { minLength: 3, maxLength: 3 }), { maxLength: 12 }),
});

describe("a key", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 0 });
    await p.shop.none(
      `create type mood as enum ('z', 'm', 'a', 'it''s');
       create collation ignore_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
    );
  });
  after(closeAll);

  async function cutsCleanly({ columns, index, rows }: Keyed): Promise<void> {
    const names = columns.map(({ name }) => name);
    const types = columns.map(
      ({ name, sql, isNullable }) =>
        `"${name.replaceAll('"', '""')}" ${sql}${isNullable ? "" : " not null"}`,
    );
    await p.shop.none(
      `drop table if exists keyed; create table keyed (${types.join(", ")}, n int)`,
    );
    const indexed = index === "turned" ? names.toReversed() : names;
    if (index !== "none") await p.shop.none("create unique index on keyed ($1:name)", [indexed]);
    for (const [n, row] of rows.entries()) {
      const values = columns.map(({ values: of, isNullable }, i) =>
        isNullable && row[i] === 9 ? null : of[row[i]! % of.length]!,
      );
      await p.shop.none("insert into keyed values ($1:csv) on conflict do nothing", [
        [...values, n],
      ]);
    }

    const keys = Object.fromEntries(
      columns.map(({ name, column, isNullable }) => [
        name,
        key(isNullable ? nullable(column) : column),
      ]),
    );
    const source = defineSource("keyed", { ...keys, n: integer });
    const tables = tablesOf(
      defineTable({
        name: "dim_keyed",
        description: "One row per number.",
        source,
        columns: { n: key(integer) },
        format: ({ n }) => ({ n }),
      }),
    );
    const catalogue = await readCatalogue(p.shop, [source]);
    const whole = {
      kind: "backfill",
      reasons: [],
      since: null,
      whole: new Set(["keyed"]),
    } as const;
    const queries = new Queries(tables, catalogue, whole, {});
    const read = (after: Key | null): Promise<string[]> =>
      p.shop.map<string>(queries.driving(source, after), undefined, (row: object) =>
        String(Object.values(row)[0]),
      );

    const all = await read(null);
    const keyAt = all.map((line) => keyIn(line, source));
    // Where the rows that have the same key as this one begin, and where they end.
    const starts = keyAt.map((one) => keyAt.findIndex((other) => sameKey(one, other)));
    const ends = keyAt.map((one) => keyAt.findLastIndex((other) => sameKey(one, other)) + 1);
    for (const [i, one] of keyAt.entries()) {
      expect(keyAt.slice(starts[i], ends[i]).every((other) => sameKey(one, other))).to.equal(true);
      // Rows of one key come in any order.
      expect((await read(one)).toSorted()).to.deep.equal(all.slice(ends[i]).toSorted());
    }
    const table = catalogue.get("keyed")!;
    for (const [i, after] of [null, ...keyAt].entries())
      for (const [j, upTo] of [...keyAt.slice(Math.max(0, i - 1)), null].entries()) {
        const from = i === 0 ? 0 : ends[i - 1]!;
        const to = upTo === null ? all.length : ends[Math.max(0, i - 1) + j]!;
        const within = await p.shop.map<number>(
          `select n from keyed t where ${inRange(source, table, "t", { after, upTo })}`,
          [],
          ({ n }: { n: number }) => n,
        );
        const expected = all.slice(from, to).map((line) => (JSON.parse(line) as { n: number }).n);
        expect(within).to.have.members(expected);
      }
  }

  it("of any columns cuts a table where its order does", async () => {
    await assertOften("a key of any columns", fc.asyncProperty(anyKeyed, cutsCleanly), 40);
  });
});
