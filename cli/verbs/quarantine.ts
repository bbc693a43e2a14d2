// The rows of the source that do not fit the star, why, and another try.
import { connectWith, type Connection } from "../../src/postgres/connection.ts";
import {
  countQuarantine,
  listQuarantine,
  showQuarantined,
  type Filter,
  type QuarantineCount,
} from "../../src/quarantine/quarantine.ts";
import { RETRIED, retryQuarantined } from "../../src/quarantine/retry.ts";
import { getTables } from "../../src/registry.ts";
import { getSettings } from "../../src/settings.ts";
import { UsageError, wholeNumber } from "../options.ts";
import { checkModules } from "../same-modules.ts";
import { useStage } from "../stage.ts";
import { tableNamed } from "../tables.ts";
import { counted, listed, whole } from "../terminal.ts";
import { defineVerb, stageOptions, type Say } from "../verb.ts";

/** What is asked for. */
interface Asked extends Filter {
  /** Of the row to show. */
  readonly key: string | undefined;
  readonly limit: number;
  readonly stage: string;
}

/** Does what an action says. Gives the exit code. */
type Act = (asked: Asked, warehouse: Connection, say: Say) => Promise<number>;

const list: Act = async (options, warehouse, { terminal, answer }) => {
  const rows = await listQuarantine(warehouse, options, options.limit);
  answer(rows);
  for (const { table, source, key, since, batch, firstBatch, reason } of rows) {
    const batches = batch === firstBatch ? `batch ${batch}` : `batches ${firstBatch} to ${batch}`;
    terminal.heading(`${table}: ${key} of ${source}`);
    terminal.field("since", `${since}, ${batches}`);
    terminal.field("reason", reason);
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

const show: Act = async ({ table, key }, warehouse, { terminal, answer }) => {
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
    terminal.field("reason", reason);
    terminal.line();
    const width = Math.max(...Object.keys(row).map((name) => name.length));
    for (const [name, value] of Object.entries(row))
      terminal.line(`  ${name.padEnd(width)}  ${JSON.stringify(value)}`);
  }
  return 0;
};

const counts: Act = async (options, warehouse, { terminal, answer }) => {
  const found = await countQuarantine(warehouse, options);
  answer(found);
  const shown = found.slice(0, options.limit);
  const longest = Math.floor(terminal.width / 4);
  const most = Math.max(...shown.map(({ rows }) => rows));
  for (const table of new Set(shown.map((one) => one.table))) {
    const reasons = shown.filter((one) => one.table === table);
    terminal.heading(`${table}, since ${oldest(reasons)}`);
    for (const { reason, rows } of reasons) {
      const bar = "█".repeat(Math.max(1, Math.round((rows / most) * longest)));
      terminal.item(reason, `${whole(rows).padStart(9)} ${bar.padEnd(longest)} `);
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

const retry: Act = async (options, warehouse, { terminal, answer }) => {
  const { INGESTION_BUCKET, SOURCE_SECRET } = getSettings("INGESTION_BUCKET", "SOURCE_SECRET");
  const tables = await getTables();
  await checkModules(options.stage, INGESTION_BUCKET, tables);
  const summary = await terminal.working("Reading the rows in quarantine again", () =>
    retryQuarantined(
      warehouse,
      () => connectWith(SOURCE_SECRET),
      INGESTION_BUCKET,
      tables,
      options,
    ),
  );
  const {
    outcome = "nothing to read",
    batch = 0,
    named = {},
    deleted = {},
    leftOut = 0,
  } = summary ?? {};
  answer({ outcome, batch, read: named, gone: deleted, leftOut });
  const of = (rows: Readonly<Record<string, number>>): string =>
    listed(Object.entries(rows).map(([source, count]) => `${whole(count)} of ${source}`));
  if (summary === undefined) terminal.line("  no such row is in quarantine");
  else {
    terminal.line(`  read again: ${of(named) || "none"}; the newest batch is ${batch}`);
    if (Object.keys(deleted).length > 0) terminal.line(`  gone from the source: ${of(deleted)}`);
    if (leftOut > 0)
      terminal.paragraph(
        `left out: ${counted(leftOut, "row")} that no key names, as it is null or too long; put ${leftOut === 1 ? "it" : "them"} right in the shop`,
      );
    terminal.line("  those that fit leave quarantine when it is loaded");
  }
  return 0;
};

const ACTS = { counts, list, show, retry } as const satisfies Readonly<Record<string, Act>>;

const oldest = (reasons: readonly QuarantineCount[]): string =>
  reasons.map(({ since }) => since).sort()[0]!;

export const quarantine = defineVerb({
  command: "quarantine [action] [key]",
  describe: "the shop's rows that do not fit the star schema, with the reason of each",
  about:
    "A row that is put right in the shop leaves quarantine by itself; so do all that fit once a module's version was raised.",
  examples: [
    ["quarantine", "how many, by table and reason"],
    ["quarantine list --table dim_staff", "which ones, the oldest first"],
    ["quarantine show 7 --table dim_staff", "a row, column by column"],
    ["quarantine retry", "has them read once more: after an outage, or a lookup that was missing"],
  ],
  build: (args) =>
    stageOptions(args)
      .positional("action", {
        choices: Object.keys(ACTS) as (keyof typeof ACTS)[],
        default: "counts" as const,
        describe: `what to do; retry reads up to ${whole(RETRIED)} rows again`,
      })
      .positional("key", {
        type: "string",
        describe: "of the row to show, as list has it (of several columns, a JSON array)",
      })
      .option("table", { type: "string", describe: "rows of this star table alone" })
      .option("reason", {
        type: "string",
        describe: "rows alone whose reason has this text in it",
      })
      .option("limit", {
        type: "string",
        default: "50",
        describe: "rows that list shows, reasons that counts shows",
        coerce: (text: string) => wholeNumber("limit", text, 1, 1_000_000),
      })
      .check(({ action, key, table }) => {
        if (action === "show" && (key === undefined || table === undefined))
          throw new UsageError("say which row: show KEY --table TABLE");
        return true;
      }),
  run: async ({ action, key, table, reason, limit, ...stage }, say) => {
    if (table !== undefined) tableNamed(table, await getTables());
    await useStage(stage);
    const { WAREHOUSE_SECRET } = getSettings("WAREHOUSE_SECRET");
    const warehouse = await connectWith(WAREHOUSE_SECRET);
    try {
      return await ACTS[action]({ key, table, reason, limit, stage: stage.stage }, warehouse, say);
    } finally {
      await warehouse.close();
    }
  },
});
