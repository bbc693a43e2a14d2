/** Rows as PostgreSQL's binary COPY has them: https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.55.9.4 */
import type { Column } from "../columns.ts";
import type { Vector } from "../vectors.ts";

/** What comes before the first block, and after the last. */
export const HEADER = Buffer.from("PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", "latin1");
export const TRAILER = Buffer.from([0xff, 0xff]);
/** What goes into one write: big enough that a write costs nothing, small enough to stay in the processor's cache. */
const BLOCK_BYTES = 128 << 10;
const BLOCK_ROWS = 4096;

/** Days and microseconds from 1970, where we count from, to 2000, where PostgreSQL does. */
const EPOCH_DAYS = 10_957;
const EPOCH_MICROS = 946_684_800_000_000n;

/** How one column's values are written. Each value has its length before it, -1 for null. */
export interface Field {
  readonly nulls: Uint8Array | undefined;
  /** Bytes of a value, or of each row's where they differ. */
  readonly width: number | ((row: number) => number);
  /** Writes a row's value at `at`. */
  readonly put: (block: DataView, at: number, row: number) => void;
}

/**
 * How `vector` is written into a column that is declared as `column` and is `base` in the catalogue
 * (a declared integer may be `int8` there).
 */
export function fieldOf(column: Column, base: string | undefined, vector: Vector): Field {
  const { nulls } = vector;
  switch (vector.layout) {
    case "int32": {
      const { values } = vector;
      if (column.type === "date")
        return {
          nulls,
          width: 4,
          put: (block, at, row) => block.setInt32(at, values[row]! - EPOCH_DAYS),
        };
      if (base === "int8")
        return {
          nulls,
          width: 8,
          put: (block, at, row) => {
            const value = values[row]!;
            block.setInt32(at, value >> 31);
            block.setInt32(at + 4, value);
          },
        };
      return { nulls, width: 4, put: (block, at, row) => block.setInt32(at, values[row]!) };
    }
    case "float64":
      return column.type === "time"
        ? { nulls, width: 8, put: putWhole(vector.values) }
        : smallNumeric(column, vector.values, nulls);
    case "bigint": {
      const { values } = vector;
      if (column.type === "decimal") return bigNumeric(column, values, nulls);
      const epoch = column.type === "bigint" ? 0n : EPOCH_MICROS;
      return {
        nulls,
        width: 8,
        put: (block, at, row) => block.setBigInt64(at, values[row]! - epoch),
      };
    }
    case "boolean": {
      const { values } = vector;
      return { nulls, width: 1, put: (block, at, row) => block.setUint8(at, values[row]!) };
    }
    case "text":
      return textField(vector.values, nulls);
  }
}

/**
 * Rows as blocks for `COPY … FROM STDIN (FORMAT binary)`, written column by column, so that each loop meets one type.
 * A block has at most some 128 KiB, or one row.
 */
export function* copyBlocks(fields: readonly Field[], rows: number): Generator<Buffer> {
  const lengths = rowLengths(fields, rows);
  const cursors = new Int32Array(BLOCK_ROWS);
  for (let from = 0, count = 0; from < rows; from += count) {
    let bytes = 0;
    for (count = 0; count < BLOCK_ROWS && from + count < rows; count++) {
      const length = lengths[from + count]!;
      if (count > 0 && bytes + length > BLOCK_BYTES) break;
      cursors[count] = bytes;
      bytes += length;
    }
    yield blockOf(fields, from, cursors.subarray(0, count), bytes);
  }
}

function rowLengths(fields: readonly Field[], rows: number): Int32Array {
  const lengths = new Int32Array(rows).fill(2 + 4 * fields.length);
  for (const { nulls, width } of fields)
    for (let row = 0; row < rows; row++)
      if (nulls === undefined || nulls[row] === 0)
        lengths[row] = lengths[row]! + (typeof width === "number" ? width : width(row));
  return lengths;
}

/** @param cursors where each row begins in the block; moved on from column to column */
function blockOf(
  fields: readonly Field[],
  from: number,
  cursors: Int32Array,
  bytes: number,
): Buffer {
  const buffer = Buffer.allocUnsafe(bytes);
  const block = new DataView(buffer.buffer, buffer.byteOffset, bytes);
  for (let i = 0; i < cursors.length; i++) {
    block.setInt16(cursors[i]!, fields.length);
    cursors[i] = cursors[i]! + 2;
  }
  for (const { nulls, width, put } of fields)
    for (let i = 0; i < cursors.length; i++) {
      const at = cursors[i]!;
      const row = from + i;
      if (nulls !== undefined && nulls[row] === 1) {
        block.setInt32(at, -1);
        cursors[i] = at + 4;
      } else {
        const length = typeof width === "number" ? width : width(row);
        block.setInt32(at, length);
        put(block, at + 4, row);
        cursors[i] = at + 4 + length;
      }
    }
  return buffer;
}

/** A whole number of up to 53 bits, as one of 64. */
function putWhole(values: Float64Array): Field["put"] {
  return (block, at, row) => {
    const value = values[row]!;
    block.setInt32(at, Math.floor(value / 2 ** 32));
    // Takes what is left below 2³².
    block.setUint32(at + 4, value);
  };
}

// ---- numeric: a head of four 16-bit numbers, then digits to the base of 10,000

const BASE = 10_000;
const BASE_DIGITS = 4;
const HEAD = 8;
const NEGATIVE = 0x4000;

/** How many digits a column's values have before and after the point. Zeros at either end are taken: all values are as wide. */
function numericShape({ precision = 0, scale = 0 }: Column) {
  const whole = Math.ceil((precision - scale) / BASE_DIGITS);
  const fraction = Math.ceil(scale / BASE_DIGITS);
  return { whole, fraction, scale, width: HEAD + 2 * (whole + fraction) };
}

function putHead(
  block: DataView,
  at: number,
  { whole, fraction, scale }: ReturnType<typeof numericShape>,
  negative: boolean,
): void {
  block.setInt16(at, whole + fraction);
  block.setInt16(at + 2, whole - 1);
  block.setInt16(at + 4, negative ? NEGATIVE : 0);
  block.setInt16(at + 6, scale);
}

/** Unscaled values below 2⁵³: the two sides of the point apart, so that each stays exact. */
function smallNumeric(column: Column, values: Float64Array, nulls: Field["nulls"]): Field {
  const shape = numericShape(column);
  const { whole, fraction, scale, width } = shape;
  const unit = 10 ** scale;
  const padding = 10 ** (fraction * BASE_DIGITS - scale);
  const point = HEAD + 2 * whole;
  return {
    nulls,
    width,
    put: (block, at, row) => {
      const value = values[row]!;
      putHead(block, at, shape, value < 0);
      const size = Math.abs(value);
      putDigits(block, at + HEAD, at + point, Math.floor(size / unit));
      putFraction(block, at + point, at + width, size, padding);
    },
  };
}

/** Writes `value` to the base of 10,000, its last digit before `end`; what has no place after `start` is left out. */
function putDigits(block: DataView, start: number, end: number, value: number): void {
  let left = value;
  for (let at = end - 2; at >= start; at -= 2) {
    const rest = Math.floor(left / BASE);
    block.setInt16(at, left - rest * BASE);
    left = rest;
  }
}

/** The last digit is filled up by zeros behind: alone, because with them the whole might be past 2⁵³. */
function putFraction(
  block: DataView,
  start: number,
  end: number,
  value: number,
  padding: number,
): void {
  if (end === start) return;
  const kept = BASE / padding;
  const rest = Math.floor(value / kept);
  block.setInt16(end - 2, (value - rest * kept) * padding);
  putDigits(block, start, end - 2, rest);
}

function bigNumeric(column: Column, values: readonly bigint[], nulls: Field["nulls"]): Field {
  const shape = numericShape(column);
  const { fraction, scale, width } = shape;
  const padding = 10n ** BigInt(fraction * BASE_DIGITS - scale);
  const base = BigInt(BASE);
  return {
    nulls,
    width,
    put: (block, at, row) => {
      const value = values[row]!;
      putHead(block, at, shape, value < 0n);
      let left = (value < 0n ? -value : value) * padding;
      for (let digit = at + width - 2; digit >= at + HEAD; digit -= 2) {
        block.setInt16(digit, Number(left % base));
        left /= base;
      }
    },
  };
}

// ---- text

/** Above this many characters the runtime's own encoder is faster than a loop. */
const SHORT = 24;

function textField(values: readonly string[], nulls: Field["nulls"]): Field {
  return {
    nulls,
    width: (row) => {
      const text = values[row]!;
      return isShortAscii(text) ? text.length : Buffer.byteLength(text);
    },
    put: (block, at, row) => {
      const text = values[row]!;
      if (isShortAscii(text))
        for (let i = 0; i < text.length; i++) block.setUint8(at + i, text.charCodeAt(i));
      else Buffer.from(block.buffer, block.byteOffset, block.byteLength).write(text, at);
    },
  };
}

function isShortAscii(text: string): boolean {
  if (text.length > SHORT) return false;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}
