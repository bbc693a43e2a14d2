// Holds the warehouse against the source.
import { ingest, type IngestionSummary } from "../../src/ingestion/ingest.ts";
import { sum } from "../../src/observe.ts";
import { codecNamed } from "../../src/parquet/codec.ts";
import { connectWith } from "../../src/postgres/connection.ts";
import {
  KINDS,
  leavingOf,
  repairOf,
  type Difference,
  type Leaving,
  type Repair,
} from "../../src/reconciliation/difference.ts";
import { ReconciliationError } from "../../src/reconciliation/error.ts";
import { reconcile as compare, type Reconciliation } from "../../src/reconciliation/reconcile.ts";
import { differencesOf } from "../../src/reconciliation/report.ts";
import { getTables } from "../../src/registry.ts";
import { getSettings } from "../../src/settings.ts";
import { isAgreed } from "../agreed.ts";
import { batchNumber, shareOf, UsageError, wholeNumber } from "../options.ts";
import { checkModules } from "../same-modules.ts";
import { useStage } from "../stage.ts";
import { tableNamed } from "../tables.ts";
import { counted, listed, seconds, whole, type Terminal } from "../terminal.ts";
import { defineVerb, stageOptions, type Say } from "../verb.ts";

/** What is asked for. */
interface Asked {
  readonly only: readonly string[] | undefined;
  readonly since: number | Date | undefined;
  readonly sample: number | undefined;
  readonly limit: number;
  readonly repair: boolean;
  readonly yes: boolean;
  readonly confirm: readonly string[];
  readonly stage: string;
  readonly region: string | undefined;
}

async function run(options: Asked, say: Say): Promise<number> {
  const { terminal, isJson, answerLine } = say;
  const tables = await getTables();
  for (const name of options.only ?? []) tableNamed(name, tables);
  await useStage(options);
  const settings = getSettings(
    "INGESTION_BUCKET",
    "PROCESSED_BUCKET",
    "SOURCE_SECRET",
    "WAREHOUSE_SECRET",
    "PARQUET_CODEC",
  );
  // Before it takes its time.
  if (options.repair) await checkModules(options.stage, settings.INGESTION_BUCKET, tables);
  const codec = await codecNamed(settings.PARQUET_CODEC);
  const shown: Difference[] = [];
  const toRepair: Difference[] = [];
  const report = await terminal.progress(100, "% of the source's rows", (done) =>
    compare(
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
          await answerLine({ difference });
          if (!isJson && shown.length < options.limit) shown.push(difference);
          // What it is called is enough: there may be many.
          if (options.repair) toRepair.push({ ...difference, columns: [] });
        },
      },
    ),
  );
  await answerLine({ report });
  if (!isJson) show(terminal, report, shown);
  if (report.differences === 0) return 0;
  if (options.repair) {
    const leaving = leavingOf(toRepair, tables, report.tables);
    await repair(say, options, repairOf(toRepair), leaving, (named) =>
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
  { terminal, answerLine }: Say,
  { yes, confirm }: Asked,
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
      `${counted(gone, "row")} of ${table} will leave the warehouse, all versions included: the source lacks ${gone === 1 ? "it" : "them"}.`,
    );
  const doubted = leaving.filter((one) => one.isDoubted && !confirm.includes(one.table));
  if (doubted.length > 0)
    throw new ReconciliationError(
      `nothing was repaired: too many rows would leave ${listed(doubted.map(({ table }) => table))}, as after TRUNCATE; ` +
        `if it is meant, add --confirm ${doubted.map(({ table }) => table).join(",")}`,
    );
  if (!yes && !(await isAgreed("Read them again?"))) {
    terminal.paragraph("Nothing was done.");
    return;
  }
  const summary = await read(named);
  await answerLine({ repair: summary });
  const unread = sum(summary.unread);
  terminal.paragraph(
    summary.outcome === "lost the race"
      ? "Another ingestion was first: run this again."
      : `${counted(sum(summary.named), "row")} read again, ${whole(sum(summary.deleted))} gone from the source; batch ` +
          `${whole(summary.batch)} is the last that holds them. Reconcile again once it is loaded.` +
          (unread > 0 ? ` ${counted(unread, "row")} not read yet: run this again.` : ""),
  );
}

/** What is counted of each table; what is nought for all of them is left out, unless it says that all is well. */
const COUNTS: readonly {
  readonly name: string;
  readonly isAlways?: true;
  readonly of: (table: Reconciliation["tables"][number]) => number;
}[] = [
  { name: "source rows", isAlways: true, of: ({ rows }) => rows },
  { name: "ranges", isAlways: true, of: ({ ranges }) => ranges },
  { name: "looked into", of: ({ descended }) => descended },
  { name: "pending", of: ({ pending }) => pending },
  { name: "quarantined", of: ({ quarantined }) => quarantined },
  { name: "inferred", of: ({ inferred }) => inferred },
  { name: "differences", isAlways: true, of: differencesOf },
];

function show(terminal: Terminal, report: Reconciliation, shown: readonly Difference[]): void {
  const { batch, committedAt, loadedAt, fenceAge, isWhole, tables, differences } = report;
  terminal.field(
    "Batch",
    `${whole(batch)}, committed ${committedAt}, loaded ${loadedAt}; the source is ${counted(fenceAge, "transaction")} further`,
  );
  if (!isWhole)
    terminal.field("Unfinished", "its run has not read all that there was: that is pending too");
  terminal.heading("What was compared");
  const compared = tables.filter(({ notCompared }) => notCompared === undefined);
  const counts = COUNTS.filter(
    ({ isAlways, of }) => isAlways || compared.some((table) => of(table) > 0),
  );
  terminal.table(
    ["", ...counts.map(({ name }) => name), "s"],
    compared.map((table) => [
      table.table,
      ...counts.map(({ of }) => whole(of(table))),
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
  for (const difference of shown) terminal.item(inWords(difference));
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

function when(text: string): number | Date {
  if (/^\d+$/.test(text)) return batchNumber("since", text);
  const at = new Date(text);
  if (/^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(at.getTime())) return at;
  throw new UsageError(`--since takes a batch's number or a date (2026-11-25), not "${text}"`);
}

export const reconcile = defineVerb({
  command: "reconcile",
  describe: "compares the warehouse with the shop, row by row, and names each that differs",
  about:
    "What the shop has that is newer than the last loaded batch is no difference. Both databases are only read; --repair has " +
    "ingestion read the named rows again, and they take the ordinary path. Exit code: 0 no difference; 1 differences; 2 it could not be told, or a repair was refused.",
  examples: [
    ["reconcile", "every table"],
    ["reconcile --table dim_staff,fact_payment", "these alone"],
    ["reconcile --since 41", "what changed since batch 41"],
    ["reconcile --sample 10%", "a tenth of the key ranges, drawn at random"],
    ["reconcile --json > differences.jsonl", "a JSON object a line"],
    ["reconcile --repair", "and have what differs read again"],
  ],
  stopped: "nothing is half-done",
  build: (args) =>
    stageOptions(args)
      .option("table", {
        type: "string",
        array: true,
        describe: "these star tables alone, comma-separated",
        coerce: (names: readonly string[]) => names.flatMap((some) => some.split(",")),
      })
      .option("since", {
        type: "string",
        describe:
          "rows alone that changed since a batch (41) or a moment (2026-11-25, 2026-11-25T06:00Z): quick, and finds no row that is gone from the shop",
        coerce: when,
      })
      .option("sample", {
        type: "string",
        describe: "a share of the key ranges: 0.1 or 10%",
        coerce: (text: string) => shareOf("sample", text),
      })
      .option("limit", {
        type: "string",
        default: "100",
        describe: "differences that are shown; all are counted",
        coerce: (text: string) => wholeNumber("limit", text, 0, 1_000_000),
      })
      .option("repair", {
        type: "boolean",
        default: false,
        describe: "have the source rows of what differs read again, after asking",
      })
      .option("yes", { type: "boolean", default: false, describe: "do not ask" })
      .option("confirm", {
        type: "string",
        array: true,
        default: [] as string[],
        describe:
          "star tables, comma-separated, that may lose more than a tenth of their rows by --repair (and than a hundred), or all: their source lacks so many",
        coerce: (names: readonly string[]) => names.flatMap((some) => some.split(",")),
      }),
  run: ({ table, ...asked }, say) => {
    if (asked.repair && !asked.yes && !say.isAnswered)
      throw new UsageError("--repair asks before it does: add --yes where nobody can answer");
    return run({ ...asked, only: table }, say);
  },
});
