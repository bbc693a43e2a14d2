/** What came into the warehouse lately. */
import { loadsOf } from "../loading/ledger.ts";
import type { Connection } from "../postgres/connection.ts";

/** A batch that was loaded: how long after its commit, and how many rows. */
export interface Arrival {
  readonly at: number;
  readonly lagSeconds: number;
  readonly rows: number;
}

/** Loads that are looked through at most for what happened lately. */
const LATELY = 10_000;

/** What was loaded within so many seconds, the oldest first. */
export async function arrivals(
  { db, ledger }: Connection,
  newest: number,
  seconds: number,
): Promise<Arrival[]> {
  return db.any<Arrival>(
    `select extract(epoch from loaded_at)::float8 * 1000 as at, rows::float8 as rows,
            coalesce((receipt ->> 'lagSeconds')::float8, 0) as "lagSeconds"
       from ${loadsOf(ledger)}
      where batch > $1 and loaded_at > now() - make_interval(secs => $2) and skipped_why is null order by batch`,
    [newest - LATELY, seconds],
  );
}

/** A batch that a table was last touched by. */
export interface Touch {
  readonly table: string;
  readonly batch: number;
  readonly at: string;
  readonly lagSeconds: number;
}

/** The newest batch that brought rows of each table, among the newest ten thousand. */
export async function touches({ db, ledger }: Connection, newest: number): Promise<Touch[]> {
  return db.any<Touch>(
    `select distinct on (1) t.name as "table", l.batch::float8 as batch,
            to_char(l.loaded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at,
            (l.receipt ->> 'lagSeconds')::float8 as "lagSeconds"
       from ${loadsOf(ledger)} l, jsonb_object_keys(l.receipt -> 'tables') as t(name)
      where l.batch > $1 order by 1, l.batch desc`,
    [newest - LATELY],
  );
}
