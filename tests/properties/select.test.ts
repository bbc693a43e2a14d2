// A source row's line of JSON is what row_to_json makes of it, but for numbers beyond a double's reach, which are text.
import fc from "fast-check";
import { Queries } from "../../src/ingestion/select.ts";
import { readCatalogue } from "../../src/postgres/catalogue.ts";
import {
  bigint,
  decimal,
  defineSource,
  defineTable,
  integer,
  key,
  type Columns,
} from "../../src/table.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { tablesOf } from "../support/stages.ts";
import { assertOften } from "./runs.ts";

/** A column's type, SQL of some values, and whether it goes as PostgreSQL's text of it. */
interface Type {
  readonly sql: string;
  readonly values: readonly string[];
  readonly asText?: true;
  readonly declared?: Columns[string];
}

const anyTexts = [
  "''",
  "'a'",
  String.raw`'\\ "" '' / {} [] null'`,
  String.raw`E'\t\n\r\b\f\x01\x1f\x7f'`,
  "'é 👜 \u2028\ufeff'",
  "repeat('x', 10000)",
];
const TYPES: readonly Type[] = [
  { sql: "int2", values: ["-32768", "0"] },
  { sql: "int4", values: ["2147483647", "-1", "0"] },
  { sql: "int4", values: ["2147483647", "-1"], declared: bigint, asText: true },
  { sql: "int2", values: ["7", "-1"], declared: decimal(10, 2), asText: true },
  { sql: "int8", values: ["9223372036854775807", "9007199254740993", "0"], asText: true },
  { sql: "numeric", values: ["'NaN'", "'-Infinity'", "1e40", "0.10", "-1.00"], asText: true },
  { sql: "numeric(10, 2)", values: ["12.3", "-99999999.99", "0"], asText: true },
  { sql: "float8", values: ["1.5", "'1e300'", "'NaN'", "'-Infinity'", "0.1", "'-0'"] },
  { sql: "float4", values: ["0.1", "'NaN'", "'1e-30'"] },
  { sql: "bool", values: ["true", "false"] },
  { sql: "text", values: anyTexts },
  { sql: "varchar", values: anyTexts },
  { sql: "character(3)", values: ["'a'", "''", "'abc'"] },
  { sql: "name", values: ["'a'", `'"'`] },
  { sql: "mood", values: [`'sad "'`, "'glad'"] },
  { sql: "uuid", values: ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"] },
  { sql: "date", values: ["'2024-02-29'", "'infinity'", "'0044-03-15 BC'", "'10000-01-01'"] },
  { sql: "time", values: ["'14:20:52.1'", "'00:00'", "'24:00'"] },
  { sql: "timetz", values: ["'14:20:52.1+02'"] },
  { sql: "timestamp", values: ["'2024-02-29 14:20:52.100'", "'-infinity'", "'0044-03-15 BC'"] },
  { sql: "timestamptz", values: ["'2024-02-29 14:20:52.1+05:30'", "'infinity'"] },
  { sql: "whole", values: ["5"] },
  { sql: "jsonb", values: [`'{"a": [1, null]}'`], asText: true },
  { sql: "json", values: [`'{"a" : 1.0}'`], asText: true },
  { sql: "int4[]", values: ["'{1,null}'", "'{}'"], asText: true },
  { sql: "bytea", values: [String.raw`'\x00ff'`], asText: true },
  { sql: "interval", values: ["'1 mon 2 days 03:04:05.6'"], asText: true },
  { sql: "inet", values: ["'::1'"], asText: true },
  { sql: "money", values: ["'1.50'"], asText: true },
  { sql: "point", values: ["'(1,2)'"], asText: true },
];

interface Wide {
  readonly columns: readonly { type: Type; name: string; isNullable: boolean }[];
  /** Each value by its number among its type's; where that is too great, null. */
  readonly rows: readonly (readonly number[])[];
}

const anyName = fc.oneof(
  fc.constantFrom(
    `it's`,
    `"quoted"`,
    "a b",
    "; drop table wide; --",
    "$1",
    "\\",
    "é",
    "null",
    "%s",
  ),
  // PostgreSQL cuts a name after 63 bytes.
  fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 20 }),
);

/** More columns than go into one call of a function, now and then. */
const anyWide: fc.Arbitrary<Wide> = fc
  .uniqueArray(
    fc.record({ type: fc.constantFrom(...TYPES), name: anyName, isNullable: fc.boolean() }),
    { maxLength: 60, size: "max", selector: ({ name }) => name },
  )
  .chain((columns) =>
    fc.record({
      columns: fc.constant(columns.filter(({ name }) => name !== "id")),
      rows: fc.array(
        fc.array(fc.nat(6), { minLength: columns.length, maxLength: columns.length }),
        { minLength: 1, maxLength: 4 },
      ),
    }),
  );

describe("a source row's line", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 0 });
    await p.shop.none(
      `create type mood as enum ('sad "', 'glad'); create domain whole as int4 check (value > 0)`,
    );
  });
  after(closeAll);

  const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;

  async function isItsRow({ columns, rows }: Wide): Promise<void> {
    const definitions = columns.map(
      ({ name, type, isNullable }) =>
        `, ${quote(name)} ${type.sql}${isNullable ? "" : " not null"}`,
    );
    await p.shop.none(
      `drop table if exists wide; create table wide (id int primary key${definitions.join("")})`,
    );
    for (const [id, row] of rows.entries()) {
      const values = columns.map(({ type: { values: of }, isNullable }, i) =>
        isNullable && row[i]! >= of.length ? "null" : of[row[i]! % of.length],
      );
      await p.shop.none(`insert into wide values (${[id, ...values].join(", ")})`);
    }

    const declared = Object.fromEntries(
      columns.flatMap(({ name, type }) => (type.declared ? [[name, type.declared]] : [])),
    );
    const source = defineSource("wide", { ...declared, id: key(integer) });
    const tables = tablesOf(
      defineTable({
        name: "dim_wide",
        description: "One row per number.",
        source,
        columns: { id: key(integer) },
        format: ({ id }) => ({ id }),
      }),
    );
    const whole = { kind: "backfill", reasons: [], since: null, whole: new Set(["wide"]) } as const;
    const queries = new Queries(tables, await readCatalogue(p.shop, [source]), whole, {});
    const lines = await p.shop.map<string>(
      queries.driving(source, null),
      undefined,
      (row: object) => String(Object.values(row)[0]),
    );

    const plain = columns.map(({ name, type }) =>
      type.asText ? `, ${quote(name)}::text` : `, ${quote(name)}`,
    );
    const expected = await p.shop.map<string>(
      `select row_to_json(r)::text as line from (select id${plain.join("")} from wide order by id) r`,
      undefined,
      ({ line }: { line: string }) => line,
    );
    expect(lines).to.deep.equal(expected);
  }

  it("is what row_to_json says, byte for byte, whatever the columns are", async () => {
    await assertOften("a source row's line", fc.asyncProperty(anyWide, isItsRow), 40);
  });
});
