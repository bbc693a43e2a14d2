// A value that PostgreSQL has arrives in PostgreSQL as the same value, or is refused: by way of JSON, checks and text.
import fc from "fast-check";
import {
  bigint,
  boolean,
  date,
  decimal,
  integer,
  text,
  time,
  timestamp,
  timestamptz,
  type Column,
} from "../../src/columns.ts";
import { store, toText } from "../../src/values.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { assertOften } from "./runs.ts";

const micros = (min: string, max: string): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.date({ min: new Date(min), max: new Date(max), noInvalidDate: true }),
      fc.integer({ min: 0, max: 999 }),
      fc.integer({ min: 0, max: 6 }),
    )
    .map(([at, more, digits]) => {
      const [whole, fraction] = at.toISOString().slice(0, -1).split(".") as [string, string];
      return digits === 0
        ? whole
        : `${whole}.${`${fraction}${String(more).padStart(3, "0")}`.slice(0, digits)}`;
    });
const digits = fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n });
/** `12345` at scale 2 is `123.45`. */
const scaled = (unscaled: bigint, scale: number): string => {
  const size = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
  const sign = unscaled < 0n ? "-" : "";
  return scale === 0 ? sign + size : `${sign}${size.slice(0, -scale)}.${size.slice(-scale)}`;
};
const decimals = (precision: number, scale: number): fc.Arbitrary<string> =>
  digits.map((some) => scaled(some % 10n ** BigInt(precision), scale));

interface Kind {
  readonly column: Column;
  readonly sql: string;
  /** Values that must arrive. */
  readonly fitting: fc.Arbitrary<string>;
  /** Values that PostgreSQL has, and the column must refuse. */
  readonly refused: readonly string[];
}

const KINDS: Readonly<Record<string, Kind>> = {
  integer: {
    column: integer,
    sql: "int4",
    fitting: fc.integer().map(String),
    refused: [],
  },
  bigint: {
    column: bigint,
    sql: "int8",
    fitting: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
    refused: [],
  },
  boolean: {
    column: boolean,
    sql: "boolean",
    fitting: fc.boolean().map(String),
    refused: [],
  },
  text: {
    column: text,
    sql: "text",
    fitting: fc.string({ unit: "binary" }).map((some) => some.replaceAll("\0", "")),
    refused: [],
  },
  date: {
    column: date,
    sql: "date",
    fitting: micros("0001-01-01", "9999-12-31").map((some) => some.slice(0, 10)),
    refused: ["infinity", "-infinity", "0001-12-31 BC", "10000-01-01"],
  },
  time: {
    column: time,
    sql: "time",
    fitting: micros("2024-01-01", "2024-12-31").map((some) => some.slice(11)),
    refused: ["24:00:00"],
  },
  timestamp: {
    column: timestamp,
    sql: "timestamp",
    fitting: micros("0001-01-01", "9999-12-31"),
    refused: ["infinity", "-infinity", "0001-12-31 23:59:59 BC", "10000-01-01"],
  },
  timestamptz: {
    column: timestamptz,
    sql: "timestamptz",
    fitting: fc
      .tuple(micros("0002-01-01", "9998-12-31"), fc.integer({ min: -15, max: 15 }))
      .map(
        ([at, hours]) =>
          `${at}${hours < 0 ? "-" : "+"}${String(Math.abs(hours)).padStart(2, "0")}:30`,
      ),
    refused: ["infinity", "-infinity", "0001-12-31 12:00:00+00 BC", "10000-01-02 00:00:00+00"],
  },
  "decimal(10,2)": {
    column: decimal(10, 2),
    sql: "numeric",
    fitting: decimals(10, 2),
    refused: ["NaN", "Infinity", "100000000.00", "0.001"],
  },
  "decimal(38,10)": {
    column: decimal(38, 10),
    sql: "numeric",
    fitting: decimals(38, 10),
    refused: ["NaN", "-Infinity", "1e28", "0.00000000001"],
  },
};

describe("a value of PostgreSQL's", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 0 });
  });
  after(closeAll);

  /** What a source row's JSON has of each. */
  const asJson = (values: readonly string[], sql: string): Promise<unknown[]> => {
    const isNumber = sql === "int8" || sql === "numeric";
    return p.shop.map<unknown>(
      `select to_json(v::${sql}${isNumber ? "::text" : ""})::text as json
         from unnest($1::text[]) with ordinality as u(v, n) order by n`,
      [values],
      ({ json }: { json: string }) => JSON.parse(json) as unknown,
    );
  };

  for (const [name, { column, sql, fitting, refused }] of Object.entries(KINDS)) {
    it(`arrives as it is: ${name}`, async () => {
      const arrive = async (values: string[]): Promise<void> => {
        const written = (await asJson(values, sql)).map((value) =>
          toText(column, store(column, value)),
        );
        const { lost } = await p.shop.one<{ lost: string[] }>(
          `select coalesce(json_agg(a), '[]') as lost from unnest($1::text[], $2::text[]) as u(a, b)
            where a::${sql} is distinct from b::${sql}`,
          [values, written],
        );
        expect(lost).to.deep.equal([]);
      };
      await assertOften(
        `arrives as it is: ${name}`,
        fc.asyncProperty(fc.array(fitting, { maxLength: 100, size: "max" }), arrive),
        30,
      );
    });

    if (refused.length > 0)
      it(`is refused where no other can hold it: ${name}`, async () => {
        for (const value of await asJson(refused, sql))
          expect(() => store(column, value), String(value)).to.throw("is not");
      });
  }
});
