import type { Context } from "aws-lambda";
import { deadlineOf, patience } from "./deadline.ts";
import { answer, type QueueAnswer } from "./event.ts";
import { load, type LoadingSummary } from "../loading/load.ts";
import { BusyError } from "../loading/lock.ts";
import { skipBatch } from "../loading/skip.ts";
import { Observer, sum } from "../observe.ts";
import { codecNamed } from "../parquet/codec.ts";
import { connectWith } from "../postgres/connection.ts";
import { getTables } from "../registry.ts";
import { getSettings } from "../settings.ts";

const observer = new Observer("loading");
/** Another loader is at work: nothing that anybody should be told of. */
const busy = (error: BusyError): void => observer.logger.info(`loading: ${error.message}`);

/**
 * Loads every batch that is ready, in order: an event is only a wake-up call.
 * @param event the schedule's, S3's or a queue's; `{ "skip": 42, "why": "…" }` leaves batch 42 out, for good
 */
export function handler(
  event?: unknown,
  context?: Context,
): Promise<QueueAnswer & Partial<LoadingSummary>> {
  const deadline = deadlineOf(context);
  return observer.run(context, async () => {
    const settings = getSettings("PROCESSED_BUCKET", "WAREHOUSE_SECRET", "PARQUET_CODEC");
    const codec = await codecNamed(settings.PARQUET_CODEC);
    const tables = await getTables();
    const drain = async (): Promise<LoadingSummary> => {
      const connection = await connectWith(settings.WAREHOUSE_SECRET);
      try {
        const skip = skipOf(event);
        if (skip)
          await skipBatch(connection, settings.PROCESSED_BUCKET, skip, { wait: patience(context) });
        return await load(connection, settings.PROCESSED_BUCKET, tables, codec, {
          wait: patience(context),
          goOn: deadline.goOn,
          loaded: (batch) => {
            observer.count({
              RowsLoaded: sum(batch.tables, ({ rows }) => rows),
              RowsChanged: sum(batch.tables, ({ changed }) => changed),
              RowsDeleted: sum(batch.deleted),
              Lag: batch.lagSeconds,
              Batch: batch.batch,
            });
            observer.logger.info("loading: loaded", { ...batch });
          },
        });
      } finally {
        await connection.close();
      }
    };
    // One drain serves every record of the event.
    let drained: Promise<LoadingSummary> | undefined;
    let summary: LoadingSummary | undefined;
    const answered = await answer(
      event,
      settings.PROCESSED_BUCKET,
      async (wake) => {
        try {
          summary = await (drained ??= drain());
        } catch (error) {
          // A message comes again, and a person wants to know; a tick would do what the other loader does.
          if (!(error instanceof BusyError && "tick" in wake && !skipOf(event))) throw error;
          busy(error);
        }
      },
      {
        ignored: (why) => observer.ignored(why),
        failed: (error) => (error instanceof BusyError ? busy(error) : observer.failed(error)),
      },
    );
    if (summary) {
      const atRest = summary.loaded.length === 0 && summary.waitingFor === undefined;
      const { quarantine, inferredMembers } = summary;
      observer.count({
        Heartbeat: 1,
        Quarantined: quarantine.rows,
        QuarantineAge: quarantine.age,
        InferredMembers: inferredMembers,
        ...(atRest ? { Lag: 0 } : {}),
      });
      observer.logger.info("loading: at rest", {
        newest: summary.newest,
        quarantine,
        inferredMembers,
        waitingFor: summary.waitingFor,
        prepared: summary.prepared,
        rowByRow: summary.rowByRow,
      });
    }
    return { ...answered, ...summary };
  });
}

function skipOf(event: unknown): { batch: number; why: string } | undefined {
  if (typeof event !== "object" || event === null || !("skip" in event)) return undefined;
  const why = "why" in event ? event.why : undefined;
  if (!Number.isInteger(event.skip) || typeof why !== "string" || why === "")
    throw new Error('to skip a batch, say which and why: { "skip": 42, "why": "…" }');
  return { batch: Number(event.skip), why };
}
