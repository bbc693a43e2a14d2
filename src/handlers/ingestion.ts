import type { Context } from "aws-lambda";
import { deadlineOf } from "./deadline.ts";
import { ingest, type IngestionSummary } from "../ingestion/ingest.ts";
import { namedIn, NamedRowsError, type EventRows } from "../ingestion/named.ts";
import { BackfillError } from "../ingestion/plan.ts";
import { Observer, sum } from "../observe.ts";
import { HINTS } from "../lake/keys.ts";
import { writeHint } from "../lake/manifest.ts";
import { readQuarantined } from "../lake/quarantined.ts";
import { connectWith } from "../postgres/connection.ts";
import { getTables } from "../registry.ts";
import { getSettings } from "../settings.ts";
import type { Table } from "../table.ts";

const observer = new Observer("ingestion");

/**
 * Reads what changed in the source since the newest batch, and commits it, a bounded batch at a time.
 * @param event the schedule's, or none; `{ "resync": true }` reads everything again, `{ "backfill": ["dim_x"] }` the sources of
 *   these star tables, `{ "rows": { "TABLE": ["5", …] } }` the rows of these keys, changed or not
 */
export function handler(
  event?: {
    readonly resync?: boolean;
    readonly backfill?: readonly string[];
    readonly rows?: EventRows;
  } | null,
  context?: Context,
): Promise<IngestionSummary> {
  const deadline = deadlineOf(context);
  return observer.run(context, async () => {
    const settings = getSettings(
      "INGESTION_BUCKET",
      "SOURCE_SECRET",
      "BATCH_ROWS",
      "BATCH_BYTES",
      "CONTINUE_AT_ONCE",
    );
    if (event?.resync !== undefined && typeof event.resync !== "boolean")
      throw new Error('to read everything again, send { "resync": true }');
    const tables = await getTables();
    // What it holds for ingestion is a hint: without it, tables are read again in another order.
    const processed = process.env["PROCESSED_BUCKET"];
    const summary = await ingest(
      () => connectWith(settings.SOURCE_SECRET),
      settings.INGESTION_BUCKET,
      tables,
      {
        named: namedIn(event?.rows, tables),
        resync: event?.resync === true,
        backfill: backfillIn(event?.backfill, tables),
        ...(processed ? { quarantined: () => readQuarantined(processed) } : {}),
        limits: { rows: settings.BATCH_ROWS, bytes: settings.BATCH_BYTES },
        ...deadline,
        committed: (batch) => observer.logger.info("ingestion: read", { ...batch }),
      },
    );
    observer.count({
      Heartbeat: 1,
      RowsIngested: sum(summary.rows),
      BytesIngested: summary.bytes,
      FenceAge: summary.fenceAge,
      Batch: summary.batch,
    });
    const { batch: newest, ...others } = summary;
    observer.logger.info(`ingestion: ${summary.outcome}`, { newest, ...others });
    if (summary.unfinished && settings.CONTINUE_AT_ONCE === "true")
      await writeHint(settings.INGESTION_BUCKET, HINTS.goOn, summary.batch);
    const unread = Object.entries(summary.unread).map(([table, rows]) => `${rows} of ${table}`);
    if (unread.length > 0)
      throw new NamedRowsError(
        `time was up: of the rows that were named, the last were not read (${unread.join(", ")}); send those again`,
      );
    return summary;
  });
}

/** @throws BackfillError where it is no list of tables that there are */
function backfillIn(given: unknown, tables: readonly Table[]): readonly string[] {
  if (given === undefined) return [];
  const names = tables.map(({ name }) => name);
  const isList = Array.isArray(given) && given.every((one) => names.includes(one as string));
  if (isList) return given as string[];
  throw new BackfillError(
    `to read the sources of tables again, send { "backfill": ["TABLE"] } with some of ${names.join(", ")}; found ${JSON.stringify(given)}`,
  );
}
