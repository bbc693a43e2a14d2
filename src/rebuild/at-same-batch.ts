import { beginSnapshot } from "../ingestion/snapshot.ts";
import type { Connection } from "../postgres/connection.ts";
import {
  compareWarehouses,
  countRows,
  type Comparison,
  type RowDifference,
} from "./compare-warehouses.ts";
import { unseen, type Progress } from "../progress.ts";
import { readReceipts } from "./receipts.ts";
import { loadAgain, newestLoaded, type ProcessedLake } from "./warehouse.ts";

/**
 * Holds a rebuilt warehouse against the live one as of one batch: the newest that the live one has now. What it loaded
 * since the rebuild began is loaded here first; what it loads from now on is not seen.
 *
 * @param live its transaction goes on afterwards: whoever opened it closes it
 * @param receipts the bucket that has them
 * @param found told of each difference
 * @throws RebuildError where it could not be told
 */
export async function compareAtSameBatch(
  rebuilt: Connection,
  live: Connection,
  lake: ProcessedLake,
  receipts: string,
  found: (difference: RowDifference) => void,
  progress: Progress = unseen,
): Promise<Comparison & { readonly batch: number }> {
  await beginSnapshot(live.db);
  // It waits while batches are loaded.
  await live.db.none("set local idle_in_transaction_session_timeout = 0");
  const batch = await newestLoaded(live);
  if (batch !== (await newestLoaded(rebuilt)))
    await loadAgain(rebuilt, { ...lake, receipts: await readReceipts(receipts) }, batch);
  const rows = await countRows(rebuilt.db, rebuilt.schema, lake.tables);
  const compared = await progress(rows, "rows compared", (done) =>
    compareWarehouses(rebuilt, live, lake.tables, found, done),
  );
  return { batch, ...compared };
}
