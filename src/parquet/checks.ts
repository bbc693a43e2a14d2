/** What both codecs refuse to write or to read. */
import { DAY_MICROS } from "../calendar.ts";
import { layoutOf, type Vector } from "../vectors.ts";
import { ParquetError } from "./error.ts";
import { type FileColumn, typeName } from "./schema.ts";

/** Rows of a file at most: more than any batch has. A few bytes of run lengths can claim any number of them. */
export const MOST_ROWS = 1 << 24;

/** Throws ParquetError for a file of more rows than this is for. */
export function checkRows(rows: number): void {
  if (!(rows <= MOST_ROWS)) throw new ParquetError(`${rows} rows, a file has at most ${MOST_ROWS}`);
}

/**
 * How many rows `vectors` have. Throws ParquetError unless there is one for each of `columns`, laid out as its type
 * is, and all are of the same length.
 */
export function rowCount(columns: readonly FileColumn[], vectors: readonly Vector[]): number {
  const rows = vectors[0]?.values.length ?? 0;
  if (columns.length === 0 || columns.length !== vectors.length) {
    throw new ParquetError(`${vectors.length} columns of values for ${columns.length} columns`);
  }
  checkRows(rows);
  columns.forEach((column, c) => {
    const vector = vectors[c];
    if (vector === undefined || vector.layout !== layoutOf(column)) {
      throw new ParquetError(
        `${vector?.layout ?? "nothing"} is not how a ${typeName(column)} is laid out`,
        { column: column.name },
      );
    }
    const lengths = [vector.values.length, vector.nulls?.length ?? rows];
    const wrong = lengths.find((length) => length !== rows);
    if (wrong !== undefined) {
      throw new ParquetError(`${wrong} values, the first column has ${rows}`, {
        column: column.name,
      });
    }
  });
  return rows;
}

/** The error for a value that is not how `column` stores one. */
export function misfit(column: FileColumn, value: unknown, row: number): ParquetError {
  const shown = typeof value === "string" ? JSON.stringify(value.slice(0, 60)) : String(value);
  return new ParquetError(
    `row ${row}: ${typeof value} ${shown} is not how a ${typeName(column)} is stored`,
    { column: column.name },
  );
}

/** The numbers that a column laid out as floats can hold: from `first` up to, without, `end`. */
export function floatRange(column: Pick<FileColumn, "type" | "precision">): {
  first: number;
  end: number;
} {
  if (column.type === "time") return { first: 0, end: DAY_MICROS };
  const end = Number(`1e${column.precision}`);
  return { first: 1 - end, end };
}

/** The bigints that a bigint, timestamp or decimal column can hold: from `first` up to, without, `end`. */
export function bigintRange(column: FileColumn): { first: bigint; end: bigint } {
  if (column.type !== "decimal") return { first: -(2n ** 63n), end: 2n ** 63n };
  const end = 10n ** BigInt(column.precision ?? 0);
  return { first: 1n - end, end };
}

/** In Node 20, but not in the TypeScript library of its year. */
type WellFormed = string & { isWellFormed(): boolean };

/** Tells whether UTF-8 can hold `text`: half a surrogate pair would be replaced in silence. */
export const isWellFormed = (text: string): boolean => (text as WellFormed).isWellFormed();

/** The declared types, for a file's metadata under TYPES_KEY: `{"price":"decimal(10,2)","note":"text?"}`. */
export function typesText(columns: readonly FileColumn[]): string {
  const said = columns.map((column) => [
    column.name,
    typeName(column) + (column.nullable ? "?" : ""),
  ]);
  return JSON.stringify(Object.fromEntries(said));
}

/** What `typesText` wrote, by name; empty where there is none. Throws ParquetError where it cannot be read. */
export function saidTypes(
  text: string | undefined,
): ReadonlyMap<string, { readonly type: string; readonly nullable: boolean }> {
  try {
    const said: unknown = JSON.parse(text ?? "{}");
    return new Map(
      Object.entries(said ?? {}).map(([name, of]) => {
        const type = String(of);
        return [name, { type: type.replace(/\?$/, ""), nullable: type.endsWith("?") }];
      }),
    );
  } catch (cause) {
    throw new ParquetError("the footer is damaged: its types cannot be read", { cause });
  }
}
