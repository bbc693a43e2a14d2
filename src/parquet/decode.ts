/**
 * A column's pages as stored values. hyparquet could do this too; it would make Dates of dates and floats of
 * decimals, lose byte order marks, take a page that is too short for a column that is, and follow a damaged
 * run length into gigabytes. Only its Thrift and its Snappy are used.
 */
import { isAscii, isUtf8 } from "node:buffer";
import { crc32, gunzipSync } from "node:zlib";
import type { ColumnMetaData, PageHeader, SchemaElement } from "hyparquet";
import { parquetHeader } from "hyparquet/src/column.js";
import { snappyUncompress } from "hyparquet/src/snappy.js";
import type { Stored } from "../values.ts";
import { unpack } from "./bits.ts";

/** What decoding needs to know of a column chunk. */
export interface ChunkSource {
  readonly meta: ColumnMetaData;
  readonly element: SchemaElement;
  /** Rows of the row group. */
  readonly rows: number;
}

/**
 * The values of one column chunk of `file`, a page at a time; null where there is none.
 * Throws Error, saying what is wrong with the chunk, unless it holds exactly its rows.
 */
export function decodeChunk(file: Buffer, source: ChunkSource): Stored[][] {
  const { meta, element, rows } = source;
  const plain = plainDecoder(element);
  const start = Number(meta.dictionary_page_offset || meta.data_page_offset);
  const end = start + Number(meta.total_compressed_size);
  if (!(start >= 4 && end <= file.length - 8)) throw new Error("its pages lie outside the file");
  if (Number(meta.num_values) !== rows) {
    throw new Error(`${meta.num_values} values in a row group of ${rows} rows`);
  }
  const pages: Stored[][] = [];
  let dictionary: Stored[] | undefined;
  let done = 0;
  let offset = start;
  while (done < rows) {
    const page = nextPage(file, offset, end, meta);
    offset = page.end;
    const { header, body } = page;
    if (header.dictionary_page_header !== undefined) {
      const count = header.dictionary_page_header.num_values;
      dictionary = plain(body, 0, body.length, checkedCount(count, body.length * 8));
      continue;
    }
    const data = header.data_page_header ?? header.data_page_header_v2;
    if (data === undefined) continue;
    const count = checkedCount(data.num_values, rows - done);
    const { levels, present, from } = readLevels(page, count, element);
    const values = decodeValues(body, from, present, data.encoding, plain, dictionary);
    pages.push(levels === undefined ? values : spread(values, levels));
    done += count;
  }
  return pages;
}

// ---- pages

interface Page {
  readonly header: PageHeader;
  /** Uncompressed. */
  readonly body: Buffer;
  /** Bytes of levels before the values, in a page of version 2. */
  readonly levelBytes: number;
  readonly end: number;
}

function nextPage(file: Buffer, offset: number, chunkEnd: number, meta: ColumnMetaData): Page {
  const view = new DataView(file.buffer, file.byteOffset, chunkEnd);
  const reader = { view, offset };
  const header = parquetHeader(reader);
  const { compressed_page_size: size, uncompressed_page_size: wanted, crc } = header;
  const end = reader.offset + size;
  if (!(size >= 0 && end <= chunkEnd)) throw new Error("a page reaches beyond its column");
  if (!(wanted >= 0 && wanted <= Number(meta.total_uncompressed_size))) {
    throw new Error("a page is larger than its column");
  }
  const bytes = file.subarray(reader.offset, end);
  if (crc !== undefined && (crc32(bytes) | 0) !== crc)
    throw new Error("a page's checksum is wrong");
  const v2 = header.data_page_header_v2;
  if (v2 === undefined) {
    return { header, body: uncompress(bytes, wanted, meta.codec), levelBytes: 0, end };
  }
  // In version 2 the levels stand before the values and are never compressed.
  const levelBytes = v2.definition_levels_byte_length;
  if (v2.repetition_levels_byte_length !== 0 || !(levelBytes >= 0 && levelBytes <= size)) {
    throw new Error("a page's levels are wrong");
  }
  const codec = v2.is_compressed === false ? "UNCOMPRESSED" : meta.codec;
  const values = uncompress(bytes.subarray(levelBytes), wanted - levelBytes, codec);
  const body = Buffer.concat([bytes.subarray(0, levelBytes), values]);
  return { header, body, levelBytes, end };
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
  page: Page,
  count: number,
  element: SchemaElement,
): { levels: Uint8Array | undefined; present: number; from: number } {
  const { header, body, levelBytes } = page;
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

/** The values there are, with the nulls between them. */
function spread(values: readonly Stored[], levels: Uint8Array): Stored[] {
  const rows: Stored[] = [];
  let next = 0;
  for (let i = 0; i < levels.length; i++) {
    rows.push(levels[i] === 1 ? (values[next++] ?? null) : null);
  }
  return rows;
}

// ---- values

type PlainDecoder = (body: Buffer, from: number, to: number, count: number) => Stored[];

function decodeValues(
  body: Buffer,
  from: number,
  count: number,
  encoding: string,
  plain: PlainDecoder,
  dictionary: readonly Stored[] | undefined,
): Stored[] {
  switch (encoding) {
    case "PLAIN":
      return plain(body, from, body.length, count);
    case "RLE_DICTIONARY":
    case "PLAIN_DICTIONARY": {
      if (count === 0) return [];
      if (dictionary === undefined) throw new Error("a dictionary is missing");
      const indexes = new Uint32Array(count);
      unpack(body, from + 1, body.length, body[from] ?? -1, indexes);
      return lookUp(dictionary, indexes);
    }
    case "RLE": {
      if (plain !== plainBooleans) break;
      const bits = new Uint8Array(count);
      unpack(body, from + 4, body.length, 1, bits);
      return Array.from(bits, (bit) => bit === 1);
    }
  }
  throw new Error(`encoding ${encoding} is not read`);
}

function lookUp(dictionary: readonly Stored[], indexes: Uint32Array): Stored[] {
  const values: Stored[] = [];
  for (let i = 0; i < indexes.length; i++) {
    const value = dictionary[indexes[i] ?? 0];
    if (value === undefined) throw new Error("an index is beyond the dictionary");
    values.push(value);
  }
  return values;
}

function plainDecoder(element: SchemaElement): PlainDecoder {
  const decimal = element.converted_type === "DECIMAL" || element.logical_type?.type === "DECIMAL";
  switch (element.type) {
    case "INT32":
      return decimal ? plainInt32Decimals : plainInt32;
    case "INT64":
      return plainInt64;
    case "BOOLEAN":
      return plainBooleans;
    case "BYTE_ARRAY":
      return plainTexts;
    case "FIXED_LEN_BYTE_ARRAY": {
      const width = element.type_length ?? 0;
      return (body, from, to, count) => plainWide(body, from, to, count, width);
    }
    default:
      throw new Error(`${element.type} is not read`);
  }
}

function expectBytes(from: number, to: number, bytes: number): void {
  if (to - from !== bytes) throw new Error(`values of ${to - from} bytes, not ${bytes}`);
}

/** A copy that begins on a boundary of eight bytes, as typed arrays want it. */
const aligned = (body: Buffer, from: number, to: number): ArrayBuffer =>
  new Uint8Array(body.subarray(from, to)).buffer;

const plainInt32: PlainDecoder = (body, from, to, count) => {
  expectBytes(from, to, count * 4);
  const numbers = new Int32Array(aligned(body, from, to));
  const values: number[] = [];
  // Array.from goes through the iterator, which takes several times as long.
  for (let i = 0; i < count; i++) values.push(numbers[i] ?? 0);
  return values;
};

const plainInt32Decimals: PlainDecoder = (body, from, to, count) => {
  expectBytes(from, to, count * 4);
  return Array.from(new Int32Array(aligned(body, from, to)), BigInt);
};

const plainInt64: PlainDecoder = (body, from, to, count) => {
  expectBytes(from, to, count * 8);
  const numbers = new BigInt64Array(aligned(body, from, to));
  const values: bigint[] = [];
  for (let i = 0; i < count; i++) values.push(numbers[i] ?? 0n);
  return values;
};

const plainBooleans: PlainDecoder = (body, from, to, count) => {
  expectBytes(from, to, (count + 7) >> 3);
  const values: Stored[] = [];
  for (let i = 0; i < count; i++)
    values.push((((body[from + (i >> 3)] ?? 0) >> (i & 7)) & 1) === 1);
  return values;
};

const plainTexts: PlainDecoder = (body, from, to, count) => {
  // Cut out of one string where bytes and characters are the same: twice as fast as decoding each.
  const ascii = isAscii(body.subarray(from, to)) ? body.toString("latin1", from, to) : undefined;
  const values: Stored[] = [];
  let at = from;
  for (let i = 0; i < count; i++) {
    const start = at + 4;
    at = start + (start <= to ? body.readUInt32LE(at) : to);
    if (at > to) throw new Error("a text reaches beyond its page");
    values.push(ascii?.slice(start - from, at - from) ?? textAt(body, start, at));
  }
  expectBytes(at, to, 0);
  return values;
};

function textAt(body: Buffer, from: number, to: number): string {
  // Unlike a TextDecoder, this keeps byte order marks.
  const text = body.toString("utf8", from, to);
  // U+FFFD stands for what is no UTF-8, unless it was written.
  if (text.includes("\ufffd") && !isUtf8(body.subarray(from, to)))
    throw new Error("a text is not UTF-8");
  return text;
}

/** Big-endian two's complement of any width. */
function plainWide(body: Buffer, from: number, to: number, count: number, width: number): Stored[] {
  if (!(width > 0)) throw new Error("a decimal without a width");
  expectBytes(from, to, count * width);
  const values: Stored[] = [];
  for (let at = from; at < to; at += width) {
    values.push(BigInt.asIntN(width * 8, BigInt(`0x${body.toString("hex", at, at + width)}`)));
  }
  return values;
}
