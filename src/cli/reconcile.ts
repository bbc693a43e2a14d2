// What `npm run reconcile` calls: holds the warehouse against the source.
import { createInterface } from "node:readline/promises";
import { ingest, type IngestionSummary } from "../ingestion/ingest.ts";
import { sum } from "../observe.ts";
import { codecNamed } from "../parquet/codec.ts";
import { connectWith } from "../postgres/connection.ts";
import {
  KINDS,
  leavingOf,
  repairOf,
  type Difference,
  type Leaving,
  type Repair,
} from "../reconciliation/difference.ts";
import { ReconciliationError } from "../reconciliation/error.ts";
import { reconcile, type Reconciliation } from "../reconciliation/reconcile.ts";
import { differencesOf } from "../reconciliation/report.ts";
import { getTables } from "../registry.ts";
import { getSettings } from "../settings.ts";
import { command } from "./command.ts";
import { UsageError } from "./options.ts";
import { HELP, readOptions, type ReconcileCommand } from "./reconcile-options.ts";
import { useStage } from "./stage.ts";
import { counted, listed, seconds, Terminal, whole } from "./terminal.ts";

process.exitCode = await command(
  (args) => readOptions(args, process.stdin.isTTY),
  HELP,
  async (options) => {
    const terminal = new Terminal(options.json ? process.stderr : process.stdout);
    try {
      return await run(options, terminal);
    } catch (error) {
      // 1 would say that there are differences.
      terminal.calm();
      console.error(error instanceof Error ? `${error.name}: ${error.message}` : error);
      return 2;
    }
  },
);

async function run(options: ReconcileCommand, terminal: Terminal): Promise<number> {
  await useStage(options);
  const settings = getSettings(
    "INGESTION_BUCKET",
    "PROCESSED_BUCKET",
    "SOURCE_SECRET",
    "WAREHOUSE_SECRET",
    "PARQUET_CODEC",
  );
  const tables = await getTables();
  const unknown = options.only?.find((one) => tables.every(({ name }) => name !== one));
  if (unknown !== undefined)
    throw new UsageError(
      `there is no table ${unknown}; there are ${listed(tables.map(({ name }) => name))}`,
    );
  const codec = await codecNamed(settings.PARQUET_CODEC);
  const shown: Difference[] = [];
  const toRepair: Difference[] = [];
  const report = await terminal.progress(100, "% of the source's rows", (done) =>
    reconcile(
      {
        source: () => connectWith(settings.SOURCE_SECRET),
        warehouse: () => connectWith(settings.WAREHOUSE_SECRET),
        buckets: { ingestion: settings.INGESTION_BUCKET, processed: settings.PROCESSED_BUCKET },
        tables,
        codec,
      },
      {
        only: options.only,
        since: options.since,
        sample: options.sample,
        progress: (rows, of) => done(Math.floor((100 * rows) / Math.max(1, of))),
        tell: async (difference) => {
          if (options.json) await print({ difference });
          else if (shown.length < options.limit) shown.push(difference);
          // What it is called is enough: there may be many.
          if (options.repair) toRepair.push({ ...difference, columns: [] });
        },
      },
    ),
  );
  if (options.json) await print({ report });
  else show(terminal, report, shown);
  if (report.differences === 0) return 0;
  if (options.repair) {
    const leaving = leavingOf(toRepair, tables, report.tables);
    await repair(terminal, options, repairOf(toRepair), leaving, (named) =>
      ingest(() => connectWith(settings.SOURCE_SECRET), settings.INGESTION_BUCKET, tables, {
        named,
      }),
    );
  }
  return 1;
}

/**
 * Has ingestion read what differs again, unless whoever is asked says no.
 * @throws ReconciliationError where more rows would leave the warehouse than was confirmed
 */
async function repair(
  terminal: Terminal,
  { json, yes, confirm }: ReconcileCommand,
  { named, rows, left }: Repair,
  leaving: readonly Leaving[],
  read: (named: Repair["named"]) => Promise<IngestionSummary>,
): Promise<void> {
  terminal.heading("Repair");
  if (left.length > 0)
    terminal.paragraph(
      `${counted(left.length, "difference")} cannot be put right by reading the source again (versions that repeat another, ` +
        "rows that no source row is known of): see docs/runbook.md.",
    );
  if (rows === 0) return;
  const what = [...named].map(([table, keys]) => `${whole(keys.length)} of ${table}`);
  terminal.paragraph(`${counted(rows, "source row")} to be read again: ${listed(what)}.`);
  for (const { table, rows: gone } of leaving)
    terminal.alarm(
      `${counted(gone, "row")} of ${table} will leave the warehouse, with all their versions: the source lacks them.`,
    );
  const doubted = leaving.filter((one) => one.isDoubted && !confirm.includes(one.table));
  if (doubted.length > 0)
    throw new ReconciliationError(
      `nothing was repaired: too many rows would leave ${listed(doubted.map(({ table }) => table))}, as after TRUNCATE; ` +
        `if it is meant, add --confirm ${doubted.map(({ table }) => table).join(",")}`,
    );
  if (!yes && !(await isAgreed())) {
    terminal.paragraph("Nothing was done.");
    return;
  }
  const summary = await read(named);
  if (json) await print({ repair: summary });
  const unread = sum(summary.unread);
  terminal.paragraph(
    summary.outcome === "lost the race"
      ? "Another ingestion was first: run this again."
      : `${counted(sum(summary.named), "row")} read again, ${whole(sum(summary.deleted))} gone from the source; batch ` +
          `${whole(summary.batch)} is the last that holds them. Reconcile again once it is loaded.` +
          (unread > 0 ? ` ${counted(unread, "row")} not read yet: run this again.` : ""),
  );
}

async function isAgreed(): Promise<boolean> {
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await asking.question("  Read them again? [y/N] ")).trim());
  } finally {
    asking.close();
  }
}

/** Writes one line, and waits where nobody reads as fast. */
async function print(line: object): Promise<void> {
  if (!process.stdout.write(`${JSON.stringify(line)}\n`))
    await new Promise((resolve) => process.stdout.once("drain", resolve));
}

function show(terminal: Terminal, report: Reconciliation, shown: readonly Difference[]): void {
  const { batch, committedAt, loadedAt, fenceAge, isWhole, tables, differences } = report;
  terminal.field(
    "Batch",
    `${whole(batch)}, committed ${committedAt}, loaded ${loadedAt}; the source is ${counted(fenceAge, "transaction")} further`,
  );
  if (!isWhole)
    terminal.field("Unfinished", "its run has not read all that there was: that is pending too");
  terminal.heading("What was compared");
  terminal.table(
    ["", "rows", "ranges", "looked into", "pending", "quarantined", "inferred", "differences", "s"],
    tables
      .filter(({ notCompared }) => notCompared === undefined)
      .map((table) => [
        table.table,
        ...[table.rows, table.ranges, table.descended].map(whole),
        ...[table.pending, table.quarantined, table.inferred, differencesOf(table)].map(whole),
        table.seconds.toFixed(1),
      ]),
  );
  for (const { table, notCompared } of tables)
    if (notCompared !== undefined) terminal.alarm(`${table} was not compared: ${notCompared}.`);
  terminal.line();
  if (differences === 0) {
    terminal.paragraph(`No difference. ${seconds(report.seconds * 1000)}.`);
    return;
  }
  const kinds = KINDS.flatMap((kind) => {
    const count = tables.reduce((sum, table) => sum + table.differences[kind], 0);
    return count > 0 ? [`${whole(count)} ${kind}`] : [];
  });
  terminal.alarm(
    `${counted(differences, "difference")}: ${listed(kinds)}. ${seconds(report.seconds * 1000)}.`,
  );
  if (shown.length > 0) terminal.line();
  for (const difference of shown) terminal.line(`  ${inWords(difference)}`);
  if (differences > shown.length)
    terminal.paragraph(
      `… and ${whole(differences - shown.length)} more: --limit shows more, --json all.`,
    );
}

/** `dim_staff staff_id 3: stale (batch 41): location: expected "Leeds", found "York"`. */
function inWords({ table, kind, key, columns, batch, note }: Difference): string {
  const of = Object.entries(key).map(([column, text]) => `${column} ${text}`);
  const value = (text: string | null): string => (text === null ? "null" : JSON.stringify(text));
  const values =
    kind === "missing" || kind === "extra"
      ? []
      : columns.map(
          ({ column, expected = null, found = null }) =>
            `${column}: expected ${value(expected)}, found ${value(found)}`,
        );
  const whose = batch === undefined ? kind : `${kind} (as of batch ${batch})`;
  return [
    `${table} ${of.join(", ")}: ${whose}`,
    ...values,
    ...(note === undefined ? [] : [note]),
  ].join("; ");
}
