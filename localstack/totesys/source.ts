import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { from as copyFrom } from "pg-copy-streams";
import pgPromise from "pg-promise";
import type { IBaseProtocol, IDatabase } from "pg-promise";

/** A database, as pg-promise opens it. */
export type Database = IDatabase<{}>;
/** One connection of a database, held open. */
export type Connection = Awaited<ReturnType<Database["connect"]>>;
/** Anything that takes a query: a database, a connection, a transaction. */
export type Queryable = IBaseProtocol<{}>;
/** What a cell of a row can hold on its way into a table. */
export type Cell = string | number | boolean | null;

/** The eleven tables of totesys, each after those that it refers to. Their keys are `<table>_id`. */
export const SOURCE_TABLES = [
  "address",
  "currency",
  "department",
  "design",
  "payment_type",
  "counterparty",
  "staff",
  "sales_order",
  "purchase_order",
  "transaction",
  "payment",
] as const;

/** The name of a table of totesys. */
export type SourceTable = (typeof SOURCE_TABLES)[number];

/** How many rows went into each table. */
export type RowCounts = Record<SourceTable, number>;

/**
 * Lends `work` one connection, and takes it back however `work` ends.
 * Throws what connecting or `work` throws.
 */
export async function onConnection<T>(
  db: Database,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await db.connect();
  try {
    return await work(connection);
  } finally {
    await connection.done();
  }
}

/**
 * Puts `rows`, cells in the order of `columns`, into `table` by COPY: the fastest way in, and one that
 * takes ids in identity columns as they come. Throws what PostgreSQL says of a row that does not fit.
 */
export async function copyRows(
  connection: Connection,
  table: SourceTable,
  columns: readonly string[],
  rows: readonly (readonly Cell[])[],
): Promise<void> {
  if (rows.length === 0) return;
  const sql = pgPromise.as.format("copy public.$1:name ($2:name) from stdin", [table, columns]);
  await copyText(connection, sql, Readable.from(copyLines(rows)));
}

/** Sends `text`, as the COPY statement `sql` wants it. Throws what reading it or PostgreSQL throws. */
export async function copyText(
  connection: Connection,
  sql: string,
  text: NodeJS.ReadableStream,
): Promise<void> {
  const copy = copyFrom(sql);
  void connection.client.query(copy);
  await pipeline(text, copy);
}

/** Rows as COPY's text format has them, in pieces of about a thousand lines. */
function* copyLines(rows: readonly (readonly Cell[])[]): Generator<string> {
  for (let start = 0; start < rows.length; start += 1000) {
    const lines = rows.slice(start, start + 1000).map((row) => row.map(copyCell).join("\t"));
    yield `${lines.join("\n")}\n`;
  }
}

const ESCAPES: Record<string, string> = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" };

function copyCell(cell: Cell): string {
  if (cell === null) return "\\N";
  if (typeof cell !== "string") return String(cell);
  return cell.replace(/[\\\t\n\r]/g, (character) => ESCAPES[character] ?? character);
}

/** Throws an error that names the first table of totesys that is missing or already holds rows. */
export async function assertEmpty(db: Queryable): Promise<void> {
  for (const table of SOURCE_TABLES) {
    const { found } = await db.one<{ found: boolean }>(
      "select to_regclass($1) is not null as found",
      [`public.${table}`],
    );
    if (!found) {
      throw new Error(`the database has no table public.${table}: create the totesys schema first`);
    }
    const filled = await db.oneOrNone("select 1 from public.$1:name limit 1", [table]);
    if (filled) throw new Error(`public.${table} already holds rows: an empty totesys is needed`);
  }
}

/**
 * Spares the rest of the transaction the check of each foreign key, two thirds of the time of filling a shop,
 * where the user is a superuser; does nothing where not. For rows whose references are right by their making.
 */
export async function trustReferences(tx: Queryable): Promise<void> {
  const { superuser } = await tx.one<{ superuser: boolean }>(
    "select current_setting('is_superuser')::boolean as superuser",
  );
  if (superuser) await tx.none("set local session_replication_role = 'replica'");
}

/** Makes every table's next id follow its greatest one, after rows came with ids of their own. */
export async function resetSequences(db: Queryable): Promise<void> {
  for (const table of SOURCE_TABLES) {
    await db.any(
      `select setval(sequence, (select coalesce(max($(key:name)), 0) + 1 from public.$(table:name)), false)
         from pg_get_serial_sequence($(qualified), $(key)) as sequence
        where sequence is not null`,
      { table, key: `${table}_id`, qualified: `public.${table}` },
    );
  }
}

/**
 * Takes the next `count` ids of `table` from its sequence: nobody else gets them, whether or not the
 * transaction that took them commits.
 */
export async function takeIds(db: Queryable, table: SourceTable, count: number): Promise<number[]> {
  const rows = await db.any<{ id: number }>(
    `select nextval(pg_get_serial_sequence($(qualified), $(key)))::int as id
       from generate_series(1, $(count)::int)`,
    { qualified: `public.${table}`, key: `${table}_id`, count },
  );
  return rows.map((row) => row.id);
}
