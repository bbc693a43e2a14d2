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
import type { ParquetCodec } from "../../src/parquet/codec.ts";
import type { FileColumn } from "../../src/parquet/schema.ts";
import type { Stored } from "../../src/values.ts";
import { layoutOf, storedOf, type Vector, vectorOf } from "../../src/vectors.ts";

/** Columns of stored values, as `data[c][r]`, as the vectors that a codec takes. */
export const vectorsOf = (
  columns: readonly FileColumn[],
  data: readonly ArrayLike<Stored>[],
): Vector[] => data.map((stored, c) => vectorOf(columns[c] ?? { type: "integer" }, stored));

export const writeStored = (
  codec: ParquetCodec,
  columns: readonly FileColumn[],
  data: readonly ArrayLike<Stored>[],
): Promise<Buffer> => codec.write(columns, vectorsOf(columns, data));

export const readStored = async (
  codec: ParquetCodec,
  bytes: Buffer,
  columns: readonly FileColumn[],
): Promise<Stored[][]> => (await codec.read(bytes, columns)).map(storedOf);

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
  a_big_decimal: decimal(16, 3),
  a_wide_decimal: decimal(38, 9),
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
  const values = {
    integer: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    bigint: within(-(2n ** 63n), 2n ** 63n - 1n),
    boolean: fc.boolean(),
    text: fc.string({ unit: "binary" }),
    date: fc.integer({ min: -719_162, max: 2_932_896 }),
    time: fc.integer({ min: 0, max: 86_399_999_999 }),
    timestamp: within(FIRST_MICROS, LAST_MICROS),
    timestamptz: within(FIRST_MICROS, LAST_MICROS),
    decimal:
      layoutOf(column) === "float64"
        ? fc.maxSafeInteger().map((n) => n % 10 ** (column.precision ?? 0) || 0)
        : within(
            1n - 10n ** BigInt(column.precision ?? 0),
            10n ** BigInt(column.precision ?? 0) - 1n,
          ),
  };
  const value: fc.Arbitrary<Stored> = values[column.type];
  return column.nullable ? fc.option(value, { nil: null }) : value;
}
