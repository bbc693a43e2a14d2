// What `npm run reconcile` calls: holds the warehouse against the source.
import { createInterface } from "node:readline/promises";
import { ingest, type IngestionSummary } from "../ingestion/ingest.ts";
import { sum } from "../observe.ts";
import { codecNamed } from "../parquet/codec.ts";
import { connectWith } from "../postgres/connection.ts";
import { KINDS, repairOf, type Difference, type Repair } from "../reconciliation/difference.ts";
import { reconcile, type Reconciliation } from "../reconciliation/reconcile.ts";
import { differencesOf } from "../reconciliation/report.ts";
import { getTables } from "../registry.ts";
import { getSettings } from "../settings.ts";
import { command } from "./command.ts";
import { parseOptions, UsageError, wholeNumber } from "./options.ts";
import { STAGE_ARGUMENTS, STAGE_HELP, useStage } from "./stage.ts";
import { counted, listed, seconds, Terminal, whole } from "./terminal.ts";

const LIMIT = 100;

const HELP = `Compares the warehouse with the source, row by row, and names each row that differs.

  npm run reconcile -- --stage dev                  every table
  npm run reconcile -- --stage dev --table dim_staff,fact_payment
  npm run reconcile -- --stage dev --since 41       what changed since batch 41
  npm run reconcile -- --stage dev --sample 10%     a tenth of the key ranges, drawn at random
  npm run reconcile -- --stage dev --json > differences.jsonl
  npm run reconcile -- --stage dev --repair         and have what differs read again

What the source has that is newer than the last loaded batch is no difference. Both databases are
only read; --repair has ingestion read the named rows again, and they take the ordinary path.

  --table NAME,…   these star tables alone
  --since WHEN     rows alone that changed since a batch (41) or a moment (2026-11-25,
                   2026-11-25T06:00Z): quick, and finds no row that is gone from the source
  --sample SHARE   a share of the key ranges: 0.1 or 10%
  --limit N        differences that are shown, 0 to 1,000,000 (default ${LIMIT}); all are counted
  --json           one JSON object a line on standard output: a difference each, the report last
  --repair         have the source rows of what differs read again, after asking
  --yes            do not ask
${STAGE_HELP}
  --help           this text

Exit code: 0 no difference; 1 differences; 2 it could not be told, or a wrong option.
NO_COLOR=1 leaves out colours and motion.`;

interface Options {
  readonly only: readonly string[] | undefined;
  readonly since: number | Date | undefined;
  readonly sample: number | undefined;
  readonly limit: number;
  readonly json: boolean;
  readonly repair: boolean;
  readonly yes: boolean;
  readonly stage: string | undefined;
  readonly region: string | undefined;
}

process.exitCode = await command(read, HELP, async (options) => {
  const terminal = new Terminal(options.json ? process.stderr : process.stdout);
  try {
    return await run(options, terminal);
  } catch (error) {
    // 1 would say that there are differences.
    terminal.calm();
    console.error(error instanceof Error ? `${error.name}: ${error.message}` : error);
    return 2;
  }
});

function read(args: readonly string[]): Options | undefined {
  const values = parseOptions(args, {
    table: { type: "string", multiple: true },
    since: { type: "string" },
    sample: { type: "string" },
    limit: { type: "string", default: String(LIMIT) },
    json: { type: "boolean", default: false },
    repair: { type: "boolean", default: false },
    yes: { type: "boolean", default: false },
    ...STAGE_ARGUMENTS,
    help: { type: "boolean", short: "h" },
  });
  if (values.help) return undefined;
  if (values.repair && !values.yes && !process.stdin.isTTY)
    throw new UsageError("--repair asks before it does: add --yes where nobody can answer");
  return {
    only: values.table?.flatMap((names) => names.split(",")),
    since: values.since === undefined ? undefined : when(values.since),
    sample: values.sample === undefined ? undefined : share(values.sample),
    limit: wholeNumber("limit", values.limit, 0, 1_000_000),
    json: values.json,
    repair: values.repair,
    yes: values.yes,
    stage: values.stage,
    region: values.region,
  };
}

function when(text: string): number | Date {
  if (/^\d+$/.test(text)) return wholeNumber("since", text, 1, 9_999_999_999);
  const at = new Date(text);
  if (/^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(at.getTime())) return at;
  throw new UsageError(`--since takes a batch's number or a date (2026-11-25), not "${text}"`);
}

function share(text: string): number {
  const found = /^(\d*\.?\d+)(%?)$/.exec(text);
  const value = Number(found?.[1]) / (found?.[2] === "%" ? 100 : 1);
  if (value > 0 && value <= 1) return value;
  throw new UsageError(`--sample takes a share, 0.1 or 10%, not "${text}"`);
}

async function run(options: Options, terminal: Terminal): Promise<number> {
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
  if (options.repair)
    await repair(terminal, options, repairOf(toRepair), (named) =>
      ingest(() => connectWith(settings.SOURCE_SECRET), settings.INGESTION_BUCKET, tables, {
        named,
      }),
    );
  return 1;
}

/** Has ingestion read what differs again, unless whoever is asked says no. */
async function repair(
  terminal: Terminal,
  { json, yes }: Options,
  { named, rows, left }: Repair,
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
