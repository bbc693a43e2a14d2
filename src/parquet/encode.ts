/**
 * A column's values as the bodies of Parquet pages. hyparquet-writer could do this too, from arrays of
 * anything; knowing the declared types makes it several times as fast, and lets it refuse what does not fit.
 */
import type { Stored } from "../values.ts";
import { packed, widthOf } from "./bits.ts";
import { bigintRange, isWellFormed, misfit } from "./checks.ts";
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
  readonly pages: readonly { readonly body: Buffer; readonly rows: number }[];
  readonly nulls: number;
  readonly bounds: Bounds | undefined;
}

/** A decimal with more digits than int64 has takes this many bytes, big-endian: enough for 38 digits. */
export const WIDE_BYTES = 16;
/** The most digits that an int64 surely holds. */
export const INT64_DIGITS = 18;
/** What a reader has to hold of a text column at once, about. */
const PAGE_CHARACTERS = 1 << 20;

/** Rows `from` to `to` of `data`. Throws ParquetError for a value that `column` cannot hold. */
export function encodeChunk(
  column: FileColumn,
  data: ArrayLike<Stored>,
  from: number,
  to: number,
): Chunk {
  const levels = definitionLevels(column, data, from, to);
  const values = { column, data, from, to, levels };
  switch (column.type) {
    case "integer":
    case "date":
      return numberChunk(values, int32s(values), plainInt32, Number);
    case "boolean":
      return booleanChunk(values);
    case "text":
    case "time":
      return textChunk(values);
    case "bigint":
    case "timestamp":
    case "timestamptz":
    case "decimal":
      return bigintChunk(values, bigints(values));
  }
}

interface Source {
  readonly column: FileColumn;
  readonly data: ArrayLike<Stored>;
  readonly from: number;
  readonly to: number;
  /** 1 for each row with a value, 0 for null; undefined for a column that has no nulls by declaration. */
  readonly levels: Uint8Array | undefined;
}

function definitionLevels(
  column: FileColumn,
  data: ArrayLike<Stored>,
  from: number,
  to: number,
): Uint8Array | undefined {
  if (!column.nullable) return undefined;
  const levels = new Uint8Array(to - from);
  for (let i = 0; i < levels.length; i++) levels[i] = data[from + i] === null ? 0 : 1;
  return levels;
}

// ---- from what is stored to what is written, without the nulls

// A loop for each type: one for all, with a check passed in, takes three times as long.

function int32s(source: Source): Float64Array {
  const { data, from, to } = source;
  const values = new Float64Array(to - from);
  let count = 0;
  for (let row = from; row < to; row++) {
    const value = data[row];
    if (typeof value === "number" && (value | 0) === value) values[count++] = value;
    else refuseUnlessNull(source, value, row);
  }
  return values.subarray(0, count);
}

function bigints(source: Source): bigint[] {
  const { column, data, from, to } = source;
  const { first, end } = bigintRange(column);
  const values: bigint[] = [];
  for (let row = from; row < to; row++) {
    const value = data[row];
    if (typeof value === "bigint" && value >= first && value < end) values.push(value);
    else refuseUnlessNull(source, value, row);
  }
  return values;
}

function texts(source: Source): string[] {
  const { data, from, to } = source;
  const values: string[] = [];
  for (let row = from; row < to; row++) {
    const value = data[row];
    if (typeof value === "string" && isWellFormed(value)) values.push(value);
    else refuseUnlessNull(source, value, row);
  }
  return values;
}

function booleans(source: Source): boolean[] {
  const { data, from, to } = source;
  const values: boolean[] = [];
  for (let row = from; row < to; row++) {
    const value = data[row];
    if (typeof value === "boolean") values.push(value);
    else refuseUnlessNull(source, value, row);
  }
  return values;
}

function refuseUnlessNull({ column }: Source, value: unknown, row: number): void {
  if (value !== null || !column.nullable) throw misfit(column, value, row);
}

// ---- chunks by type

function booleanChunk(source: Source): Chunk {
  const values = booleans(source);
  const body = Buffer.alloc((values.length + 7) >> 3);
  for (const [i, value] of values.entries()) {
    if (value) body[i >> 3] = (body[i >> 3] ?? 0) | (1 << (i & 7));
  }
  const bounds = { min: !values.includes(false), max: values.includes(true) };
  return plainChunk(source, body, values.length > 0 ? bounds : undefined);
}

function bigintChunk(source: Source, values: readonly bigint[]): Chunk {
  const numbers = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) numbers[i] = Number(values[i]);
  const { min, max } = extremes(numbers);
  const wide = source.column.type === "decimal" && (source.column.precision ?? 0) > INT64_DIGITS;
  // Numbers are many times as fast to look up; ids, money and today's microseconds all fit.
  if (!wide && Number.isSafeInteger(min) && Number.isSafeInteger(max)) {
    return numberChunk(source, numbers, plainInt64, BigInt);
  }
  const bounds = bigintExtremes(values);
  return plainChunk(source, wide ? plainWide(values) : plainBigints(values), bounds);
}

function numberChunk(
  source: Source,
  values: Float64Array,
  plain: (values: Float64Array) => Buffer,
  bound: (value: number) => number | bigint,
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

function textChunk(source: Source): Chunk {
  const values = texts(source);
  const dictionary = textDictionary(values, PAGE_CHARACTERS);
  if (dictionary !== undefined) {
    const { distinct, indexes } = dictionary;
    const body = plainTexts(distinct);
    const bounds = textBounds(distinct, [body]);
    return dictionaryChunk(source, body, distinct.length, indexes, bounds);
  }
  const pages = textPages(source, values);
  const bodies = pages.map((page) => page.values);
  return chunk(source, pages, textBounds(values, bodies));
}

// ---- pages

function chunk(
  source: Source,
  pages: readonly { readonly values: Buffer; readonly rows: number }[],
  bounds: Bounds | undefined,
  dictionary?: { readonly body: Buffer; readonly count: number },
): Chunk {
  const { levels } = source;
  let nulls = 0;
  for (const level of levels ?? []) nulls += 1 - level;
  let row = 0;
  const bodies = pages.map(({ values, rows }) => {
    const start = row;
    row += rows;
    if (levels === undefined) return { body: values, rows };
    const runs = packed(levels.subarray(start, row), 1);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(runs.length);
    return { body: Buffer.concat([length, runs, values]), rows };
  });
  return { dictionary, pages: bodies, nulls, bounds };
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
function textPages(source: Source, values: readonly string[]): { values: Buffer; rows: number }[] {
  const { levels } = source;
  const rows = source.to - source.from;
  const pages: { values: Buffer; rows: number }[] = [];
  let row = 0;
  let value = 0;
  while (row < rows) {
    const firstRow = row;
    const firstValue = value;
    for (let size = 0; row < rows && size < PAGE_CHARACTERS; row++) {
      if (levels === undefined || levels[row] === 1) size += 4 + (values[value++]?.length ?? 0);
    }
    pages.push({ values: plainTexts(values.slice(firstValue, value)), rows: row - firstRow });
  }
  return pages;
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
 * U+E000 to U+FFFF (in UTF-8 it begins with EE or EF): then no bounds are given, which are only a help.
 */
function textBounds(values: readonly string[], bodies: readonly Buffer[]): Bounds | undefined {
  let min = values[0];
  let max = min;
  if (min === undefined || max === undefined) return undefined;
  if (bodies.some((body) => body.includes(0xee) || body.includes(0xef))) return undefined;
  for (const value of values) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { min, max };
}
