/** What both codecs refuse to write or to read. */
import type { Stored } from "../values.ts";
import { ParquetError } from "./error.ts";
import { type FileColumn, typeName } from "./schema.ts";

/** How many rows `data` has. Throws ParquetError unless it has as many of them for each of `columns`. */
export function rowCount(
  columns: readonly FileColumn[],
  data: readonly ArrayLike<Stored>[],
): number {
  const rows = data[0]?.length ?? 0;
  if (columns.length === 0 || columns.length !== data.length) {
    throw new ParquetError(`${data.length} columns of values for ${columns.length} columns`);
  }
  columns.forEach((column, c) => {
    if (data[c]?.length !== rows) {
      throw new ParquetError(`${data[c]?.length} values, the first column has ${rows}`, {
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
