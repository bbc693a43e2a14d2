/**
 * A column's values as the bodies of Parquet pages. hyparquet-writer could do this too, from arrays of
 * anything; knowing the declared types makes it several times as fast, and lets it refuse what does not fit.
 */
import { timeText } from "../calendar.ts";
import type { Values, Vector } from "../vectors.ts";
import { packed, widthOf } from "./bits.ts";
import { bigintRange, floatRange, isWellFormed, misfit } from "./checks.ts";
import { numberDictionary, textDictionary } from "./dictionary.ts";
import type { FileColumn } from "./schema.ts";

/** Smallest and largest value of a chunk, for the footer's statistics. */
export interface Bounds {
  readonly min: number | bigint | boolean | string;
  readonly max: number | bigint | boolean | string;
}

/** One column of one row group, not yet compressed. */
export interface Chunk {
  /** The distinct values; then the pages hold indexes into it. */
  readonly dictionary: { readonly body: Buffer; readonly count: number } | undefined;
  /** One after another, so that nobody need hold them all: those of long texts are as large as these. */
  readonly pages: Iterable<{ readonly body: Buffer; readonly rows: number }>;
  readonly nulls: number;
  readonly bounds: Bounds | undefined;
}

/** A decimal with more digits than int64 has takes this many bytes, big-endian: enough for 38 digits. */
export const WIDE_BYTES = 16;
/** The most digits that an int64 surely holds. */
export const INT64_DIGITS = 18;
/** A time of day in a page: a length of four bytes, and `HH:MM:SS.ffffff`. */
export const TIME_BYTES = 19;
/** What a reader has to hold of a text column at once, about. */
const PAGE_CHARACTERS = 1 << 20;

/** Rows `from` to `to` of `vector`. Throws ParquetError for a value that `column` cannot hold. */
export function encodeChunk(column: FileColumn, vector: Vector, from: number, to: number): Chunk {
  const nulls = vector.nulls?.subarray(from, to);
  const source = { column, from, to, levels: definitionLevels(column, nulls, from, to), nulls };
  switch (vector.layout) {
    case "int32":
      // Floats from here on, as all numbers are: a loop that meets two kinds of arrays takes twice as long.
      return numberChunk(source, numbers(source, vector.values), plainInt32, Number);
    case "float64": {
      const values = numbers(source, vector.values);
      const wrong = firstMisfit(column, values);
      if (wrong >= 0) throw misfit(column, values[wrong], rowOf(source, wrong));
      return column.type === "time"
        ? numberChunk(source, values, plainTimes, timeText)
        : numberChunk(source, values, plainInt64, BigInt);
    }
    case "boolean":
      return booleanChunk(source, present(source, vector.values.slice(from, to)));
    case "bigint":
      return bigintChunk(source, bigints(source, vector.values));
    case "text":
      return textChunk(source, texts(source, vector.values));
  }
}

interface Source {
  readonly column: FileColumn;
  readonly from: number;
  readonly to: number;
  /** 1 for each row with a value, 0 for null; undefined for a column that has no nulls by declaration. */
  readonly levels: Uint8Array | undefined;
  /** The reverse; undefined where no row is null. */
  readonly nulls: Uint8Array | undefined;
}

function definitionLevels(
  column: FileColumn,
  nulls: Uint8Array | undefined,
  from: number,
  to: number,
): Uint8Array | undefined {
  if (column.nullable) {
    return nulls === undefined
      ? new Uint8Array(to - from).fill(1)
      : nulls.map((isNull) => 1 - isNull);
  }
  const missing = nulls?.indexOf(1) ?? -1;
  if (missing >= 0) throw misfit(column, null, from + missing);
  return undefined;
}

// ---- the values there are, without the nulls

/** Numbers of one column of a row group at a time: V8 collects garbage the more often the more arrays are left behind. */
let held = new Float64Array();

/** Room for so many numbers, whatever they are: only until somebody asks again. */
function room(count: number): Float64Array {
  if (held.length < count) held = new Float64Array(count);
  return held.subarray(0, count);
}

/** In the one `room`. */
function numbers(source: Source, values: Values["int32" | "float64"]): Float64Array {
  const { from, to } = source;
  const all = room(to - from);
  all.set(values.subarray(from, to));
  return present(source, all);
}

/** Of all rows' values those that there are, moved to the front. */
function present<T extends Float64Array | Uint8Array>({ nulls }: Source, all: T): T {
  if (nulls === undefined) return all;
  let count = 0;
  for (let i = 0; i < all.length; i++) if (nulls[i] === 0) all[count++] = all[i]!;
  return all.subarray(0, count) as T;
}

/** Which row the `at`-th value that is there belongs to. */
function rowOf({ from, nulls }: Source, at: number): number {
  let left = at;
  let row = 0;
  for (; nulls?.[row] === 1 || left > 0; row++) if (nulls?.[row] !== 1) left--;
  return from + row;
}

/** Where the first number is that `column` cannot hold; -1 where there is none. */
function firstMisfit(column: FileColumn, values: Float64Array): number {
  const { first, end } = floatRange(column);
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (!(value >= first && value < end && Math.floor(value) === value)) return i;
  }
  return -1;
}

function bigints(source: Source, all: readonly bigint[]): readonly bigint[] {
  const { column, from, to, nulls } = source;
  const { first, end } = bigintRange(column);
  let last: bigint | undefined;
  for (let row = from; row < to; row++) {
    if (nulls?.[row - from] === 1) continue;
    const value = all[row];
    // The same as before, as a batch's number is, needs no second look.
    if (value !== last && !(typeof value === "bigint" && value >= first && value < end)) {
      throw misfit(column, value, row);
    }
    last = value;
  }
  return there(source, all);
}

function texts(source: Source, all: readonly string[]): readonly string[] {
  const { column, from, to, nulls } = source;
  for (let row = from; row < to; row++) {
    if (nulls?.[row - from] === 1) continue;
    const value = all[row];
    if (typeof value !== "string" || !isWellFormed(value)) throw misfit(column, value, row);
  }
  return there(source, all);
}

function there<T>({ from, to, nulls }: Source, all: readonly T[]): readonly T[] {
  if (nulls === undefined) return from === 0 && to === all.length ? all : all.slice(from, to);
  return all.slice(from, to).filter((_, i) => nulls[i] === 0);
}

// ---- chunks by type

function booleanChunk(source: Source, values: Uint8Array): Chunk {
  const body = Buffer.alloc((values.length + 7) >> 3);
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value > 1) throw misfit(source.column, value, rowOf(source, i));
    body[i >> 3]! |= value << (i & 7);
  }
  const bounds = { min: !values.includes(0), max: values.includes(1) };
  return plainChunk(source, body, values.length > 0 ? bounds : undefined);
}

function bigintChunk(source: Source, values: readonly bigint[]): Chunk {
  const floats = room(values.length);
  for (let i = 0; i < values.length; i++) {
    floats[i] = i > 0 && values[i] === values[i - 1] ? floats[i - 1]! : Number(values[i]);
  }
  const { min, max } = extremes(floats);
  const wide = source.column.type === "decimal" && (source.column.precision ?? 0) > INT64_DIGITS;
  // Numbers are many times as fast to look up; ids, money and today's microseconds all fit.
  if (!wide && Number.isSafeInteger(min) && Number.isSafeInteger(max)) {
    return numberChunk(source, floats, plainInt64, BigInt);
  }
  const bounds = bigintExtremes(values);
  return plainChunk(source, wide ? plainWide(values) : plainBigints(values), bounds);
}

function numberChunk(
  source: Source,
  values: Float64Array,
  plain: (values: Float64Array) => Buffer,
  bound: (value: number) => number | bigint | string,
): Chunk {
  if (values.length === 0) return plainChunk(source, Buffer.alloc(0), undefined);
  const { min, max } = extremes(values);
  const bounds = { min: bound(min), max: bound(max) };
  const dictionary = numberDictionary(values, min, max);
  if (dictionary === undefined) return plainChunk(source, plain(values), bounds);
  const { distinct, indexes } = dictionary;
  const body = plain(Float64Array.from(distinct));
  return dictionaryChunk(source, body, distinct.length, indexes, bounds);
}

function textChunk(source: Source, values: readonly string[]): Chunk {
  const dictionary = textDictionary(values, PAGE_CHARACTERS);
  if (dictionary === undefined) return chunk(source, textPages(source, values), textBounds(values));
  const { distinct, indexes } = dictionary;
  const bounds = textBounds(distinct);
  return dictionaryChunk(source, plainTexts(distinct), distinct.length, indexes, bounds);
}

// ---- pages

function chunk(
  source: Source,
  pages: Iterable<{ readonly values: Buffer; readonly rows: number }>,
  bounds: Bounds | undefined,
  dictionary?: { readonly body: Buffer; readonly count: number },
): Chunk {
  let nulls = 0;
  for (const level of source.levels ?? []) nulls += 1 - level;
  return { dictionary, pages: withLevels(source, pages), nulls, bounds };
}

function* withLevels(
  { levels }: Source,
  pages: Iterable<{ readonly values: Buffer; readonly rows: number }>,
): Generator<{ body: Buffer; rows: number }> {
  let row = 0;
  for (const { values, rows } of pages) {
    const start = row;
    row += rows;
    if (levels === undefined) {
      yield { body: values, rows };
      continue;
    }
    const runs = packed(levels.subarray(start, row), 1);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(runs.length);
    yield { body: Buffer.concat([length, runs, values]), rows };
  }
}

/** All of the values in one page. */
function plainChunk(source: Source, values: Buffer, bounds: Bounds | undefined): Chunk {
  return chunk(source, [{ values, rows: source.to - source.from }], bounds);
}

function dictionaryChunk(
  source: Source,
  body: Buffer,
  count: number,
  indexes: Uint16Array,
  bounds: Bounds | undefined,
): Chunk {
  const width = widthOf(count);
  const values = Buffer.concat([Buffer.of(width), packed(indexes, width)]);
  return chunk(source, [{ values, rows: source.to - source.from }], bounds, { body, count });
}

/** Cuts at about a megabyte: many rows of short texts, or a few of long ones. */
function* textPages(
  source: Source,
  values: readonly string[],
): Generator<{ values: Buffer; rows: number }> {
  const { levels } = source;
  const rows = source.to - source.from;
  let row = 0;
  let value = 0;
  while (row < rows) {
    const firstRow = row;
    const firstValue = value;
    for (let size = 0; row < rows && size < PAGE_CHARACTERS; row++) {
      if (levels === undefined || levels[row] === 1) size += 4 + (values[value++]?.length ?? 0);
    }
    yield { values: plainTexts(values.slice(firstValue, value)), rows: row - firstRow };
  }
}

// ---- values

function plainInt32(values: Float64Array): Buffer {
  return Buffer.from(new Int32Array(values).buffer);
}

/** Safe integers, in halves: making a bigint of each would take most of the time. */
function plainInt64(values: Float64Array): Buffer {
  const halves = new Int32Array(values.length * 2);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0;
    // An Int32Array takes any number modulo 2³².
    halves[2 * i] = value;
    halves[2 * i + 1] = Math.floor(value / 4_294_967_296);
  }
  return Buffer.from(halves.buffer);
}

const ZERO = 48;
const COLON = 58;
const POINT = 46;

/** `HH:MM:SS.ffffff` of µs since midnight, each with its length before it: digits, without a string for each. */
function plainTimes(values: Float64Array): Buffer {
  const body = Buffer.alloc(values.length * TIME_BYTES);
  const two = (at: number, value: number): void => {
    const tens = (value / 10) | 0;
    body[at] = ZERO + tens;
    body[at + 1] = ZERO + value - tens * 10;
  };
  for (let i = 0; i < values.length; i++) {
    const micros = values[i]!;
    // `| 0` keeps integers, which are many times as fast to divide.
    const seconds = (micros / 1_000_000) | 0;
    const fraction = (micros - seconds * 1_000_000) | 0;
    const minutes = (seconds / 60) | 0;
    const hours = (minutes / 60) | 0;
    const at = i * TIME_BYTES;
    body[at] = TIME_BYTES - 4;
    two(at + 4, hours);
    body[at + 6] = COLON;
    two(at + 7, minutes - hours * 60);
    body[at + 9] = COLON;
    two(at + 10, seconds - minutes * 60);
    body[at + 12] = POINT;
    two(at + 13, (fraction / 10_000) | 0);
    two(at + 15, ((fraction / 100) | 0) % 100);
    two(at + 17, fraction % 100);
  }
  return body;
}

function plainBigints(values: readonly bigint[]): Buffer {
  return Buffer.from(BigInt64Array.from(values).buffer);
}

function plainWide(values: readonly bigint[]): Buffer {
  const body = Buffer.alloc(values.length * WIDE_BYTES);
  for (const [i, value] of values.entries()) {
    body.writeBigInt64BE(value >> 64n, i * WIDE_BYTES);
    body.writeBigUInt64BE(BigInt.asUintN(64, value), i * WIDE_BYTES + 8);
  }
  return body;
}

/** Each text's length in bytes, then the bytes. */
function plainTexts(values: readonly string[]): Buffer {
  const ascii = plainAscii(values);
  if (ascii !== undefined) return ascii;
  let size = 0;
  for (const value of values) size += 4 + Buffer.byteLength(value);
  const body = Buffer.allocUnsafe(size);
  let at = 0;
  for (const value of values) {
    const length = body.write(value, at + 4);
    body.writeUInt32LE(length, at);
    at += 4 + length;
  }
  return body;
}

const LENGTHS = Array.from({ length: 128 }, (_, length) => String.fromCharCode(length, 0, 0, 0));

/** The same in one call for all of the texts instead of three for each; undefined where there are others. */
function plainAscii(values: readonly string[]): Buffer | undefined {
  let all = "";
  for (const value of values) {
    const length = LENGTHS[value.length];
    if (length === undefined) return undefined;
    all += length + value;
  }
  return Buffer.byteLength(all) === all.length ? Buffer.from(all, "latin1") : undefined;
}

// ---- statistics

/** Infinite where there are none. */
function extremes(values: Float64Array): { min: number; max: number } {
  let min = Infinity;
  let max = -Infinity;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { min, max };
}

function bigintExtremes(values: readonly bigint[]): Bounds | undefined {
  let min = values[0];
  let max = min;
  if (min === undefined || max === undefined) return undefined;
  for (const value of values) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { min, max };
}

/**
 * Parquet orders text by its bytes, JavaScript by 16-bit units. The two agree unless there is something in
 * U+E000 to U+FFFF: then no bounds are given, which are only a help.
 */
function textBounds(values: readonly string[]): Bounds | undefined {
  let min = values[0];
  let max = min;
  if (min === undefined || max === undefined) return undefined;
  for (const value of values) {
    if (/[\ue000-\uffff]/.test(value)) return undefined;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { min, max };
}
