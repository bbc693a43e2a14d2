import { crc32, gzipSync } from "node:zlib";
import type { ColumnChunk, FileMetaData, RowGroup, SchemaElement } from "hyparquet";
import { parquetMetadata } from "hyparquet/src/metadata.js";
import { ByteWriter } from "hyparquet-writer/src/bytewriter.js";
import { writePageHeader } from "hyparquet-writer/src/datapage.js";
import { writeMetadata } from "hyparquet-writer/src/metadata.js";
import type { Stretch, Vector } from "../vectors.ts";
import { checkRows, rowCount, saidTypes } from "./checks.ts";
import type { FileWriter, ParquetCodec } from "./codec.ts";
import { ParquetError } from "./error.ts";
import { ColumnDecoder } from "./decode.ts";
import { type Chunk, encodeChunk } from "./encode.ts";
import { absent, columnOf, type FileColumn, GROUP_ROWS, typeName, TYPES_KEY } from "./schema.ts";
import { elementOf, readableAs } from "./types.ts";

const MAGIC = Buffer.from("PAR1");

/**
 * The default codec: the Thrift of hyparquet and hyparquet-writer (pure JavaScript), column loops of our own.
 * Types are exact and modern, each page has a checksum, field ids and statistics are written.
 * Reads its own files and those of other writers (flat columns, plain and dictionary encoding).
 */
export const hyparquet: ParquetCodec = {
  name: "hyparquet",
  write: async (columns, vectors) => writeGroups(columns, vectors, GROUP_ROWS),
  read,
  sizeOf,
  writer: async (columns) => new GroupWriter(columns, GROUP_ROWS),
  columnsOf,
};

/** A file in row groups of `groupRows`. Throws ParquetError, see ParquetCodec. */
export function writeGroups(
  columns: readonly FileColumn[],
  vectors: readonly Vector[],
  groupRows: number,
): Buffer {
  const file = new GroupWriter(columns, groupRows);
  file.add(vectors);
  return file.end();
}

class GroupWriter implements FileWriter {
  readonly #columns: readonly FileColumn[];
  readonly #groupRows: number;
  readonly #parts: Uint8Array[] = [MAGIC];
  readonly #groups: RowGroup[] = [];
  #offset = MAGIC.length;
  #rows = 0;

  constructor(columns: readonly FileColumn[], groupRows: number) {
    this.#columns = columns;
    this.#groupRows = groupRows;
  }

  add(vectors: readonly Vector[]): void {
    const rows = rowCount(this.#columns, vectors);
    this.#rows += rows;
    checkRows(this.#rows);
    for (let from = 0; from < rows; from += this.#groupRows) {
      const to = Math.min(from + this.#groupRows, rows);
      const chunks = this.#columns.map((column, c) => {
        const chunk = encodeChunk(column, vectors[c]!, from, to);
        const written = writeChunk(column, chunk, this.#offset, to - from);
        this.#parts.push(...written.parts);
        this.#offset += written.size;
        return written.footer;
      });
      this.#groups.push(groupFooter(chunks, to - from));
    }
  }

  end(): Buffer {
    const footer = new ByteWriter();
    writeMetadata(footer, {
      version: 2,
      // Readers parse this to know whose statistics to trust.
      created_by: "totes-warehouse version 1.0.0 (build hyparquet-writer)",
      schema: [
        { name: "root", num_children: this.#columns.length },
        ...this.#columns.map(elementOf),
      ],
      num_rows: BigInt(this.#rows),
      row_groups: this.#groups,
      metadata_length: 0,
    });
    return Buffer.concat([...this.#parts, footer.getBytes(), MAGIC]);
  }
}

function sizeOf(bytes: Buffer, columns: readonly FileColumn[]): number {
  const { row_groups } = readFooter(bytes);
  const names = new Set(columns.map(({ name }) => name));
  return row_groups
    .flatMap((group) => group.columns)
    .filter(({ meta_data }) => names.has(meta_data!.path_in_schema[0]!))
    .reduce((sum, { meta_data }) => sum + Number(meta_data!.total_uncompressed_size), 0);
}

async function read(
  bytes: Buffer,
  columns: readonly FileColumn[],
  stretch?: Stretch,
): Promise<Vector[]> {
  const metadata = readFooter(bytes);
  const rows = Number(metadata.num_rows);
  checkRows(rows);
  return columns.map((column) => {
    const leaf = findLeaf(metadata, column);
    if (leaf === undefined)
      return absent(column, stretch === undefined ? rows : stretch.to - stretch.from);
    let group = 0;
    try {
      const decoder = new ColumnDecoder(column, leaf.element, rows, stretch);
      for (; group < metadata.row_groups.length; group++) {
        const { columns: chunks, num_rows } = metadata.row_groups[group]!;
        if (decoder.passOver(Number(num_rows))) continue;
        decoder.decode(bytes, chunks[leaf.index]!.meta_data!, Number(num_rows));
      }
      return decoder.vector();
    } catch (cause) {
      if (cause instanceof ParquetError) throw cause;
      const problem = cause instanceof Error ? cause.message : String(cause);
      throw new ParquetError(`row group ${group} is damaged: ${problem}`, {
        column: column.name,
        cause,
      });
    }
  });
}

async function columnsOf(bytes: Buffer): Promise<FileColumn[]> {
  const metadata = readFooter(bytes);
  return metadata.schema
    .slice(1)
    .map((element) =>
      columnOf(element.name, typeOf(metadata, element), element.repetition_type === "OPTIONAL"),
    );
}

// ---- writing

/**
 * Texts, and times as texts, shrink to a third. Numbers are small as they are, packed by their dictionaries:
 * compressing them too takes a third more of the time of writing and reading, for a fifth of the bytes.
 */
const compressionOf = ({ type }: FileColumn): "GZIP" | "UNCOMPRESSED" =>
  type === "text" || type === "time" ? "GZIP" : "UNCOMPRESSED";

function writeChunk(
  column: FileColumn,
  chunk: Chunk,
  start: number,
  rows: number,
): { parts: Uint8Array[]; size: number; footer: ColumnChunk } {
  const { dictionary, pages, nulls, bounds } = chunk;
  const codec = compressionOf(column);
  const encoding = dictionary === undefined ? ("PLAIN" as const) : ("RLE_DICTIONARY" as const);
  const parts: Uint8Array[] = [];
  let size = 0;
  let uncompressed = 0;
  const put = (body: Buffer, header: Partial<Parameters<typeof writePageHeader>[1]>): void => {
    const bytes = codec === "GZIP" ? gzipSync(body, { level: 1 }) : body;
    const writer = new ByteWriter(64);
    writePageHeader(writer, {
      type: "DATA_PAGE",
      uncompressed_page_size: body.length,
      compressed_page_size: bytes.length,
      crc: crc32(bytes) | 0,
      ...header,
    });
    parts.push(writer.getBytes(), bytes);
    size += writer.offset + bytes.length;
    uncompressed += writer.offset + body.length;
  };
  if (dictionary !== undefined) {
    const { body, count } = dictionary;
    const dictionary_page_header = { num_values: count, encoding: "PLAIN" as const };
    put(body, { type: "DICTIONARY_PAGE", dictionary_page_header });
  }
  const dataStart = start + size;
  for (const page of pages) {
    put(page.body, {
      data_page_header: {
        num_values: page.rows,
        encoding,
        definition_level_encoding: "RLE",
        repetition_level_encoding: "RLE",
      },
    });
  }
  const footer: ColumnChunk = {
    file_offset: BigInt(start),
    meta_data: {
      type: elementOf(column).type!,
      encodings: dictionary === undefined ? ["PLAIN", "RLE"] : ["PLAIN", "RLE", encoding],
      path_in_schema: [column.name],
      codec,
      num_values: BigInt(rows),
      total_uncompressed_size: BigInt(uncompressed),
      total_compressed_size: BigInt(size),
      data_page_offset: BigInt(dataStart),
      ...(dictionary && { dictionary_page_offset: BigInt(start) }),
      statistics: {
        null_count: BigInt(nulls),
        ...(bounds && { max_value: bounds.max, min_value: bounds.min }),
      },
    },
  };
  return { parts, size, footer };
}

function groupFooter(columns: ColumnChunk[], rows: number): RowGroup {
  let uncompressed = 0n;
  let compressed = 0n;
  for (const { meta_data } of columns) {
    uncompressed += meta_data!.total_uncompressed_size;
    compressed += meta_data!.total_compressed_size;
  }
  return {
    columns,
    total_byte_size: uncompressed,
    num_rows: BigInt(rows),
    total_compressed_size: compressed,
  };
}

// ---- reading

/** Throws ParquetError where the footer cannot be read or contradicts itself. */
function readFooter(bytes: Buffer): FileMetaData {
  if (bytes.length < 12 || !bytes.subarray(0, 4).equals(MAGIC)) {
    throw new ParquetError("this is no Parquet file");
  }
  try {
    const metadata = parquetMetadata(bytes, { geoparquet: false });
    checkFooter(metadata);
    return metadata;
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new ParquetError(`the footer is damaged: ${problem}`, { cause });
  }
}

/** Throws Error. A footer says most things twice, so that damage shows; each chunk says here what it is of. */
function checkFooter({ schema, row_groups, num_rows }: FileMetaData): void {
  const [root, ...leaves] = schema;
  if (root?.num_children !== leaves.length) throw new Error("columns are missing or nested");
  let rows = 0n;
  for (const group of row_groups) {
    if (group.num_rows < 0n) throw new Error(`a row group of ${group.num_rows} rows`);
    rows += group.num_rows;
    const names = group.columns.map((chunk) => chunk.meta_data?.path_in_schema.join("."));
    if (names.length !== leaves.length || !leaves.every((leaf, i) => leaf.name === names[i])) {
      throw new Error("a row group has other columns");
    }
  }
  if (rows !== num_rows) throw new Error(`${rows} rows, not ${num_rows}`);
}

/** undefined for a column that came after the file. Throws ParquetError unless it can be read as declared. */
function findLeaf(
  metadata: FileMetaData,
  column: FileColumn,
): { element: SchemaElement; index: number } | undefined {
  const index = metadata.schema.slice(1).findIndex((leaf) => leaf.name === column.name);
  const element = metadata.schema[index + 1];
  const expected = column.type === "time" ? "text" : typeName(column);
  if (index < 0 || element === undefined) return undefined;
  const found = typeOf(metadata, element);
  if (found !== expected) {
    throw new ParquetError(`found ${found}, expected ${expected}`, { column: column.name });
  }
  return { element, index };
}

/** What a file's column can be read as. Throws ParquetError where the footer's own types cannot be read. */
function typeOf({ key_value_metadata }: FileMetaData, element: SchemaElement): string {
  const repeated = element.repetition_type === "REPEATED" ? "a list of " : "";
  const types = key_value_metadata?.find(({ key }) => key === TYPES_KEY)?.value;
  return repeated + readableAs(element, saidTypes(types));
}
