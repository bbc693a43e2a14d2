import type { Context } from "aws-lambda";
import * as v from "valibot";
import { LAST_BATCH } from "../lake/keys.ts";
import { Observer } from "../observe.ts";
import { codecNamed } from "../parquet/codec.ts";
import { RebuildError } from "../rebuild/error.ts";
import { modulesOf, remakeBatch } from "../rebuild/processed.ts";
import { getTables } from "../registry.ts";
import { getSettings } from "../settings.ts";
import type { TransformationSummary } from "../transformation/transform.ts";

const observer = new Observer("retransformation");

const shape = v.object({
  batch: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(LAST_BATCH)),
  modules: v.optional(v.string()),
});

/**
 * Makes the star rows of one batch again, in the stage's second processed bucket.
 * @param event `{ "batch": 42 }`; with `"modules"`, refused unless this function has just these table modules
 */
export function handler(event: unknown, context?: Context): Promise<TransformationSummary> {
  return observer.run(context, async () => {
    const settings = getSettings("INGESTION_BUCKET", "PROCESSED_BUCKET", "PARQUET_CODEC");
    const parsed = v.safeParse(shape, event);
    if (!parsed.success) throw new Error('say which batch: { "batch": 42 }');
    const { batch, modules } = parsed.output;
    const tables = await getTables();
    if (modules !== undefined && modules !== modulesOf(tables))
      throw new RebuildError(
        "this function was deployed with other table modules than the rebuild was started with: " +
          "deploy them, or start it from a checkout of the commit that is deployed",
      );
    const buckets = { ingestion: settings.INGESTION_BUCKET, processed: settings.PROCESSED_BUCKET };
    const codec = await codecNamed(settings.PARQUET_CODEC);
    const made = await remakeBatch(buckets, tables, codec, batch);
    observer.logger.info(`retransformation: ${made.outcome}`, { ...made });
    return made;
  });
}
