import type { Context } from "aws-lambda";
import { ingest, type IngestionSummary } from "../ingestion/ingest.ts";
import { Observer, sum } from "../observe.ts";
import { connectWith } from "../postgres/connection.ts";
import { getTables } from "../registry.ts";
import { getSettings } from "../settings.ts";

const observer = new Observer("ingestion");

/**
 * Reads what changed in the source since the newest batch, and commits it as the next.
 * @param event the schedule's, or none; `{ "resync": true }` reads everything again
 */
export function handler(
  event?: { readonly resync?: boolean } | null,
  context?: Context,
): Promise<IngestionSummary> {
  return observer.run(context, async () => {
    const { INGESTION_BUCKET, SOURCE_SECRET } = getSettings("INGESTION_BUCKET", "SOURCE_SECRET");
    if (event?.resync !== undefined && typeof event.resync !== "boolean")
      throw new Error('to read everything again, send { "resync": true }');
    const summary = await ingest(
      () => connectWith(SOURCE_SECRET),
      INGESTION_BUCKET,
      await getTables(),
      { resync: event?.resync === true },
    );
    observer.count({
      Heartbeat: 1,
      RowsIngested: sum(summary.rows),
      BytesIngested: summary.bytes,
      FenceAge: summary.fenceAge,
      Batch: summary.batch,
    });
    observer.logger.info(`ingestion: ${summary.outcome}`, { ...summary });
    return summary;
  });
}
