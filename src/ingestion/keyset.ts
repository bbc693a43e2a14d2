/** Where in a table's order something is, and SQL for what comes after it: how a run goes on where it left off. */
import type { CatalogueColumn, CatalogueTable } from "../postgres/catalogue.ts";
import { literal, name } from "../postgres/sql.ts";
import { keyOf, type Source } from "../table.ts";

/** A row's primary key: each column's value as PostgreSQL reads it; null only where a declared key lets one in. */
export type Key = Readonly<Record<string, string | null>>;

/** A stretch of a table, in the order of its key: what comes after `after`, up to and with `upTo`; null where it is open. */
export interface Range {
  readonly after: Key | null;
  readonly upTo: Key | null;
}

/** The key of a row, from its line of JSON. */
export function keyIn(line: string, source: Source): Key {
  const row = JSON.parse(line) as Record<string, unknown>;
  return Object.fromEntries(keyOf(source).map((column) => [column, textOf(row[column])]));
}

const textOf = (value: unknown): string | null =>
  value === null || value === undefined
    ? null
    : typeof value === "string"
      ? value
      : JSON.stringify(value);

export const sameKey = (a: Key, b: Key): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Whether `key` is one of `source` still: its module may have got another since. */
export const isKeyOf = (key: Key, source: Source): boolean =>
  JSON.stringify(Object.keys(key)) === JSON.stringify(keyOf(source));

/** The order of a table's rows, for ORDER BY. */
export const orderOf = (source: Source, { columns }: CatalogueTable, row: string): string =>
  keyColumns(source, columns)
    .map((column) => expression(column, row))
    .join(", ");

/** A condition that is true of the rows within `range`; "true" where that is the whole table. */
export function inRange(
  source: Source,
  { columns }: CatalogueTable,
  row: string,
  { after, upTo }: Range,
): string {
  const key = keyColumns(source, columns);
  const conditions = [
    ...(after ? [isAfter(key, row, after)] : []),
    ...(upTo ? [isUpTo(key, row, upTo)] : []),
  ];
  return conditions.join(" and ") || "true";
}

const keyColumns = (source: Source, columns: readonly CatalogueColumn[]): CatalogueColumn[] =>
  keyOf(source).map((key) => columns.find((column) => column.name === key)!);

// An extension's type has operators of its own, which the search path hides: its text orders as well.
const expression = ({ name: column, builtIn }: CatalogueColumn, row: string): string =>
  `${row}.${name(column)}${builtIn ? "" : "::text"}`;

const valueOf = ({ name: column, type, builtIn }: CatalogueColumn, key: Key): string =>
  `${literal(key[column]!)}::${builtIn ? type : "text"}`;

const areNotNull = (columns: readonly CatalogueColumn[]): boolean =>
  columns.every((column) => column.notNull);

/** In the form that an index takes. */
function compare(
  columns: readonly CatalogueColumn[],
  row: string,
  operator: ">" | "<=",
  key: Key,
): string {
  const ours = columns.map((column) => expression(column, row));
  const theirs = columns.map((column) => valueOf(column, key));
  return `(${ours.join(", ")}) ${operator} (${theirs.join(", ")})`;
}

const isUpTo = (columns: readonly CatalogueColumn[], row: string, key: Key): string =>
  areNotNull(columns)
    ? compare(columns, row, "<=", key)
    : `${isAfter(columns, row, key)} is not true`;

/** True of rows that come after `key`, nulls last as ORDER BY has them. */
function isAfter(columns: readonly CatalogueColumn[], row: string, key: Key): string {
  if (areNotNull(columns)) return compare(columns, row, ">", key);
  const [first, ...others] = columns;
  const ours = expression(first!, row);
  const isNull = key[first!.name] === null;
  const beyond = isNull ? "false" : `${ours} > ${valueOf(first!, key)} or ${ours} is null`;
  if (others.length === 0) return `(${beyond})`;
  const equal = isNull ? `${ours} is null` : `${ours} = ${valueOf(first!, key)}`;
  return `(${beyond} or ${equal} and ${isAfter(others, row, key)})`;
}
