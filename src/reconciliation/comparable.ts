/** What may be compared: with which batch, from where on, and which tables. */
import { fingerprint } from "../fingerprint.ts";
import { whyNotComparable, type Plan } from "../ingestion/plan.ts";
import type { Snapshot } from "../ingestion/snapshot.ts";
import { readChained, readIngestionManifest, type IngestionManifest } from "../lake/manifest.ts";
import { loadsOf } from "../loading/ledger.ts";
import { newestLoad, type Load } from "../loading/loads.ts";
import type { Connection } from "../postgres/connection.ts";
import type { Table } from "../table.ts";
import { ReconciliationError } from "./error.ts";
import type { WarehouseReader } from "./warehouse-rows.ts";

/** @throws ReconciliationError where the warehouse has none yet */
export async function theNewestLoad(warehouse: Connection): Promise<Load> {
  const newest = await newestLoad(warehouse);
  if (newest) return newest;
  throw new ReconciliationError(
    "the warehouse has no batch yet: run ingestion, transformation and loading first",
  );
}

/** The batches that an operator left out. */
export async function skippedBatches({ db, ledger }: Connection): Promise<ReadonlySet<number>> {
  const found = await db.any<{ batch: number }>(
    `select batch::float8 as batch from ${loadsOf(ledger)} where skipped_why is not null`,
  );
  return new Set(found.map(({ batch }) => batch));
}

/** @throws ReconciliationError where the source does not tell what changed since the batch */
export function checkComparable(manifest: IngestionManifest, snapshot: Snapshot): void {
  const doubt = whyNotComparable(manifest, snapshot);
  if (doubt !== undefined)
    throw new ReconciliationError(
      `${doubt}, so that it cannot be told what changed after batch ${manifest.batch}: run ingestion first, which reads everything again`,
    );
}

/** The fence from which on a change is newer than a batch, or yet to be read by its run; null where all is. */
export const pendingFrom = ({ cursor, since, fence }: IngestionManifest): string | null =>
  cursor ? since : fence;

export const changesFrom = (since: string | null): Plan => ({
  kind: "changes",
  reasons: [],
  since,
  whole: new Set(),
});

/** The batch from which on changes are compared. */
export async function sinceOf(
  since: number | Date | undefined,
  newest: IngestionManifest,
  bucket: string,
): Promise<IngestionManifest | undefined> {
  if (since === undefined) return undefined;
  const read = async (batch: number): Promise<IngestionManifest> =>
    batch === newest.batch
      ? newest
      : ((await readIngestionManifest(bucket, batch))?.manifest ??
        (await readChained(bucket, batch)).manifest);
  if (typeof since === "number") {
    if (since >= 1 && since <= newest.batch) return read(since);
    throw new ReconciliationError(
      `there is no batch ${since} to begin at: the warehouse has 1 to ${newest.batch}`,
    );
  }
  // The last that was committed by then: their times ascend as their numbers do.
  let [low, high] = [0, newest.batch];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (new Date((await read(middle)).committed_at) <= since) low = middle;
    else high = middle - 1;
  }
  if (low > 0) return read(low);
  throw new ReconciliationError(
    `no batch was committed by ${since.toISOString()}: leave --since out to compare everything`,
  );
}

/** Why the warehouse cannot have a table as its source is; undefined where it should. */
export function whyNotCompared(
  table: Table,
  { batch, cursor, fingerprints }: IngestionManifest,
): string | undefined {
  if (fingerprints[table.name] !== fingerprint(table))
    return `batch ${batch} was made ${table.name in fingerprints ? "by another version of" : "without"} its module: the next runs fill it`;
  const unread = cursor ? [cursor.table, ...cursor.next] : [];
  const filling = table.sources.find(
    ({ name }) => cursor?.whole.includes(name) === true && unread.includes(name),
  );
  return filling && `it is being filled: batch ${batch} left off before the end of ${filling.name}`;
}

/** @throws ReconciliationError for a table that the warehouse does not have as it is declared */
export function checkThere(tables: readonly Table[], warehouse: WarehouseReader): void {
  for (const table of tables) {
    const lacking = warehouse.lacks(table);
    if (lacking === undefined) continue;
    throw new ReconciliationError(
      `the warehouse has no ${lacking === "" ? table.name : `${table.name}.${lacking}`}: run loading, which makes it, ` +
        "or correct WAREHOUSE_SECRET",
    );
  }
}
