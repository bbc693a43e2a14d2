/**
 * A column's pages as a vector. hyparquet could do this too; it would make Dates of dates and floats of
 * decimals, lose byte order marks, take a page that is too short for a column that is, and follow a damaged
 * run length into gigabytes. Only its Thrift and its Snappy are used.
 */
import { isAscii, isUtf8 } from "node:buffer";
import { crc32, gunzipSync } from "node:zlib";
import type { ColumnMetaData, PageHeader, SchemaElement } from "hyparquet";
import { parquetHeader } from "hyparquet/src/column.js";
import { snappyUncompress } from "hyparquet/src/snappy.js";
import { timeOfDay } from "../calendar.ts";
import {
  type Growing,
  growing,
  type Layout,
  layoutOf,
  cut,
  type Stretch,
  type Values,
  type Vector,
} from "../vectors.ts";
import { unpack } from "./bits.ts";
import { floatRange } from "./checks.ts";
import { TIME_BYTES } from "./encode.ts";
import { ParquetError } from "./error.ts";
import type { FileColumn } from "./schema.ts";

/** Reads one column of a file, a row group after another. */
export class ColumnDecoder {
  readonly #column: FileColumn;
  readonly #element: SchemaElement;
  readonly #out: Growing;
  readonly #plain: PlainDecoder;
  readonly #rows: number;
  readonly #stretch: Stretch | undefined;
  /** Rows read, or passed over. */
  #done = 0;
  /** The row that lies first in the vector: that of a page's. */
  #first = 0;
  #isFirst = true;
  /** The row groups' dictionaries; undefined once there are values that came from none. */
  #dictionaries: Growing[] | undefined = [];

  /**
   * @param rows of all the file's row groups
   * @param stretch the rows that are wanted: pages without any of them are passed over
   */
  constructor(column: FileColumn, element: SchemaElement, rows: number, stretch?: Stretch) {
    this.#stretch = stretch;
    this.#column = column;
    this.#element = element;
    this.#rows = rows;
    this.#out = growing(column, rows);
    this.#plain = plainDecoder(column, element);
  }

  /**
   * Reads the column's chunk of a row group of `rows`.
   * Throws Error, saying what is wrong with the chunk, unless it holds exactly its rows; ParquetError for a null
   * where none may be.
   */
  decode(file: Buffer, meta: ColumnMetaData, rows: number): void {
    const start = Number(meta.dictionary_page_offset || meta.data_page_offset);
    const end = start + Number(meta.total_compressed_size);
    if (!(start >= 4 && end <= file.length - 8)) throw new Error("its pages lie outside the file");
    if (Number(meta.num_values) !== rows) {
      throw new Error(`${meta.num_values} values in a row group of ${rows} rows`);
    }
    let dictionary: Growing | undefined;
    const last = this.#done + rows;
    let offset = start;
    while (this.#done < last) {
      const page = nextPage(file, offset, end, meta);
      offset = page.end;
      const { header } = page;
      if (header.dictionary_page_header !== undefined) {
        const { body } = opened(page, meta);
        const { num_values } = header.dictionary_page_header;
        const count = checkedCount(num_values, body.length * 8);
        dictionary = growing(this.#column, count);
        this.#plain(body, 0, body.length, count, dictionary, 0);
        this.#dictionaries?.push(dictionary);
        continue;
      }
      const data = header.data_page_header ?? header.data_page_header_v2;
      if (data === undefined) continue;
      const count = checkedCount(data.num_values, last - this.#done);
      if (!this.#isWanted(count)) {
        this.#done += count;
        continue;
      }
      if (this.#isFirst) this.#first = this.#done;
      this.#isFirst = false;
      const { body, levelBytes } = opened(page, meta);
      const { levels, present, from } = readLevels(header, body, levelBytes, count, this.#element);
      this.#decodeValues(body, from, present, data.encoding, dictionary);
      if (levels !== undefined) this.#spread(levels, present);
      this.#done += count;
    }
  }

  /** Whether none of the next `rows`, a row group's, is wanted: then they are done. */
  passOver(rows: number): boolean {
    if (this.#isWanted(rows)) return false;
    this.#done += rows;
    return true;
  }

  #isWanted(count: number): boolean {
    if (this.#stretch === undefined) return true;
    const { from, to } = this.#stretch;
    return this.#done < to && this.#done + count > from;
  }

  /** All that was read. */
  vector(): Vector {
    const { layout, values, nulls } = this.#out;
    if (this.#stretch !== undefined) {
      const { from, to } = this.#stretch;
      const read = { layout, values, nulls } as Vector;
      return cut(read, { from: from - this.#first, to: to - this.#first });
    }
    const distinct = joined(this.#dictionaries ?? []);
    // Of one layout, which the compiler does not see.
    return { layout, values, nulls, distinct } as Vector;
  }

  #decodeValues(
    body: Buffer,
    from: number,
    count: number,
    encoding: string,
    dictionary: Growing | undefined,
  ): void {
    const at = this.#done - this.#first;
    if (encoding === "RLE_DICTIONARY" || encoding === "PLAIN_DICTIONARY") {
      if (count === 0) return;
      if (dictionary === undefined) throw new Error("a dictionary is missing");
      const indexes = new Uint32Array(count);
      unpack(body, from + 1, body.length, body[from] ?? -1, indexes);
      lookUp(dictionary, indexes, this.#out, at);
      return;
    }
    if (count > 0) this.#dictionaries = undefined;
    if (encoding === "PLAIN") {
      this.#plain(body, from, body.length, count, this.#out, at);
    } else if (encoding === "RLE" && this.#out.layout === "boolean") {
      unpack(body, from + 4, body.length, 1, this.#out.values.subarray(at, at + count));
    } else {
      throw new Error(`encoding ${encoding} is not read`);
    }
  }

  /** Moves a page's values, which lie one after another, to their rows: from the last, so that none is lost. */
  #spread(levels: Uint8Array, present: number): void {
    const from = this.#done - this.#first;
    if (!this.#column.nullable) {
      const row = this.#done + levels.indexOf(0);
      throw new ParquetError(`row ${row} is null`, { column: this.#column.name });
    }
    const out = this.#out;
    out.nulls ??= new Uint8Array(this.#rows);
    const { nulls } = out;
    const none = out.layout === "bigint" ? 0n : out.layout === "text" ? "" : 0;
    const values = out.values as (typeof none)[];
    if (Array.isArray(values)) while (values.length < from + levels.length) values.push(none);
    let next = from + present;
    for (let i = levels.length - 1; i >= 0; i--) {
      const isNull = levels[i] === 0;
      values[from + i] = isNull ? none : values[--next]!;
      if (isNull) nulls[from + i] = 1;
    }
  }
}

/** The dictionaries' values; undefined where there are no dictionaries. */
function joined(dictionaries: readonly Growing[]): Values[Layout] | undefined {
  const [first, ...more] = dictionaries;
  if (first === undefined || more.length === 0) return first?.values;
  if (Array.isArray(first.values)) {
    return dictionaries.flatMap(({ values }) => values as bigint[]);
  }
  const parts = dictionaries.map(({ values }) => values as Int32Array);
  const Kind = first.values.constructor as Int32ArrayConstructor;
  const all = new Kind(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

// ---- pages

/** Bytes of a page at most: one of ours holds a megabyte of texts, or a single one, see `storeText`. */
const MOST_PAGE_BYTES = 256 << 20;

interface Page {
  readonly header: PageHeader;
  /** As it lies in the file. */
  readonly bytes: Buffer;
  readonly end: number;
}

function nextPage(file: Buffer, offset: number, chunkEnd: number, meta: ColumnMetaData): Page {
  const view = new DataView(file.buffer, file.byteOffset, chunkEnd);
  const reader = { view, offset };
  const header = parquetHeader(reader);
  const { compressed_page_size: size, uncompressed_page_size: wanted } = header;
  const end = reader.offset + size;
  if (!(size >= 0 && end <= chunkEnd)) throw new Error("a page reaches beyond its column");
  if (!(wanted >= 0 && wanted <= Number(meta.total_uncompressed_size))) {
    throw new Error("a page is larger than its column");
  }
  if (wanted > MOST_PAGE_BYTES) throw new Error(`a page of ${wanted} bytes is not unpacked`);
  return { header, bytes: file.subarray(reader.offset, end), end };
}

/** A page's values, uncompressed, and the bytes of levels before them, in a page of version 2. */
function opened(
  { header, bytes }: Page,
  meta: ColumnMetaData,
): { readonly body: Buffer; readonly levelBytes: number } {
  const { compressed_page_size: size, uncompressed_page_size: wanted, crc } = header;
  if (crc !== undefined && (crc32(bytes) | 0) !== crc)
    throw new Error("a page's checksum is wrong");
  const v2 = header.data_page_header_v2;
  if (v2 === undefined) {
    return { body: uncompress(bytes, wanted, meta.codec), levelBytes: 0 };
  }
  // In version 2 the levels stand before the values and are never compressed.
  const levelBytes = v2.definition_levels_byte_length;
  if (v2.repetition_levels_byte_length !== 0 || !(levelBytes >= 0 && levelBytes <= size)) {
    throw new Error("a page's levels are wrong");
  }
  const codec = v2.is_compressed === false ? "UNCOMPRESSED" : meta.codec;
  const values = uncompress(bytes.subarray(levelBytes), wanted - levelBytes, codec);
  const body = Buffer.concat([bytes.subarray(0, levelBytes), values]);
  return { body, levelBytes };
}

function uncompress(bytes: Buffer, size: number, codec: ColumnMetaData["codec"]): Buffer {
  let body: Buffer;
  if (codec === "UNCOMPRESSED") {
    body = bytes;
  } else if (codec === "GZIP") {
    body = size === 0 ? gunzipSync(bytes) : gunzipSync(bytes, { maxOutputLength: size });
  } else if (codec === "SNAPPY") {
    body = Buffer.alloc(size);
    snappyUncompress(bytes, body);
  } else {
    throw new Error(`compression ${codec} is not read`);
  }
  if (body.length !== size) throw new Error(`a page of ${body.length} bytes, not ${size}`);
  return body;
}

function checkedCount(count: number, most: number): number {
  if (!(count >= 0 && count <= most)) throw new Error(`a page of ${count} values`);
  return count;
}

/** Which of a page's rows have a value, how many, and where the values begin. */
function readLevels(
  header: PageHeader,
  body: Buffer,
  levelBytes: number,
  count: number,
  element: SchemaElement,
): { levels: Uint8Array | undefined; present: number; from: number } {
  const optional = element.repetition_type === "OPTIONAL";
  let from = 0;
  let levels: Uint8Array | undefined;
  let present = count;
  if (optional) {
    const v1 = header.data_page_header;
    if (v1 !== undefined && v1.definition_level_encoding !== "RLE") {
      throw new Error(`levels in ${v1.definition_level_encoding} are not read`);
    }
    const start = v1 === undefined ? 0 : 4;
    from = v1 === undefined ? levelBytes : 4 + body.readUInt32LE(0);
    if (from > body.length) throw new Error("a page's levels are too long");
    levels = new Uint8Array(count);
    unpack(body, start, from, 1, levels);
    present = 0;
    for (const level of levels) present += level;
  } else if (levelBytes !== 0) {
    throw new Error("levels in a column without nulls");
  }
  const nulls = header.data_page_header_v2?.num_nulls;
  if (nulls !== undefined && nulls !== count - present) throw new Error(`a page of ${nulls} nulls`);
  return { levels: present === count ? undefined : levels, present, from };
}

// ---- values

/** Puts `count` values, which are all that is between `from` and `to`, into `out` from row `at` on. */
type PlainDecoder = (
  body: Buffer,
  from: number,
  to: number,
  count: number,
  out: Growing,
  at: number,
) => void;

/** The decoder for values that are held in layout L. */
const into =
  <L extends Layout>(
    layout: L,
    decode: (
      body: Buffer,
      from: number,
      to: number,
      count: number,
      out: Values[L],
      at: number,
    ) => void,
  ): PlainDecoder =>
  (body, from, to, count, out, at) => {
    if (out.layout !== layout) throw new Error(`it is not held as ${layout}`);
    decode(body, from, to, count, out.values as Values[L], at);
  };

function plainDecoder(column: FileColumn, element: SchemaElement): PlainDecoder {
  const layout = layoutOf(column);
  switch (element.type) {
    case "INT32":
      if (layout === "int32") return into("int32", plainInt32);
      return ofBigints(column, plainSmallDecimals);
    case "INT64":
      if (layout === "float64") return into("float64", plainInt64Floats(column));
      return into("bigint", plainInt64);
    case "BOOLEAN":
      return into("boolean", plainBooleans);
    case "BYTE_ARRAY":
      return column.type === "time" ? into("float64", plainTimes) : into("text", plainTexts);
    case "FIXED_LEN_BYTE_ARRAY": {
      const width = element.type_length ?? 0;
      return ofBigints(column, (body, from, to, count) => plainWide(body, from, to, count, width));
    }
    default:
      throw new Error(`${element.type} is not read`);
  }
}

function expectBytes(from: number, to: number, bytes: number): void {
  if (to - from !== bytes) throw new Error(`values of ${to - from} bytes, not ${bytes}`);
}

// A loop for each kind of array: one that meets several takes three times as long.

function lookUp(dictionary: Growing, indexes: Uint32Array, out: Growing, at: number): void {
  let largest = 0;
  for (let i = 0; i < indexes.length; i++) if (indexes[i]! > largest) largest = indexes[i]!;
  if (largest >= dictionary.values.length) throw new Error("an index is beyond the dictionary");
  if (out.layout === "int32") {
    lookUpInts(dictionary.values as Int32Array, indexes, out.values, at);
  } else if (out.layout === "float64") {
    lookUpFloats(dictionary.values as Float64Array, indexes, out.values, at);
  } else {
    const values = dictionary.values as string[];
    const to = out.values as string[];
    for (let i = 0; i < indexes.length; i++) to[at + i] = values[indexes[i]!]!;
  }
}

function lookUpInts(values: Int32Array, indexes: Uint32Array, out: Int32Array, at: number): void {
  for (let i = 0; i < indexes.length; i++) out[at + i] = values[indexes[i]!]!;
}

function lookUpFloats(
  values: Float64Array,
  indexes: Uint32Array,
  out: Float64Array,
  at: number,
): void {
  for (let i = 0; i < indexes.length; i++) out[at + i] = values[indexes[i]!]!;
}

/** A copy that begins on a boundary of eight bytes, as typed arrays want it. */
const aligned = (body: Buffer, from: number, to: number): ArrayBuffer =>
  new Uint8Array(body.subarray(from, to)).buffer;

function plainInt32(
  body: Buffer,
  from: number,
  to: number,
  count: number,
  out: Int32Array,
  at: number,
): void {
  expectBytes(from, to, count * 4);
  out.set(new Int32Array(aligned(body, from, to)), at);
}

/** Decimals of few digits, in halves: making a bigint of each would take most of the time. */
const plainInt64Floats =
  (column: FileColumn) =>
  (body: Buffer, from: number, to: number, count: number, out: Float64Array, at: number): void => {
    expectBytes(from, to, count * 8);
    const halves = new Int32Array(aligned(body, from, to));
    const { first, end } = floatRange(column);
    for (let i = 0; i < count; i++) {
      const value = halves[2 * i + 1]! * 4_294_967_296 + (halves[2 * i]! >>> 0);
      if (!(value >= first && value < end)) throw new Error(`${value} has too many digits`);
      out[at + i] = value;
    }
  };

function plainInt64(
  body: Buffer,
  from: number,
  to: number,
  count: number,
  out: bigint[],
  at: number,
): void {
  expectBytes(from, to, count * 8);
  const numbers = new BigInt64Array(aligned(body, from, to));
  for (let i = 0; i < count; i++) out[at + i] = numbers[i]!;
}

function plainBooleans(
  body: Buffer,
  from: number,
  to: number,
  count: number,
  out: Uint8Array,
  at: number,
): void {
  expectBytes(from, to, (count + 7) >> 3);
  for (let i = 0; i < count; i++) out[at + i] = (body[from + (i >> 3)]! >> (i & 7)) & 1;
}

function plainTexts(
  body: Buffer,
  from: number,
  to: number,
  count: number,
  out: string[],
  row: number,
): void {
  // Cut out of one string where bytes and characters are the same: twice as fast as decoding each.
  const ascii = isAscii(body.subarray(from, to)) ? body.toString("latin1", from, to) : undefined;
  let at = from;
  for (let i = 0; i < count; i++) {
    const start = at + 4;
    at = textEnd(body, at, to);
    out[row + i] = ascii?.slice(start - from, at - from) ?? textAt(body, start, at);
  }
  expectBytes(at, to, 0);
}

/** Where the text whose length is at `at` ends. */
function textEnd(body: Buffer, at: number, to: number): number {
  const end = at + 4 + (at + 4 <= to ? body.readUInt32LE(at) : to);
  if (end > to) throw new Error("a text reaches beyond its page");
  return end;
}

function textAt(body: Buffer, from: number, to: number): string {
  // Unlike a TextDecoder, this keeps byte order marks.
  const text = body.toString("utf8", from, to);
  // U+FFFD stands for what is no UTF-8, unless it was written.
  if (text.includes("\ufffd") && !isUtf8(body.subarray(from, to)))
    throw new Error("a text is not UTF-8");
  return text;
}

/** Texts that are times of day, as µs since midnight. */
function plainTimes(
  body: Buffer,
  from: number,
  to: number,
  count: number,
  out: Float64Array,
  row: number,
): void {
  let at = from;
  for (let i = 0; i < count; i++) {
    const start = at + 4;
    at = textEnd(body, at, to);
    // What is not as this codec writes it may still be a time.
    let micros = at - start === TIME_BYTES - 4 ? timeAt(body, start) : NaN;
    if (Number.isNaN(micros)) micros = timeOfDay(body.toString("latin1", start, at)) ?? NaN;
    if (Number.isNaN(micros)) {
      const text = body.toString("utf8", start, Math.min(at, start + 60));
      throw new Error(`${JSON.stringify(text)} is no time of day`);
    }
    out[row + i] = micros;
  }
  expectBytes(at, to, 0);
}

const ZERO = 48;
const COLON = 58;
const POINT = 46;

/** µs since midnight of the `HH:MM:SS.ffffff` at `at`, without a string for it; NaN for anything else. */
function timeAt(body: Buffer, at: number): number {
  if (body[at + 2] !== COLON || body[at + 5] !== COLON || body[at + 8] !== POINT) return NaN;
  const hours = pairAt(body, at);
  const minutes = pairAt(body, at + 3);
  const seconds = pairAt(body, at + 6);
  if ((hours | minutes | seconds) < 0 || hours > 23 || minutes > 59 || seconds > 59) return NaN;
  const first = pairAt(body, at + 9);
  const second = pairAt(body, at + 11);
  const third = pairAt(body, at + 13);
  if ((first | second | third) < 0) return NaN;
  const micros = first * 10_000 + second * 100 + third;
  return (hours * 3600 + minutes * 60 + seconds) * 1_000_000 + micros;
}

/** A number of two digits; less than 0 for anything else. */
function pairAt(body: Buffer, at: number): number {
  const tens = body[at]! - ZERO;
  const ones = body[at + 1]! - ZERO;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -1;
}

/** Decimals as other writers keep them: slow, and for any layout. */
const ofBigints =
  (
    column: FileColumn,
    decode: (body: Buffer, from: number, to: number, count: number) => bigint[],
  ): PlainDecoder =>
  (body, from, to, count, out, at) => {
    const values = decode(body, from, to, count);
    if (out.layout === "bigint") {
      values.forEach((value, i) => (out.values[at + i] = value));
    } else if (out.layout === "float64") {
      const { first, end } = floatRange(column);
      const wrong = values.find((value) => value < first || value >= end);
      if (wrong !== undefined) throw new Error(`${wrong} has too many digits`);
      values.forEach((value, i) => (out.values[at + i] = Number(value)));
    } else {
      throw new Error(`it is not held as ${out.layout}`);
    }
  };

function plainSmallDecimals(body: Buffer, from: number, to: number, count: number): bigint[] {
  expectBytes(from, to, count * 4);
  return Array.from(new Int32Array(aligned(body, from, to)), BigInt);
}

/** Big-endian two's complement of any width. */
function plainWide(body: Buffer, from: number, to: number, count: number, width: number): bigint[] {
  if (!(width > 0)) throw new Error("a decimal without a width");
  expectBytes(from, to, count * width);
  const values: bigint[] = [];
  for (let at = from; at < to; at += width) {
    values.push(BigInt.asIntN(width * 8, BigInt(`0x${body.toString("hex", at, at + width)}`)));
  }
  return values;
}
