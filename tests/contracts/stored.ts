import fc from "fast-check";
import {
  bigint,
  boolean,
  type Column,
  type Columns,
  date,
  decimal,
  integer,
  nullable,
  text,
  time,
  timestamp,
  timestamptz,
} from "../../src/columns.ts";
import type { FileColumn } from "../../src/parquet/schema.ts";
import type { Stored } from "../../src/values.ts";

/** One column of each type, and each of them with nulls. */
const plain = {
  an_integer: integer,
  a_bigint: bigint,
  a_boolean: boolean,
  a_text: text,
  a_date: date,
  a_time: time,
  a_timestamp: timestamp,
  a_timestamptz: timestamptz,
  a_decimal: decimal(10, 2),
} satisfies Columns;
export const everyType: Columns = {
  ...plain,
  ...Object.fromEntries(
    Object.entries<Column>(plain).map(([name, of]) => [`${name}_or_not`, nullable(of)]),
  ),
};

/** What a codec can hold of 64-bit values. */
export interface CodecLimits {
  /** The bigints it writes: from -(2^bits - 1), and from -2^63 where that is 63. */
  readonly int64Bits: 53 | 63;
}

const FIRST_MICROS = -62_135_596_800_000_000n;
const LAST_MICROS = 253_402_300_799_999_999n;

/** Any value of `column` that a codec of these limits can write, as it is stored. */
export function anyStored(column: FileColumn, { int64Bits }: CodecLimits): fc.Arbitrary<Stored> {
  const end = 2n ** BigInt(int64Bits);
  const within = (min: bigint, max: bigint): fc.Arbitrary<bigint> =>
    fc.bigInt({ min: min > 1n - end ? min : 1n - end, max: max < end - 1n ? max : end - 1n });
  const two = (most: number): fc.Arbitrary<string> =>
    fc.integer({ min: 0, max: most }).map((n) => String(n).padStart(2, "0"));
  const values = {
    integer: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    bigint: within(-(2n ** 63n), 2n ** 63n - 1n),
    boolean: fc.boolean(),
    text: fc.string({ unit: "binary" }),
    date: fc.integer({ min: -719_162, max: 2_932_896 }),
    time: fc
      .tuple(two(23), two(59), two(59), fc.integer({ min: 0, max: 999_999 }))
      .map(([h, m, s, f]) => `${h}:${m}:${s}.${String(f).padStart(6, "0")}`),
    timestamp: within(FIRST_MICROS, LAST_MICROS),
    timestamptz: within(FIRST_MICROS, LAST_MICROS),
    decimal: within(
      1n - 10n ** BigInt(column.precision ?? 0),
      10n ** BigInt(column.precision ?? 0) - 1n,
    ),
  };
  const value: fc.Arbitrary<Stored> = values[column.type];
  return column.nullable ? fc.option(value, { nil: null }) : value;
}
