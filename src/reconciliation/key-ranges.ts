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

/** A key's columns in SQL. */
export interface KeyOrder {
  readonly columns: (row: string) => string[];
  /** What a row is ordered by. */
  readonly of: (row: string) => string[];
  /** What these columns, one of each of the key's, look like. */
  readonly texts: (columns: readonly string[]) => string[];
  /** What a key's texts are read as. */
  readonly types: readonly string[];
}

interface KeyColumn {
  readonly name: string;
  readonly type: string;
  readonly base: string;
}

/** A type whose cast to text loses the blanks that a row's JSON has. */
export const PADDED = "bpchar";

/** Two databases have two collations, and may have two encodings: texts are ordered by their bytes in one. */
function keyOrder(key: readonly KeyColumn[]): KeyOrder {
  const columns = (row: string): string[] => key.map((column) => `${row}.${name(column.name)}`);
  const texts = (from: readonly string[]): string[] =>
    from.map((column, at) => (key[at]!.base === PADDED ? `concat(${column})` : `${column}::text`));
  const of = (row: string): string[] => {
    const as = texts(columns(row));
    return columns(row).map((column, at) =>
      key[at]!.type === "text" ? `convert_to(${as[at]}, 'UTF8')` : column,
    );
  };
  return { columns, of, texts, types: key.map(({ type }) => type) };
}

export const sourceOrder = (source: Source, { columns }: CatalogueTable): KeyOrder =>
  keyOrder(
    keyOf(source).map((column) => {
      const { type, base } = columns.find((found) => found.name === column)!;
      return {
        name: column,
        type: source.columns[column]!.type === "text" ? "text" : type,
        base,
      };
    }),
  );

export const starOrder = (table: Table): KeyOrder =>
  keyOrder(
    keyOf(table).map((column) => {
      const type = typeOf(table.columns[column]!);
      return { name: column, type, base: type };
    }),
  );

/** The type that a key is compared as; a decimal's without a scale, as a bound may have more digits than the column. */
export function typeOf(column: Column): string {
  if (column.type === "text") return "text";
  return column.type === "decimal" ? "numeric" : sqlType(column);
}

/** A key's columns as texts, the same ones for equal keys. */
export const textsOf = (order: KeyOrder): string[] =>
  order
    .texts(order.columns("t"))
    .map((text, at) =>
      order.types[at]!.startsWith("numeric") ? `trim_scale(${order.columns("t")[at]})::text` : text,
    );

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
  `(${key.map((text, at) => `${literal(valueOf(text, types[at]!))}::${valueType(types[at]!)}`).join(", ")})`;

/** A key's text as what its order compares; as bytes it is there in any encoding. */
const valueOf = (text: string, type: string): string =>
  type === "text" ? `\\x${Buffer.from(text).toString("hex")}` : text;
const valueType = (type: string): string => (type === "text" ? "bytea" : type);

/** An array a column of what keys are compared as. */
const valueArrays = ({ types }: KeyOrder, keys: readonly KeyTexts[]): string[] =>
  types.map((type, at) =>
    arraySql(
      keys.map((key) => valueOf(key[at]!, type)),
      valueType(type),
    ),
  );

/** A condition that is true of the rows that have one of `keys`. */
export function oneOf(order: KeyOrder, row: string, keys: readonly KeyTexts[]): string {
  if (keys.length === 0) return "false";
  const arrays = valueArrays(order, keys).join(", ");
  return `(${order.of(row).join(", ")}) in (select * from unnest(${arrays}))`;
}

/** A condition that is true of the first of `keys`, and of what comes after it. */
export function fromFirstOf(order: KeyOrder, row: string, keys: readonly KeyTexts[]): string {
  const arrays = valueArrays(order, keys).join(", ");
  const columns = order.types.map((_, at) => at + 1).join(", ");
  return `(${order.of(row).join(", ")}) >= (select * from unnest(${arrays}) k order by ${columns} limit 1)`;
}

/** An array of texts that are read as `type`. */
export const arraySql = (texts: readonly string[], type: string): string =>
  `${literal(`{${texts.map((text) => `"${text.replaceAll(/["\\]/g, "\\$&")}"`).join(",")}}`)}::${type}[]`;

/** The number of the range that a row is in, in SQL. @param bounds where each range but the first begins */
export function rangeNumberSql(order: KeyOrder, row: string, bounds: readonly KeyTexts[]): string {
  if (bounds.length === 0) return "0";
  const ours = order.of(row);
  const arrays = valueArrays(order, bounds);
  const [first, ...others] = ours;
  if (others.length === 0) return `width_bucket(${first}, ${arrays[0]})`;
  const parts = order.types.map((_, at) => `b.k${at}`);
  const columns = order.types.map((_, at) => `k${at}`).join(", ");
  return `width_bucket(row(${ours.join(", ")}), (select array_agg(row(${parts.join(", ")}) order by b.n)
    from unnest(${arrays.join(", ")}) with ordinality as b(${columns}, n)))`;
}

/** The key range of number `at`. */
export const rangeAt = (bounds: readonly KeyTexts[], at: number): KeyRange => ({
  from: bounds[at - 1] ?? null,
  to: bounds[at] ?? null,
});

/** How many rows the key range of number `at` has. */
export const rowsAt = ({ rows, before }: Cuts, at: number): number =>
  (before[at] ?? rows) - (before[at - 1] ?? 0);

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
  /** How many rows come before each of these. */
  readonly before: readonly number[];
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
  if (Number(rows) <= size) return { rows: Number(rows), bounds: [], before: [] };
  const keys = order.types.map((_, at) => `k${at}`);
  const numbered = `select ${order
    .columns("t")
    .map((column, at) => `${column} as ${keys[at]}`)
    .join(", ")},
    row_number() over o as n, rank() over o as first from ${place} t where ${where} window o as (order by ${order.of("t").join(", ")})`;
  // Rows of one key are in one range: it begins with the first of them.
  const found = await db.any<{ key: string[]; before: string }>(
    `select distinct on (first) array[${order.texts(keys).join(", ")}] as key, first - 1 as before from (${numbered}) t
      where n % ${size} = 1 and first > 1 order by first`,
  );
  return {
    rows: Number(rows),
    bounds: found.map(({ key }) => key),
    before: found.map(({ before }) => Number(before)),
  };
}

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
    // Rows without a key are in no range.
    return columns.get(column)!.notNull;
  });
}
