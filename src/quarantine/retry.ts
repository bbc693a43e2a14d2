/** Quarantined rows, read again though nobody changed them. */
import { ingest, type IngestionSummary } from "../ingestion/ingest.ts";
import { quarantinedKeys } from "../loading/quarantined-keys.ts";
import type { Connection } from "../postgres/connection.ts";
import type { Table } from "../table.ts";
import { QuarantineError, type Filter } from "./quarantine.ts";

/** Rows that are read again at once: their keys are held in memory. */
export const RETRIED = 100_000;

/** What ingestion did. */
export interface Retried extends IngestionSummary {
  /** Rows in quarantine that were not read again, because no key names them. */
  readonly leftOut: number;
}

/**
 * Has ingestion read the rows in quarantine again, as batches of their own, and then what changed: as with any batch, the rows
 * that fit by now leave when it is loaded. Rows that the source has no more leave too; what the star tables do then is what they declare.
 *
 * @param warehouse has the quarantine
 * @param connect opens the source
 * @param bucket the ingestion bucket
 * @returns undefined where no row of `filter` is in quarantine
 * @throws QuarantineError where none of them can be named; what ingestion throws
 */
export async function retryQuarantined(
  warehouse: Connection,
  connect: () => Promise<Connection>,
  bucket: string,
  tables: readonly Table[],
  filter: Filter,
): Promise<Retried | undefined> {
  const { keys, leftOut } = await quarantinedKeys(warehouse, tables, {
    limit: RETRIED,
    table: filter.table ?? null,
    reason: filter.reason ?? null,
  });
  if (Object.keys(keys).length === 0) {
    if (leftOut === 0) return undefined;
    throw new QuarantineError(
      `no key names the rows in quarantine (${leftOut}): it is null, or too long; put them right at the source`,
    );
  }
  const named = new Map(Object.entries(keys));
  return { ...(await ingest(connect, bucket, tables, { named, repair: false })), leftOut };
}
