// `npm run quarantine`: the rows of the source that do not fit the star, why, and another try.
import { connectWith, type Connection } from "../postgres/connection.ts";
import {
  countQuarantine,
  listQuarantine,
  showQuarantined,
  type Filter,
  type QuarantineCount,
} from "../quarantine/quarantine.ts";
import { RETRIED, retryQuarantined } from "../quarantine/retry.ts";
import { getTables } from "../registry.ts";
import { getSettings } from "../settings.ts";
import { command } from "./command.ts";
import { parseOptions, UsageError, wholeNumber } from "./options.ts";
import { STAGE_ARGUMENTS, STAGE_HELP, useStage } from "./stage.ts";
import { counted, listed, Terminal, whole } from "./terminal.ts";

export interface QuarantineOptions extends Filter {
  readonly action: "list" | "show" | "counts" | "retry";
  /** Of the row to show. */
  readonly key?: string;
  readonly limit: number;
  readonly json: boolean;
  readonly stage?: string | undefined;
  readonly region?: string | undefined;
}

export const HELP = `Shows the rows of the shop that do not fit the star schema, with the reason of each. A row
that is put right in the shop leaves quarantine by itself; so do all that fit once a module's
version was raised.

  npm run quarantine -- counts --stage dev                   how many, by table and reason
  npm run quarantine -- list --stage dev --table dim_staff   which ones
  npm run quarantine -- show 7 --stage dev --table dim_staff a row, column by column
  npm run quarantine -- retry --stage dev                    has them read once more

  list             the rows: table, source, key, since when, batch, reason; the oldest first
  show KEY         the row with this key, as the source gave it; KEY is as list has it (of several
                   columns, a JSON array). Needs --table
  counts           the rows by table and reason
  retry            has ingestion read the rows again, up to ${whole(RETRIED)}, though nobody changed
                   them: after an outage, or a lookup that was missing

  --table TABLE    rows of this star table alone
  --reason TEXT    rows alone whose reason has this text in it
  --limit N        rows that list shows, reasons that counts shows (default 50)
  --json           the answer as JSON on standard output
${STAGE_HELP}
  --help           this text

Exit code: 0, also where rows are in quarantine; 1 where show finds none; 2 for a wrong option,
or when it could not be told.`;

const ACTIONS = ["list", "show", "counts", "retry"] as const;
const LIMIT = 50;
const BAR = 20;

/**
 * Reads a command line; undefined where it asks for help.
 * @throws UsageError
 */
export function readOptions(args: readonly string[]): QuarantineOptions | undefined {
  const [first = "", second] = args;
  if (["", "--help", "-h"].includes(first)) return undefined;
  const action = ACTIONS.find((one) => one === first);
  if (!action) throw new UsageError(`say list, show, counts or retry, not "${first}"`);
  const {
    help,
    limit = String(LIMIT),
    json = false,
    ...others
  } = parseOptions(args.slice(action === "show" ? 2 : 1), {
    ...STAGE_ARGUMENTS,
    table: { type: "string" },
    reason: { type: "string" },
    limit: { type: "string" },
    json: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  });
  if (help || second === "--help" || second === "-h") return undefined;
  if (action === "show" && (second === undefined || others.table === undefined))
    throw new UsageError("say which row: show KEY --table TABLE");
  return {
    action,
    ...(action === "show" ? { key: second! } : {}),
    ...others,
    limit: wholeNumber("limit", limit, 1, 1_000_000),
    json,
  };
}

/** What a command does: answers in JSON, or on the terminal. Gives the exit code. */
type Act = (
  options: QuarantineOptions,
  terminal: Terminal,
  warehouse: Connection,
  answer: (json: unknown) => void,
) => Promise<number>;

const list: Act = async (options, terminal, warehouse, answer) => {
  const rows = await listQuarantine(warehouse, options, options.limit);
  answer(rows);
  for (const { table, source, key, since, batch, firstBatch, reason } of rows) {
    const batches = batch === firstBatch ? `batch ${batch}` : `batches ${firstBatch} to ${batch}`;
    terminal.heading(`${table}: ${printable(key)} of ${source}`);
    terminal.field("since", `${since}, ${batches}`);
    terminal.field("reason", printable(reason));
  }
  const all = (await countQuarantine(warehouse, options)).reduce((sum, one) => sum + one.rows, 0);
  terminal.line();
  terminal.line(
    all > rows.length
      ? `  ${counted(rows.length, "row")} of ${whole(all)}; --limit shows more, counts all`
      : `  ${counted(all, "row")} in quarantine`,
  );
  return 0;
};

const show: Act = async ({ table, key }, terminal, warehouse, answer) => {
  const rows = await showQuarantined(warehouse, table!, key!);
  answer(rows);
  if (rows.length === 0) {
    terminal.line(
      `  ${table}: no row with the key ${key} is in quarantine; list shows those that are`,
    );
    return 1;
  }
  for (const { source, since, batch, reason, row } of rows) {
    terminal.heading(`${table}: ${key} of ${source}`);
    terminal.field("since", since);
    terminal.field("read last", `in batch ${batch}`);
    terminal.field("reason", printable(reason));
    terminal.line();
    const width = Math.max(...Object.keys(row).map((name) => name.length));
    for (const [name, value] of Object.entries(row))
      terminal.line(`  ${name.padEnd(width)}  ${printable(JSON.stringify(value))}`);
  }
  return 0;
};

const counts: Act = async (options, terminal, warehouse, answer) => {
  const found = await countQuarantine(warehouse, options);
  answer(found);
  const shown = found.slice(0, options.limit);
  const most = Math.max(...shown.map(({ rows }) => rows));
  for (const table of new Set(shown.map((one) => one.table))) {
    const reasons = shown.filter((one) => one.table === table);
    terminal.heading(`${table}, since ${oldest(reasons)}`);
    for (const { reason, rows } of reasons) {
      const bar = "█".repeat(Math.max(1, Math.round((rows / most) * BAR)));
      terminal.line(`  ${whole(rows).padStart(9)} ${bar.padEnd(BAR)} ${printable(reason)}`);
    }
  }
  terminal.line();
  const others = found.length - shown.length;
  const all = found.reduce((sum, { rows }) => sum + rows, 0);
  terminal.line(
    `  ${counted(all, "row")} in quarantine` +
      (others > 0 ? `; ${counted(others, "reason")} more: --limit shows them` : ""),
  );
  return 0;
};

const retry: Act = async (options, terminal, warehouse, answer) => {
  const { INGESTION_BUCKET, SOURCE_SECRET } = getSettings("INGESTION_BUCKET", "SOURCE_SECRET");
  const tables = await getTables();
  const summary = await terminal.working("Reading the rows in quarantine again", () =>
    retryQuarantined(
      warehouse,
      () => connectWith(SOURCE_SECRET),
      INGESTION_BUCKET,
      tables,
      options,
    ),
  );
  const { outcome = "nothing to read", batch = 0, named = {}, deleted = {} } = summary ?? {};
  answer({ outcome, batch, read: named, gone: deleted });
  const of = (rows: Readonly<Record<string, number>>): string =>
    listed(Object.entries(rows).map(([source, count]) => `${whole(count)} of ${source}`));
  if (summary === undefined) terminal.line("  no such row is in quarantine");
  else {
    terminal.line(`  read again: ${of(named) || "none"}; the newest batch is ${batch}`);
    if (Object.keys(deleted).length > 0) terminal.line(`  gone from the source: ${of(deleted)}`);
    terminal.line("  those that fit leave quarantine when it is loaded");
  }
  return 0;
};

const ACTS: Readonly<Record<QuarantineOptions["action"], Act>> = { list, show, counts, retry };

const oldest = (reasons: readonly QuarantineCount[]): string =>
  reasons.map(({ since }) => since).sort()[0]!;

/** On one line, and without what a terminal would obey: a text may be what a source's user wrote. */
const printable = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\s]+/gu, " ");

async function main(options: QuarantineOptions): Promise<number> {
  const terminal = new Terminal(options.json ? process.stderr : process.stdout);
  if (options.json) terminal.silence();
  try {
    await useStage(options);
    const { WAREHOUSE_SECRET } = getSettings("WAREHOUSE_SECRET");
    const warehouse = await connectWith(WAREHOUSE_SECRET);
    try {
      return await ACTS[options.action](options, terminal, warehouse, (json) => {
        if (options.json) console.log(JSON.stringify(json, undefined, 2));
      });
    } finally {
      await warehouse.close();
    }
  } catch (error) {
    console.error(error instanceof Error ? `${error.name}: ${error.message}` : error);
    return 2;
  }
}

if (process.argv[1] === import.meta.filename)
  process.exitCode = await command(readOptions, HELP, main);
