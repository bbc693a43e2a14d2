/**
 * Tables that are keyed by their source: a row of the one is a row of the other, so that both can be cut into the same
 * ranges.
 */
import type { CatalogueTable } from "../postgres/catalogue.ts";
import { literal, name, qualified } from "../postgres/sql.ts";
import type { Connection } from "../postgres/connection.ts";
import { sqlType } from "../loading/warehouse.ts";
import { keyedBySource, keyOf, type Column, type Source, type Table } from "../table.ts";

/** A key, as texts that PostgreSQL reads. */
export type KeyTexts = readonly string[];

/** From a key on, up to and without another; null where it is open. */
export interface KeyRange {
  readonly from: KeyTexts | null;
  readonly to: KeyTexts | null;
}

export const EVERYTHING: KeyRange = { from: null, to: null };

/** A key's columns in SQL: what each is ordered by, and the type that its text is read as. */
export interface KeyOrder {
  readonly of: (row: string) => string[];
  readonly types: readonly string[];
}

/** Two databases have two collations: texts are ordered by their bytes. */
const BY_BYTES = 'collate "C"';

const keyOrder = (columns: readonly { name: string; type: string }[]): KeyOrder => ({
  of: (row) =>
    columns.map(({ name: column, type }) =>
      type === "text" ? `${row}.${name(column)}::text ${BY_BYTES}` : `${row}.${name(column)}`,
    ),
  types: columns.map(({ type }) => type),
});

export const sourceOrder = (source: Source, { columns }: CatalogueTable): KeyOrder =>
  keyOrder(
    keyOf(source).map((column) => ({
      name: column,
      type:
        source.columns[column]!.type === "text"
          ? "text"
          : columns.find((found) => found.name === column)!.type,
    })),
  );

export const starOrder = (table: Table): KeyOrder =>
  keyOrder(keyOf(table).map((column) => ({ name: column, type: typeOf(table.columns[column]!) })));

/** The type that a key is compared as; a decimal's without a scale, as a bound may have more digits than the column. */
export function typeOf(column: Column): string {
  if (column.type === "text") return "text";
  return column.type === "decimal" ? "numeric" : sqlType(column);
}

/** A condition that is true of the rows within a range. */
export function within(order: KeyOrder, row: string, { from, to }: KeyRange): string {
  const ours = `(${order.of(row).join(", ")})`;
  const conditions = [
    ...(from ? [`${ours} >= ${valuesSql(order, from)}`] : []),
    ...(to ? [`${ours} < ${valuesSql(order, to)}`] : []),
  ];
  return conditions.join(" and ") || "true";
}

const valuesSql = ({ types }: KeyOrder, key: KeyTexts): string =>
  `(${key.map((text, at) => `${literal(text)}::${types[at]}`).join(", ")})`;

/** A condition that is true of the rows that have one of `keys`. */
export function oneOf(order: KeyOrder, row: string, keys: readonly KeyTexts[]): string {
  if (keys.length === 0) return "false";
  const columns = order.types.map((type, at) =>
    arraySql(
      keys.map((key) => key[at]!),
      type,
    ),
  );
  return `(${order.of(row).join(", ")}) in (select * from unnest(${columns.join(", ")}))`;
}

/** An array of texts that are read as `type`. */
export const arraySql = (texts: readonly string[], type: string): string =>
  `${literal(`{${texts.map((text) => `"${text.replaceAll(/["\\]/g, "\\$&")}"`).join(",")}}`)}::${type}[]`;

/** The number of the range that a row is in, in SQL. @param bounds where each range but the first begins */
export function rangeNumberSql(order: KeyOrder, row: string, bounds: readonly KeyTexts[]): string {
  if (bounds.length === 0) return "0";
  const ours = order.of(row);
  const arrays = order.types.map((type, at) =>
    arraySql(
      bounds.map((bound) => bound[at]!),
      type,
    ),
  );
  const [first, ...others] = ours;
  if (others.length === 0) return `width_bucket(${first}, ${arrays[0]})`;
  const parts = order.types.map((type, at) =>
    type === "text" ? `b.k${at} ${BY_BYTES}` : `b.k${at}`,
  );
  const columns = order.types.map((_, at) => `k${at}`).join(", ");
  return `width_bucket(row(${ours.join(", ")}), (select array_agg(row(${parts.join(", ")}) order by b.n)
    from unnest(${arrays.join(", ")}) with ordinality as b(${columns}, n)))`;
}

/** The key range of number `at`. */
export const rangeAt = (bounds: readonly KeyTexts[], at: number): KeyRange => ({
  from: bounds[at - 1] ?? null,
  to: bounds[at] ?? null,
});

/** Runs of neighbouring numbers, the first and the last of each. */
export function* neighbours(
  numbers: readonly number[],
): Generator<readonly [first: number, last: number]> {
  let run: [number, number] | undefined;
  for (const number of numbers) {
    if (run && number === run[1] + 1) run[1] = number;
    else {
      if (run) yield run;
      run = [number, number];
    }
  }
  if (run) yield run;
}

/** How a table's rows fall into ranges. */
export interface Cuts {
  readonly rows: number;
  /** Where each range but the first begins. */
  readonly bounds: readonly KeyTexts[];
}

/**
 * Cuts a table's rows into ranges, from its key's index alone where it has one.
 * @param where true of the rows `t` that are counted
 * @param size rows of a range
 */
export async function cutsOf(
  { db }: Connection,
  { schema, name: table }: Pick<Source, "schema" | "name">,
  order: KeyOrder,
  size: number,
  where = "true",
): Promise<Cuts> {
  const place = qualified(schema, table);
  const { rows } = await db.one<{ rows: string }>(
    `select count(*) as rows from ${place} t where ${where}`,
  );
  if (Number(rows) <= size) return { rows: Number(rows), bounds: [] };
  const keys = order.of("t");
  const numbered = `select ${keys.map((key, at) => `${key} as k${at}`).join(", ")},
    row_number() over (order by ${keys.join(", ")}) as n from ${place} t where ${where}`;
  const found = await db.any<{ key: string[]; n: string }>(
    `select array[${keys.map((_, at) => `k${at}::text`).join(", ")}] as key, n from (${numbered}) t
      where n % ${size} = 1 and n > 1 order by n`,
  );
  return { rows: Number(rows), bounds: found.map(({ key }) => key) };
}

/** Catalogue types whose text, as a key, is not what a row's JSON has: a `char(3)` loses its blanks. */
const PADDED = "bpchar";

/**
 * Whether a table is compared by key ranges: it is keyed by its source, whose rows all have a key. That each formatted row has
 * its source row's key is seen as they come.
 */
export function isCutByKey(table: Table, catalogue: ReadonlyMap<string, CatalogueTable>): boolean {
  const source = keyedBySource(table);
  if (source === undefined) return false;
  const columns = new Map(
    catalogue.get(source.name)!.columns.map((column) => [column.name, column]),
  );
  return keyOf(source).every((column) => {
    const { notNull, base } = columns.get(column)!;
    // Rows without a key are in no range.
    return notNull && base !== PADDED;
  });
}
