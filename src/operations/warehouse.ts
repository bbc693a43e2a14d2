/** What the warehouse shows of itself: its tables' rows and their last batches, its quarantine. */
import { hasLedger, newestInLedger } from "../loading/loads.ts";
import type { Connection } from "../postgres/connection.ts";
import { qualified } from "../postgres/sql.ts";
import type { Table } from "../table.ts";
import { touches } from "./arrivals.ts";
import type { Places } from "./places.ts";
import { checkReady } from "./why.ts";

export interface WarehouseLook {
  readonly database: string;
  /** Of the declared tables, those that are there. */
  readonly tables: number;
  /** About: what the server's statistics say. */
  readonly rows: number;
  /** Whether the loader has ever been here. */
  readonly isPrepared: boolean;
  /** Rows in quarantine. */
  readonly quarantined: number;
  /** Since when the oldest of them is there. */
  readonly quarantinedSince: Date | null;
  /** Why the loader would refuse it. */
  readonly problem?: Error;
}

export async function lookAtWarehouse(
  connection: Connection,
  tables: readonly Table[],
): Promise<WarehouseLook> {
  const { db, schema, ledger } = connection;
  const shape = await db.one<{ database: string; tables: number; rows: number }>(
    `select current_database() as database, count(oid)::int as tables,
            coalesce(sum(greatest(pg_stat_get_live_tuples(oid), 0)), 0)::float8 as rows
       from (select to_regclass(place)::oid as oid from unnest($1::text[]) as t(place)) found`,
    [tables.map(({ name }) => qualified(schema, name))],
  );
  const isPrepared = await hasLedger(connection);
  const quarantine = isPrepared
    ? await db.one<{ quarantined: number; quarantinedSince: Date | null }>(
        `select count(*)::float8 as quarantined, min(since) as "quarantinedSince" from ${qualified(ledger, "quarantine")}`,
      )
    : { quarantined: 0, quarantinedSince: null };
  const look = { ...shape, isPrepared, ...quarantine };
  try {
    await checkReady(connection, tables);
    return look;
  } catch (error) {
    return { ...look, problem: error as Error };
  }
}

/** A table of the warehouse, as `totes status` shows it. */
export interface TableState {
  readonly table: string;
  /** null where the table is not there. */
  readonly rows: number | null;
  /** Whether `rows` is what the server's statistics say: a large table is not counted. */
  readonly isAbout: boolean;
  /** The batch that last brought rows of it; null where none of the newest ten thousand did. */
  readonly batch: number | null;
  /** When that was loaded, ISO 8601, and how long after it was read, in seconds. */
  readonly at: string | null;
  readonly lag_s: number | null;
  readonly quarantined: number;
}

/** Bytes of a table that is counted rather than guessed. */
const COUNTED = 64 << 20;

/** @throws ConnectionError */
export async function tableStates({ warehouse, tables }: Places): Promise<TableState[]> {
  const connection = await warehouse();
  try {
    const { db, schema, ledger } = connection;
    const isPrepared = await hasLedger(connection);
    const newest = isPrepared ? await newestInLedger(connection) : undefined;
    const touched = new Map(
      (newest ? await touches(connection, newest.batch) : []).map((one) => [one.table, one]),
    );
    const quarantined = new Map(
      (isPrepared
        ? await db.any<{ table: string; rows: number }>(
            `select table_name as "table", count(*)::float8 as rows from ${qualified(ledger, "quarantine")} group by 1`,
          )
        : []
      ).map(({ table, rows }) => [table, rows]),
    );
    const states: TableState[] = [];
    for (const { name } of tables) {
      const last = touched.get(name);
      states.push({
        table: name,
        ...(await rowsOf(connection, qualified(schema, name))),
        batch: last?.batch ?? null,
        at: last?.at ?? null,
        lag_s: last?.lagSeconds ?? null,
        quarantined: quarantined.get(name) ?? 0,
      });
    }
    return states;
  } finally {
    await connection.close();
  }
}

async function rowsOf(
  { db }: Connection,
  place: string,
): Promise<Pick<TableState, "rows" | "isAbout">> {
  const found = await db.one<{ bytes: number | null; about: number | null }>(
    `select pg_relation_size(oid)::float8 as bytes, pg_stat_get_live_tuples(oid)::float8 as about
       from (select to_regclass($1)::oid as oid) t`,
    [place],
  );
  if (found.bytes === null) return { rows: null, isAbout: false };
  if (found.bytes > COUNTED) return { rows: found.about, isAbout: true };
  const { rows } = await db.one<{ rows: number }>(`select count(*)::float8 as rows from ${place}`);
  return { rows, isAbout: false };
}
