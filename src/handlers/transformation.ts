import type { Context } from "aws-lambda";
import { deadlineOf } from "./deadline.ts";
import { answer, type QueueAnswer } from "./event.ts";
import { Observer, sum } from "../observe.ts";
import { codecNamed } from "../parquet/codec.ts";
import { getTables } from "../registry.ts";
import { getSettings } from "../settings.ts";
import type { TransformationSummary } from "../transformation/transform.ts";
import { transformUndone } from "../transformation/undone.ts";

const observer = new Observer("transformation");

/**
 * Makes star rows of the batch that an event names, then of older ones that are still undone; of all that are, when
 * the schedule calls.
 */
export function handler(
  event?: unknown,
  context?: Context,
): Promise<QueueAnswer & { readonly batches: readonly TransformationSummary[] }> {
  const deadline = deadlineOf(context);
  return observer.run(context, async () => {
    const settings = getSettings("INGESTION_BUCKET", "PROCESSED_BUCKET", "PARQUET_CODEC");
    const buckets = { ingestion: settings.INGESTION_BUCKET, processed: settings.PROCESSED_BUCKET };
    const codec = await codecNamed(settings.PARQUET_CODEC);
    const tables = await getTables();
    const batches: TransformationSummary[] = [];
    const done = (batch: TransformationSummary): void => {
      batches.push(batch);
      observer.count({
        RowsTransformed: sum(batch.rows),
        RowsRejected: sum(batch.rejected),
        BytesTransformed: batch.bytes,
        Batch: batch.batch,
      });
      observer.logger.info(`transformation: ${batch.outcome}`, { ...batch });
    };
    const progress = {
      done,
      failed: (error: Error) => observer.failed(error),
      goOn: deadline.goOn,
    };
    const answered = await answer(
      event,
      buckets.ingestion,
      (wake) => transformUndone(buckets, tables, codec, wake, progress),
      observer,
    );
    observer.count({ Heartbeat: 1 });
    return { ...answered, batches };
  });
}
