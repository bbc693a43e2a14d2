/** One loader at a time. */
import { crc32 } from "node:zlib";
import { LEDGER, type Connection, type Db } from "../postgres/connection.ts";

/** Another loader is at work, and did not finish while this one could wait. */
export class BusyError extends Error {
  override readonly name = "BusyError";
}

/** "totes" in ASCII: any number will do that nobody else locks in this database. */
const LOCK = 0x746f746573;
/** One a ledger: a rebuild beside the warehouse holds nobody up. The pipeline's own is what it always was. */
const lockOf = (ledger: string): number => LOCK + crc32(ledger) - crc32(LEDGER);

/** After an error the lock goes with the connection: whoever opened it closes it. */
export const unlock = (db: Db): Promise<unknown> => db.any("select pg_advisory_unlock_all()");

export async function lock({ db, ledger }: Connection, wait: number): Promise<void> {
  try {
    await db.any("select set_config('lock_timeout', $1, false)", [
      `${Math.max(1, Math.floor(wait))}ms`,
    ]);
    await db.any("select pg_advisory_lock($1)", [lockOf(ledger)]);
    await db.any("select set_config('lock_timeout', '0', false)");
  } catch (cause) {
    if ((cause as { code?: string }).code !== "55P03") throw cause;
    throw new BusyError(
      `another loader holds the lock for more than ${(wait / 1000).toFixed(1)} s; it loads what this one would`,
      { cause },
    );
  }
}
