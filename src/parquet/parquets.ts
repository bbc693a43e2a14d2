import type {
  ParquetData,
  ParquetField,
  ParquetReader,
  ParquetType,
  SchemaDefinition,
} from "parquets";
import { timeOfDay, timeText } from "../calendar.ts";
import type { Stored } from "../values.ts";
import { cut, layoutOf, storedAt, type Stretch, type Vector, vectorOf } from "../vectors.ts";
import {
  bigintRange,
  floatRange,
  isWellFormed,
  misfit,
  rowCount,
  saidTypes,
  typesText,
  checkRows,
} from "./checks.ts";
import type { FileWriter, ParquetCodec } from "./codec.ts";
import { ParquetError } from "./error.ts";
import { absent, columnOf, type FileColumn, GROUP_ROWS, typeName, TYPES_KEY } from "./schema.ts";

/** The package, loaded when first used: whoever uses the other codec never does. */
async function load() {
  const { ParquetEnvelopeReader, ParquetEnvelopeWriter, ParquetReader, ParquetSchema } =
    await import("parquets");
  const { decodePageHeader } = await import("parquets/lib/util.js");
  return {
    ParquetEnvelopeReader,
    ParquetEnvelopeWriter,
    ParquetReader,
    ParquetSchema,
    decodePageHeader,
  };
}
type Package = Awaited<ReturnType<typeof load>>;

/** Of Parquet's Thrift: how this codec writes. */
const OPTIONAL = 1;
const PLAIN = 0;
const RLE = 3;
const GZIP = 2;

/** The end of what its int64s, which are JavaScript numbers, can hold. */
const INT53_END = 2n ** 53n;

/**
 * A codec on the package `parquets`. It knows less of Parquet than the default one:
 * - No DECIMAL: decimals are INT64s of the unscaled value. Other readers see whole numbers of pennies.
 * - One TIMESTAMP_MICROS for timestamps with and without a zone; other readers take both for UTC.
 * - Nothing beyond ±2⁵³ in an INT64: larger bigints, decimals of more than 15 digits and timestamps outside
 *   the years 1684 to 2255 are refused with a ParquetError.
 * - No field ids and no statistics.
 * The declared types are in the file's key-value metadata, so nothing is lost to this codec or the default
 * one, which reads these files too. This one reads no others. Pages are gzipped, which has a checksum.
 */
export const parquets: ParquetCodec = {
  name: "parquets",
  write,
  read,
  sizeOf: () => 0,
  writer,
  columnsOf,
};

async function write(columns: readonly FileColumn[], vectors: readonly Vector[]): Promise<Buffer> {
  rowCount(columns, vectors);
  const file = await writer(columns);
  file.add(vectors);
  return file.end();
}

async function writer(columns: readonly FileColumn[]): Promise<FileWriter> {
  const { ParquetEnvelopeWriter, ParquetSchema } = await load();
  const definition: SchemaDefinition = {};
  for (const column of columns) {
    definition[column.name] = {
      type: parquetType(column),
      optional: column.nullable,
      compression: "GZIP",
    };
  }
  const parts: Buffer[] = [];
  const file = new ParquetEnvelopeWriter(
    new ParquetSchema(definition),
    (part) => void parts.push(part),
    () => undefined,
    0,
    {},
  );
  file.writeHeader();
  return {
    add: (vectors) => {
      const rows = rowCount(columns, vectors);
      for (let from = 0; from < rows; from += GROUP_ROWS) {
        const to = Math.min(from + GROUP_ROWS, rows);
        const columnData: Record<string, ParquetData> = {};
        columns.forEach((column, c) => {
          columnData[column.name] = encode(column, vectors[c]!, from, to);
        });
        file.writeRowGroup({ rowCount: to - from, columnData });
      }
    },
    end: () => {
      file.writeFooter({ [TYPES_KEY]: typesText(columns) });
      return Buffer.concat(parts);
    },
  };
}

async function columnsOf(bytes: Buffer): Promise<FileColumn[]> {
  const { metadata } = await open(await load(), bytes);
  const said = saidTypes(typesOf(metadata));
  return metadata.schema.slice(1).map(({ name }) => {
    const { type = "no type", nullable = false } = said.get(name) ?? {};
    return columnOf(name, type, nullable);
  });
}

async function read(
  bytes: Buffer,
  columns: readonly FileColumn[],
  stretch?: Stretch,
): Promise<Vector[]> {
  const lib = await load();
  const file = await open(lib, bytes);
  const { metadata } = file;
  const leaves = metadata.schema.slice(1);
  const said = saidTypes(typesOf(metadata));
  const rows = Number(metadata.num_rows);
  checkRows(rows);
  const read: Vector[] = [];
  for (const column of columns) {
    const index = leaves.findIndex((leaf) => leaf.name === column.name);
    if (index < 0) {
      read.push(absent(column, rows));
      continue;
    }
    const expected = typeName(column);
    const found = said.get(column.name);
    if (found?.type !== expected) {
      const problem = `found ${found?.type ?? "no type"}, expected ${expected}`;
      throw new ParquetError(problem, { column: column.name });
    }
    try {
      // Values that are taken for levels would be followed as run lengths, into gigabytes.
      const optional = leaves[index]?.repetition_type === OPTIONAL;
      if (optional !== found.nullable) throw new Error("its nulls are told in two ways");
      read.push(vectorOf(column, await readColumn(lib, file, bytes, column, index)));
    } catch (cause) {
      if (cause instanceof ParquetError) throw cause;
      const problem = cause instanceof Error ? cause.message : String(cause);
      throw new ParquetError(`is damaged: ${problem}`, { column: column.name, cause });
    }
  }
  return stretch === undefined ? read : read.map((vector) => cut(vector, stretch));
}

function parquetType(column: FileColumn): ParquetType {
  switch (column.type) {
    case "integer":
      return "INT32";
    case "bigint":
    case "decimal":
      return "INT64";
    case "boolean":
      return "BOOLEAN";
    case "text":
    case "time":
      return "UTF8";
    case "date":
      return "DATE";
    case "timestamp":
    case "timestamptz":
      return "TIMESTAMP_MICROS";
  }
}

// ---- writing

type Primitive = number | boolean | string;

function encode(column: FileColumn, vector: Vector, from: number, to: number): ParquetData {
  const values: Primitive[] = [];
  const dlevels: number[] = [];
  for (let row = from; row < to; row++) {
    const value = storedAt(vector, row);
    const missing = value === null && column.nullable;
    if (!missing) values.push(primitive(column, value, row));
    if (column.nullable) dlevels.push(missing ? 0 : 1);
  }
  return { values, dlevels, rlevels: [], count: to - from };
}

/** The package checks next to nothing: a text in a date column becomes the year 1975. */
function primitive(column: FileColumn, value: Stored, row: number): Primitive {
  switch (column.type) {
    case "integer":
    case "date":
      if (typeof value === "number" && (value | 0) === value) return value;
      break;
    case "boolean":
      if (typeof value === "boolean") return value;
      break;
    case "text":
      if (typeof value === "string" && isWellFormed(value)) return value;
      break;
    case "time":
    case "decimal": {
      if (layoutOf(column) === "bigint") return smallBigint(column, value, row);
      const { first, end } = floatRange(column);
      if (!Number.isInteger(value) || Number(value) < first || Number(value) >= end) break;
      return column.type === "time" ? timeText(Number(value)) : Number(value);
    }
    case "bigint":
    case "timestamp":
    case "timestamptz":
      return smallBigint(column, value, row);
  }
  throw misfit(column, value, row);
}

function smallBigint(column: FileColumn, value: Stored, row: number): number {
  const { first, end } = bigintRange(column);
  if (typeof value !== "bigint" || value < first || value >= end) throw misfit(column, value, row);
  if (value > -INT53_END && value < INT53_END) return Number(value);
  throw new ParquetError(
    `row ${row}: ${value} is beyond ±2⁵³, which the codec parquets cannot write; hyparquet can`,
    { column: column.name },
  );
}

// ---- reading

type File = ParquetReader<unknown>;

async function open(lib: Package, bytes: Buffer): Promise<File> {
  try {
    const envelope = await lib.ParquetEnvelopeReader.openBuffer(bytes);
    await envelope.readHeader();
    const metadata = await envelope.readFooter();
    if (typesOf(metadata) === undefined) {
      throw new ParquetError("the codec parquets reads its own files only");
    }
    const file = new lib.ParquetReader(metadata, envelope);
    checkFooter(file);
    return file;
  } catch (cause) {
    if (cause instanceof ParquetError) throw cause;
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new ParquetError(`this is no Parquet file, or damaged: ${problem}`, { cause });
  }
}

/** Parquet's own types do not tell the declared ones here. */
function typesOf(metadata: File["metadata"]): string | undefined {
  return metadata.key_value_metadata?.find(({ key }) => key === TYPES_KEY)?.value;
}

/** Throws Error. A footer says most things twice, so that damage shows. */
function checkFooter({ metadata }: File): void {
  const [root, ...leaves] = metadata.schema;
  if (root?.num_children !== leaves.length) throw new Error("columns are missing or nested");
  let rows = 0;
  for (const group of metadata.row_groups) {
    rows += Number(group.num_rows);
    const names = group.columns.map((chunk) => chunk.meta_data?.path_in_schema.join("."));
    if (names.length !== leaves.length || !leaves.every((leaf, i) => leaf.name === names[i])) {
      throw new Error("a row group has other columns");
    }
  }
  const said = Number(metadata.num_rows);
  if (rows !== said) throw new Error(`${rows} rows, not ${said}`);
}

async function readColumn(
  lib: Package,
  file: File,
  bytes: Buffer,
  column: FileColumn,
  index: number,
): Promise<Stored[]> {
  const field = file.schema.findField([column.name]);
  const { primitiveType, originalType } = new lib.ParquetSchema({
    [column.name]: { type: parquetType(column) },
  }).findField([column.name]);
  if (field.primitiveType !== primitiveType || field.originalType !== originalType) {
    throw new Error(`it is ${field.originalType ?? field.primitiveType}`);
  }
  if (field.rLevelMax > 0) throw new Error("it is a list");
  const values: Stored[] = [];
  for (const group of file.metadata.row_groups) {
    const chunk = group.columns[index];
    const meta = chunk?.meta_data;
    if (chunk === undefined || meta === undefined) throw new Error("it is not there");
    if (meta.codec !== GZIP) throw new Error("it is not gzipped");
    const rows = Number(group.num_rows);
    checkRows(rows);
    const start = Number(meta.data_page_offset);
    const page = bytes.subarray(start, start + Number(meta.total_compressed_size));
    checkPage(lib, page, rows);
    const data = await file.envelopeReader.readColumnChunk(file.schema, chunk);
    decode(column, field, data, rows, values);
  }
  return values;
}

/** The package believes a page's header, and makes room for as many values as that says. */
function checkPage(lib: Package, page: Buffer, rows: number): void {
  const { pageHeader, length } = lib.decodePageHeader(page);
  const data = pageHeader.data_page_header;
  const count = data?.num_values;
  if (data?.encoding !== PLAIN || data.definition_level_encoding !== RLE) {
    throw new Error("a page is not encoded as this codec does");
  }
  if (count !== rows) throw new Error(`a page of ${count} values in a row group of ${rows} rows`);
  if (length + pageHeader.compressed_page_size !== page.length) {
    throw new Error("a page is not as long as its column");
  }
}

function decode(
  column: FileColumn,
  field: ParquetField,
  data: ParquetData,
  rows: number,
  out: Stored[],
): void {
  let next = 0;
  for (let row = 0; row < rows; row++) {
    const missing = (data.dlevels[row] ?? 0) < field.dLevelMax;
    if (missing && !column.nullable) {
      throw new ParquetError(`row ${out.length} is null`, { column: column.name });
    }
    out.push(missing ? null : stored(column, data.values[next++], row));
  }
  if (data.count !== rows || next !== data.values.length) {
    throw new Error(`${data.values.length} values in a row group of ${rows} rows`);
  }
}

function stored(column: FileColumn, value: unknown, row: number): Stored {
  switch (column.type) {
    case "integer":
    case "date":
      if (typeof value === "number") return value;
      break;
    case "boolean":
      if (typeof value === "boolean") return value;
      break;
    case "text":
      // A page's bytes; Buffer, unlike a TextDecoder, keeps byte order marks.
      if (Buffer.isBuffer(value)) return value.toString();
      break;
    case "time": {
      const micros = Buffer.isBuffer(value) ? timeOfDay(value.toString()) : undefined;
      if (micros === undefined) break;
      return micros;
    }
    case "decimal":
      if (typeof value !== "number") break;
      return layoutOf(column) === "bigint" ? BigInt(value) : value;
    case "bigint":
    case "timestamp":
    case "timestamptz":
      if (typeof value === "number") return BigInt(value);
  }
  throw misfit(column, value, row);
}
