import { crc32 } from "node:zlib";
import { COLUMN_TYPES, type Columns, type ColumnType } from "../columns.ts";
import { placeholder, type Stored } from "../values.ts";
import { ParquetError } from "./error.ts";
import { vectorOf, type Vector } from "../vectors.ts";

/** A column of a Parquet file. */
export interface FileColumn {
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
  /** Part of the natural key: no file is without it. */
  readonly key?: boolean;
  /** Digits in all, of a decimal. */
  readonly precision?: number;
  /** Digits after the point, of a decimal. */
  readonly scale?: number;
  /** What readers that follow schema changes (Iceberg, Spark) know the column by, whatever its place. */
  readonly fieldId: number;
}

/** The media type of the files. */
export const PARQUET = "application/vnd.apache.parquet";

/** Rows of a row group: what a reader has to hold at once. The codec parquets breaks above 123,000. */
export const GROUP_ROWS = 100_000;

/** Where a file whose Parquet types do not tell the declared ones keeps those, as JSON. */
export const TYPES_KEY = "totes.types";

/** The column that holds the number of the batch a row belongs to. */
export const BATCH_COLUMN = "_batch";

/**
 * The columns of a table's files: the declared ones in order, without those that the warehouse fills, and
 * `_batch` last. Throws for a declaration that no file could hold.
 */
export function fileColumns(columns: Columns): FileColumn[] {
  const declared = Object.entries(columns)
    .filter(([, column]) => column.generated !== true)
    .map(([name, column]): FileColumn => {
      const made = fileColumn(name, column);
      return column.key ? { ...made, key: true } : made;
    });
  if (declared.some((column) => column.name === BATCH_COLUMN)) {
    throw new Error(`column "${BATCH_COLUMN}" is the batch number's: declare another name`);
  }
  const all = [...declared, fileColumn(BATCH_COLUMN, { type: "bigint", nullable: false })];
  const names = new Map<number, string>();
  for (const { name, fieldId } of all) {
    const other = names.get(fieldId);
    if (other !== undefined) {
      throw new Error(`columns "${other}" and "${name}" have the same field id: rename one`);
    }
    names.set(fieldId, name);
  }
  return all;
}

/** What a file of `rows` has in a column that was declared after it was written. Throws ParquetError for one of the key. */
export function absent(column: FileColumn, rows: number): Vector {
  if (column.key)
    throw new ParquetError("it is part of the key, and the file has no such column", {
      column: column.name,
    });
  return vectorOf(column, Array<Stored>(rows).fill(column.nullable ? null : placeholder(column)));
}

/** How a column's type is written in messages: `decimal(10,2)`, `date`. */
export function typeName(column: Omit<FileColumn, "name" | "nullable" | "fieldId">): string {
  return column.type === "decimal" ? `decimal(${column.precision},${column.scale})` : column.type;
}

/** The column whose type is written so, as by `typeName`. Throws ParquetError for a type that no column is declared as. */
export function columnOf(name: string, type: string, nullable: boolean): FileColumn {
  const [, decimal, precision, scale] = /^(decimal)\((\d+),(\d+)\)$/.exec(type) ?? [];
  if (decimal === undefined && !PLAIN_TYPES.has(type))
    throw new ParquetError(`no column is declared as ${type}`, { column: name });
  return fileColumn(name, {
    type: (decimal ?? type) as ColumnType,
    nullable,
    ...(decimal && { precision: Number(precision), scale: Number(scale) }),
  });
}

/** Those that are said without digits. */
const PLAIN_TYPES: ReadonlySet<string> = new Set(COLUMN_TYPES.filter((type) => type !== "decimal"));

function fileColumn(
  name: string,
  column: Pick<FileColumn, "type" | "nullable" | "precision" | "scale">,
): FileColumn {
  if (name === "") throw new Error("a column without a name");
  const { type, nullable, precision = NaN, scale = NaN } = column;
  // From the name alone, so that it stays when columns are added or moved. Thrift's ids are signed.
  const fieldId = crc32(name) & 0x7fffffff;
  if (type !== "decimal") return { name, type, nullable, fieldId };
  if (
    !(precision >= 1 && precision <= 38) ||
    !(scale >= 0 && scale <= precision) ||
    !Number.isInteger(precision) ||
    !Number.isInteger(scale)
  ) {
    throw new Error(`column "${name}": ${typeName(column)} is not a decimal of 1 to 38 digits`);
  }
  return { name, type, nullable, precision, scale, fieldId };
}
