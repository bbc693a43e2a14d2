/** Where in a table's order something is, and SQL for what comes after it: how a run goes on where it left off. */
import type { CatalogueColumn, CatalogueTable } from "../postgres/catalogue.ts";
import { literal, name, names } from "../postgres/sql.ts";
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

/** The key's columns and how each is compared, as text: a key means nothing to another shape. */
export const keyShape = (source: Source, catalogue: CatalogueTable): string =>
  keyColumns(source, catalogue)
    .map((column) => `${name(column.name)} ${column.byText ? "as text" : column.type}`)
    .join(", ");

/** The order of a table's rows, for ORDER BY. */
export const orderOf = (source: Source, catalogue: CatalogueTable, row: string): string =>
  keyColumns(source, catalogue)
    .map((column) => expression(column, row))
    .join(", ");

/** A condition that is true of the rows within `range`; "true" where that is the whole table. */
export function inRange(
  source: Source,
  catalogue: CatalogueTable,
  row: string,
  { after, upTo }: Range,
): string {
  const key = keyColumns(source, catalogue);
  const conditions = [
    ...(after ? [isAfter(key, row, after)] : []),
    ...(upTo ? [isUpTo(key, row, upTo)] : []),
  ];
  return conditions.join(" and ") || "true";
}

/** A key's column among named keys: an extension's operators are hidden, and an enum may know a value no more. */
const isNamedByText = ({ builtIn, isEnum }: CatalogueColumn): boolean => !builtIn || isEnum;

/** What named keys hold a row's key against. */
export const namedKey = (source: Source, catalogue: CatalogueTable, row: string): string =>
  columnsOf(source, catalogue)
    .map((column) => {
      const asText = isNamedByText(column) ? '::text collate "C"' : "";
      return `${row}.${name(column.name)}${asText}`;
    })
    .join(", ");

/** The columns that named keys have. Not of the table's own types: a `varchar(3)` would cut what it is given. */
export const namedColumns = (source: Source, catalogue: CatalogueTable): CatalogueColumn[] =>
  columnsOf(source, catalogue).map((column) => {
    const base = isNamedByText(column) ? "text" : column.base;
    const type = `pg_catalog.${name(base)}`;
    return { ...column, base, type, isEnum: false, notNull: true };
  });

/** Named keys as rows `k` of a FROM clause. */
export function namedRows(source: Source, catalogue: CatalogueTable, keys: readonly Key[]): string {
  const columns = namedColumns(source, catalogue);
  const values = columns.map((column) => {
    const texts = keys.map((key) => literal(key[column.name]!));
    return `array[${texts.join(", ")}]::${column.type}[]`;
  });
  return `unnest(${values.join(", ")}) as k(${names(keyOf(source))})`;
}

/** The key's columns, in declared order. */
const columnsOf = (source: Source, { columns }: CatalogueTable): CatalogueColumn[] =>
  keyOf(source).map((wanted) => columns.find((column) => column.name === wanted)!);

/** A key's column, and whether it is compared as text. */
interface KeyColumn extends CatalogueColumn {
  readonly byText: boolean;
}

/** Types whose equal values have one text: a `numeric` may be 1.0 or 1.00, a text equal to another under its collation. */
const ONE_TEXT = /^(int[248]|float[48]|oid|bool|date|time|timestamp|timestamptz|uuid)$/;

/**
 * A key that is no unique index's may have rows that are equal and look different, and here a cut between two keys goes by
 * their looks: so they are ordered by their text. So is an extension's type: its operators are hidden by the search path.
 */
function keyColumns(source: Source, catalogue: CatalogueTable): KeyColumn[] {
  const key = keyOf(source);
  const isUnique = catalogue.unique.some(
    (index) => index.length === key.length && index.every((column) => key.includes(column)),
  );
  return columnsOf(source, catalogue).map((column) => {
    const { builtIn, isEnum, base } = column;
    return { ...column, byText: !builtIn || (!isUnique && !isEnum && !ONE_TEXT.test(base)) };
  });
}

const expression = ({ name: column, byText }: KeyColumn, row: string): string =>
  `${row}.${name(column)}${byText ? '::text collate "C"' : ""}`;

const valueOf = ({ name: column, type, byText }: KeyColumn, key: Key): string =>
  `${literal(key[column]!)}::${byText ? "text" : type}`;

const areNotNull = (columns: readonly KeyColumn[]): boolean =>
  columns.every((column) => column.notNull);

/** In the form that an index takes. */
function compare(
  columns: readonly KeyColumn[],
  row: string,
  operator: ">" | "<=",
  key: Key,
): string {
  const ours = columns.map((column) => expression(column, row));
  const theirs = columns.map((column) => valueOf(column, key));
  return `(${ours.join(", ")}) ${operator} (${theirs.join(", ")})`;
}

const isUpTo = (columns: readonly KeyColumn[], row: string, key: Key): string =>
  areNotNull(columns)
    ? compare(columns, row, "<=", key)
    : `${isAfter(columns, row, key)} is not true`;

/** True of rows that come after `key`, nulls last as ORDER BY has them. */
function isAfter(columns: readonly KeyColumn[], row: string, key: Key): string {
  if (areNotNull(columns)) return compare(columns, row, ">", key);
  const [first, ...others] = columns;
  const ours = expression(first!, row);
  const isNull = key[first!.name] === null;
  const beyond = isNull ? "false" : `${ours} > ${valueOf(first!, key)} or ${ours} is null`;
  if (others.length === 0) return `(${beyond})`;
  const equal = isNull ? `${ours} is null` : `${ours} = ${valueOf(first!, key)}`;
  return `(${beyond} or ${equal} and ${isAfter(others, row, key)})`;
}
