import type { Context } from "aws-lambda";
import * as v from "valibot";
import { deadlineOf } from "./deadline.ts";
import { compact, type CompactionSummary } from "../compaction/compact.ts";
import { Observer } from "../observe.ts";
import { codecNamed } from "../parquet/codec.ts";
import { getSettings } from "../settings.ts";

const observer = new Observer("compaction");

const batch = v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)));
const shape = v.nullish(v.object({ to: batch, keep: batch }), {});

/**
 * Turns the small objects of batches that were loaded some time ago into few, in as many compactions as there is time for.
 * @param event the schedule's, or none; `{ "to": 3000 }` goes up to that batch, `{ "keep": 144 }` leaves so many of the newest
 */
export function handler(
  event?: unknown,
  context?: Context,
): Promise<{ readonly compactions: readonly CompactionSummary[] }> {
  const deadline = deadlineOf(context);
  return observer.run(context, async () => {
    const settings = getSettings("PROCESSED_BUCKET", "PARQUET_CODEC");
    const parsed = v.safeParse(shape, event);
    if (!parsed.success)
      throw new Error('to say which batches are compacted, send { "to": 3000 } or { "keep": 144 }');
    const { to, keep } = parsed.output!;
    const compactions = await compact(
      settings.PROCESSED_BUCKET,
      await codecNamed(settings.PARQUET_CODEC),
      {
        to,
        ...(keep === undefined ? {} : { keep }),
        goOn: deadline.goOn,
        done: (done) => observer.logger.info(`compaction: ${done.outcome}`, { ...done }),
      },
    );
    const committed = compactions.filter(({ outcome }) => outcome === "committed");
    observer.count({
      Heartbeat: 1,
      ObjectsCompacted: committed.reduce((sum, { before }) => sum + before.objects, 0),
    });
    if (compactions.length === 0) observer.logger.info("compaction: nothing to do");
    return { compactions };
  });
}
