/** What the warehouse says of the batches that it has. */
import type { Connection } from "../postgres/connection.ts";
import { loadsOf } from "./ledger.ts";
import type { LoadedBatch } from "./load-batch.ts";

/** A batch that is in the warehouse, or was skipped. */
export interface Load {
  readonly batch: number;
  /** ISO 8601, in UTC. */
  readonly loadedAt: string;
  readonly seconds: number;
  readonly rows: number;
  /** Of its ingestion manifest; null of one that was skipped unread. */
  readonly sha256: string | null;
  /** Why an operator left it out. */
  readonly skippedWhy: string | null;
  /** Of a batch that was skipped, its number alone. */
  readonly receipt: Partial<Omit<LoadedBatch, "batch">>;
}

const COLUMNS = `batch::float8 as batch, seconds, rows::float8 as rows, ingestion_sha256 as sha256, skipped_why as "skippedWhy", receipt,
  to_char(loaded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "loadedAt"`;

/** Whether the loader has ever been here: a warehouse that others prepared has no ledger until then. */
export async function hasLedger({ db, ledger }: Connection): Promise<boolean> {
  const { there } = await db.one<{ there: boolean }>(
    "select to_regclass($1) is not null as there",
    [loadsOf(ledger)],
  );
  return there;
}

/** The newest batch, loaded or skipped; undefined where there is none, or no ledger. */
export const newestLoad = async (warehouse: Connection): Promise<Load | undefined> =>
  (await hasLedger(warehouse)) ? newestInLedger(warehouse) : undefined;

/** The same where it is known that there is a ledger. */
export async function newestInLedger({ db, ledger }: Connection): Promise<Load | undefined> {
  const newest = await db.oneOrNone<Load>(
    `select ${COLUMNS} from ${loadsOf(ledger)} order by batch desc limit 1`,
  );
  return newest ?? undefined;
}

/** Of these batches, those that the warehouse has. */
export async function loadsOfBatches(
  { db, ledger }: Connection,
  batches: readonly number[],
): Promise<ReadonlyMap<number, Load>> {
  const found = await db.any<Load>(
    `select ${COLUMNS} from ${loadsOf(ledger)} where batch = any($1::bigint[])`,
    [batches],
  );
  return new Map(found.map((load) => [load.batch, load]));
}
