/** Quarantined rows, read again though nobody changed them. */
import { ingest, type IngestionSummary } from "../ingestion/ingest.ts";
import { quarantinedKeys } from "../loading/quarantine.ts";
import type { Connection } from "../postgres/connection.ts";
import type { Table } from "../table.ts";
import type { Filter } from "./quarantine.ts";

/** Rows that are read again at once: their keys are held in memory. */
export const RETRIED = 100_000;

/**
 * Has ingestion read the rows in quarantine again, as batches of their own, and then what changed: as with any batch, the rows
 * that fit by now leave when it is loaded. Rows that the source has no more leave too; what the star tables do then is what they declare.
 *
 * @param warehouse has the quarantine
 * @param connect opens the source
 * @param bucket the ingestion bucket
 * @returns undefined where no row of `filter` is in quarantine
 * @throws what ingestion throws
 */
export async function retryQuarantined(
  warehouse: Connection,
  connect: () => Promise<Connection>,
  bucket: string,
  tables: readonly Table[],
  filter: Filter,
): Promise<IngestionSummary | undefined> {
  const keys = await quarantinedKeys(warehouse, tables, {
    limit: RETRIED,
    table: filter.table ?? null,
    reason: filter.reason ?? null,
  });
  if (Object.keys(keys).length === 0) return undefined;
  return ingest(connect, bucket, tables, { named: new Map(Object.entries(keys)), repair: false });
}
