// Columns of files whose pages are made by hand.
import type { ColumnMetaData, PageHeader, SchemaElement } from "hyparquet";
import { ByteWriter } from "hyparquet-writer/src/bytewriter.js";
import { writePageHeader } from "hyparquet-writer/src/datapage.js";
import { packed } from "../../src/parquet/bits.ts";
import { ColumnDecoder } from "../../src/parquet/decode.ts";
import type { FileColumn } from "../../src/parquet/schema.ts";
import type { Stored } from "../../src/values.ts";
import { storedOf, type Stretch, type Vector } from "../../src/vectors.ts";

export interface Made {
  element?: SchemaElement;
  column?: Partial<FileColumn>;
  rows?: number;
  meta?: Partial<ColumnMetaData>;
  stretch?: Stretch;
  /** Bytes of the column's chunk that the footer says too much. */
  beyond?: number;
  /** Row groups, each of these pages. */
  groups?: number;
  pages: { body: Buffer; header: Partial<PageHeader> }[];
}

export const levels = {
  definition_level_encoding: "RLE",
  repetition_level_encoding: "RLE",
} as const;
export const plain = (num_values: number): Partial<PageHeader> => ({
  data_page_header: { num_values, encoding: "PLAIN", ...levels },
});
export const indexed = (num_values: number): Partial<PageHeader> => ({
  data_page_header: { num_values, encoding: "RLE_DICTIONARY", ...levels },
});
export const dictionary = (num_values: number): Partial<PageHeader> => ({
  type: "DICTIONARY_PAGE",
  dictionary_page_header: { num_values, encoding: "PLAIN" },
});
export const v2 = (
  num_values: number,
  num_nulls: number,
  definition_levels_byte_length: number,
  repetition_levels_byte_length = 0,
): Partial<PageHeader> => ({
  type: "DATA_PAGE_V2",
  data_page_header_v2: {
    num_values,
    num_nulls,
    num_rows: num_values,
    encoding: "PLAIN",
    definition_levels_byte_length,
    repetition_levels_byte_length,
    is_compressed: false,
  },
});
export const ints = (...values: number[]): Buffer => Buffer.from(Int32Array.from(values).buffer);
export const required: SchemaElement = { name: "it", type: "INT32", repetition_type: "REQUIRED" };
const TYPES: Readonly<Record<string, FileColumn["type"]>> = {
  BOOLEAN: "boolean",
  BYTE_ARRAY: "text",
  FIXED_LEN_BYTE_ARRAY: "decimal",
};
export const optional: SchemaElement = { ...required, repetition_type: "OPTIONAL" };
export const texts: SchemaElement = { ...required, type: "BYTE_ARRAY", converted_type: "UTF8" };

/** What is read of a column whose pages were made by hand. */
export const read = (made: Made): Stored[] => storedOf(decode(made));

export function decode(made: Made): Vector {
  const {
    element = required,
    column = {},
    rows = 3,
    meta = {},
    beyond = 0,
    groups = 1,
    pages,
  } = made;
  const parts: Uint8Array[] = [Buffer.from("PAR1")];
  for (const { body, header } of pages) {
    const writer = new ByteWriter();
    writePageHeader(writer, {
      type: "DATA_PAGE",
      uncompressed_page_size: body.length,
      compressed_page_size: body.length,
      ...header,
    });
    parts.push(writer.getBytes(), body);
  }
  const size = Buffer.concat(parts).length - 4;
  const file = Buffer.concat([...parts, Buffer.alloc(8)]);
  const chunk: ColumnMetaData = {
    type: element.type ?? "INT32",
    encodings: [],
    path_in_schema: ["it"],
    codec: "UNCOMPRESSED",
    num_values: BigInt(rows),
    total_uncompressed_size: BigInt(size),
    total_compressed_size: BigInt(size + beyond),
    data_page_offset: 4n,
    ...meta,
  };
  const type = TYPES[element.type ?? "INT32"] ?? "integer";
  const nullable = element.repetition_type === "OPTIONAL";
  const asked = { name: "it", type, nullable, fieldId: 1, ...column };
  const decoder = new ColumnDecoder(asked, element, rows * groups, made.stretch);
  for (let group = 0; group < groups; group++)
    if (!decoder.passOver(rows)) decoder.decode(file, chunk, rows);
  return decoder.vector();
}

/** Three values in a page. */
export const three = { body: ints(1, -2, 3), header: plain(3) };
/** Two values in a dictionary. */
export const entries = { body: ints(5, 6), header: dictionary(2) };
/** That the first and the last of three rows have a value; or, of a dictionary's two, their indexes. */
export const two = packed(Uint8Array.of(1, 0, 1), 1);
/** What stands before levels. */
export const lengthOf = (runs: Buffer): Buffer => ints(runs.length);

/** Texts as a page has them. */
export const words = (...values: string[]): Buffer =>
  Buffer.concat(values.flatMap((value) => [ints(Buffer.byteLength(value)), Buffer.from(value)]));

/** A column of one text. */
export const text = (bytes: Buffer): Made => ({
  element: texts,
  rows: 1,
  pages: [{ body: Buffer.concat([ints(bytes.length), bytes]), header: plain(1) }],
});
