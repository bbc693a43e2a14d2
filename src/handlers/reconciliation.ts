import type { Context } from "aws-lambda";
import * as v from "valibot";
import { deadlineOf } from "./deadline.ts";
import { ingest } from "../ingestion/ingest.ts";
import { Observer } from "../observe.ts";
import { codecNamed } from "../parquet/codec.ts";
import { connectWith } from "../postgres/connection.ts";
import { findDeleted, type Deletes, type DeletesOptions } from "../reconciliation/deletes.ts";
import type { Difference } from "../reconciliation/difference.ts";
import { reconcile, type Reconciliation, type Sides } from "../reconciliation/reconcile.ts";
import { getTables } from "../registry.ts";
import { getSettings } from "../settings.ts";

const observer = new Observer("reconciliation");

/** Differences that are logged, each on its own: who wants all calls `npx totes reconcile`. */
const LOGGED = 100;

/** What was found, and what was done about it. */
export type Answer = (Reconciliation & { readonly first: readonly Difference[] }) | Deletes;

const shape = v.nullish(
  v.object({
    deletes: v.optional(v.boolean(), false),
    confirmed: v.optional(v.array(v.string()), []),
    share: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1))),
  }),
  {},
);

/**
 * Holds the warehouse against the source; or looks for rows that the source has deleted, and has ingestion's next batch
 * say so.
 * @param event the schedule's, or none; `{ "deletes": true }` looks for deleted rows, with `"confirmed": ["TABLE"]` however
 *   many of a table are gone, and `"share": 0.2` up to a fifth of any (a tenth unless it is said)
 */
export function handler(event?: unknown, context?: Context): Promise<Answer> {
  return observer.run(context, async () => {
    const settings = getSettings(
      "INGESTION_BUCKET",
      "PROCESSED_BUCKET",
      "SOURCE_SECRET",
      "WAREHOUSE_SECRET",
      "PARQUET_CODEC",
    );
    const parsed = v.safeParse(shape, event);
    if (!parsed.success)
      throw new Error(
        'to look for deleted rows, send { "deletes": true, "confirmed": ["TABLE"], "share": 0.1 }',
      );
    const sides: Sides = {
      source: () => connectWith(settings.SOURCE_SECRET),
      warehouse: () => connectWith(settings.WAREHOUSE_SECRET),
      buckets: { ingestion: settings.INGESTION_BUCKET, processed: settings.PROCESSED_BUCKET },
      tables: await getTables(),
      codec: await codecNamed(settings.PARQUET_CODEC),
    };
    const { deletes, ...options } = parsed.output!;
    return deletes ? detect(sides, options, context) : compare(sides);
  });
}

async function compare(sides: Sides): Promise<Answer> {
  const first: Difference[] = [];
  const report = await reconcile(sides, {
    tell: (difference) => {
      if (first.length === LOGGED) return;
      first.push(difference);
      observer.logger.info("reconciliation: a difference", { ...difference });
    },
  });
  observer.count({
    Reconciled: 1,
    Differences: report.differences,
    RowsReconciled: report.tables.reduce((rows, table) => rows + table.rows, 0),
  });
  if (report.differences > 0)
    observer.logger.warn(
      `reconciliation: rows of the warehouse that differ: ${report.differences}`,
    );
  observer.logger.info("reconciliation: compared", { ...report });
  return { ...report, first };
}

async function detect(
  sides: Sides,
  options: DeletesOptions,
  context: Context | undefined,
): Promise<Answer> {
  const found = await findDeleted(sides, options);
  for (const { doubt } of found)
    if (doubt !== undefined) observer.logger.warn(`reconciliation: ${doubt}`);
  const refused = found.filter(({ doubt }) => doubt !== undefined).length;
  const named = new Map(
    found.filter(({ keys }) => keys.length > 0).map(({ source, keys }) => [source, keys]),
  );
  observer.count({
    RowsGone: found.reduce((rows, { gone }) => rows + gone, 0),
    DeletesRefused: refused,
  });
  const deletes = found.map(({ source, live, gone, doubt }) => ({
    source,
    live,
    gone,
    ...(doubt === undefined ? {} : { doubt }),
  }));
  if (named.size === 0) {
    observer.logger.info("reconciliation: nothing to delete", { deletes });
    return { deletes };
  }
  const { ingestion } = sides.buckets;
  const ingested = await ingest(sides.source, ingestion, sides.tables, {
    named,
    repair: false,
    ...deadlineOf(context),
  });
  observer.logger.info("reconciliation: deleted rows told to the lake", { deletes, ...ingested });
  return { deletes, ingested };
}
