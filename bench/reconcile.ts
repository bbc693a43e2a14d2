// What `npm run bench:reconcile` calls: what it costs to hold the warehouse against the shop, beside reading both sides whole.
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { onStack } from "../localstack/demo/on-stack.ts";
import { openDatabase } from "../localstack/demo/databases.ts";
import type { Stack } from "../localstack/stack.ts";
import { command } from "../cli/command.ts";
import { parseOptions, wholeNumber } from "../cli/options.ts";
import { counted, type Terminal } from "../cli/terminal.ts";
import { codecNamed } from "../src/parquet/codec.ts";
import { connectWith } from "../src/postgres/connection.ts";
import { reconcile, type ReconcileOptions, type Sides } from "../src/reconciliation/reconcile.ts";
import { getTables } from "../src/registry.ts";
import { cpuOfChildren } from "./cpu.ts";
import { extractAndCompare } from "./extract.ts";
import { median } from "./figures.ts";
import { openPipeline, type BenchPipeline } from "./pipelines.ts";
import { fillSource } from "./source.ts";
import { WarehouseIsWrong } from "./star.ts";

const ROWS = 200_000;
const ROUNDS = 3;

/** A database's process is counted once it has ended, which is soon after its connection has: in milliseconds. */
const SOON = 500;

const HELP = `Measures what reconciling costs, against a full extract of both sides that is compared in Node row by row.

  npm run bench:reconcile                          ${ROWS.toLocaleString("en-GB")} sales orders, ${ROUNDS} rounds
  npm run bench:reconcile -- --rows 1000000        a big shop: some minutes

  --rows N      sales orders, 1,000 to 10,000,000 (default ${ROWS})
  --rounds K    how often each is measured, 1 to 99 (default ${ROUNDS})
  --help        this text

The time is the processor's: of Node and both databases together. Shown are medians.`;

interface Options {
  readonly rows: number;
  readonly rounds: number;
}

/** What is measured, and how many rows differ then. */
interface Case {
  readonly what: string;
  readonly options: ReconcileOptions;
}

const EQUAL: readonly Case[] = [
  { what: "equal", options: {} },
  { what: "equal, --sample 10%", options: { sample: 0.1 } },
  { what: "equal, --since the first batch", options: { since: 1 } },
];
const DIFFERENT: readonly Case[] = [{ what: "every sales order differs", options: {} }];

process.exitCode = await command(read, HELP, (options) =>
  onStack(
    {
      title: "TotalTotes: reconciling against a full extract of both sides, on this machine",
      port: 0,
      inUse: () => "by somebody else.",
      logFile: path.join(import.meta.dirname, "..", ".local", "bench.log"),
      postgresSettings: { shared_buffers: "512MB", max_wal_size: "4GB" },
    },
    (terminal, stack) => bench(options, terminal, stack),
  ),
);

function read(args: readonly string[]): Options | undefined {
  const values = parseOptions(args, {
    rows: { type: "string" },
    rounds: { type: "string" },
    help: { type: "boolean", short: "h" },
  });
  if (values.help) return undefined;
  return {
    rows: wholeNumber("rows", values.rows ?? String(ROWS), 1_000, 10_000_000),
    rounds: wholeNumber("rounds", values.rounds ?? String(ROUNDS), 1, 99),
  };
}

async function bench({ rows, rounds }: Options, terminal: Terminal, stack: Stack): Promise<number> {
  const source = openDatabase(stack, "totesys");
  await terminal.working("the shop takes its orders", () => fillSource(source, rows));
  const pipeline = await openPipeline(stack, "totesys");
  await terminal.working("the pipeline brings them to the warehouse", () => fill(pipeline));
  terminal.field("Shop", `${counted(rows, "sales order")}, ${counted(rounds, "round")}`);
  const { env } = pipeline;
  const sides: Sides = {
    source: () => connectWith(env.SOURCE_SECRET),
    warehouse: () => connectWith(env.WAREHOUSE_SECRET),
    buckets: { ingestion: env.INGESTION_BUCKET, processed: env.PROCESSED_BUCKET },
    tables: await getTables(),
    codec: await codecNamed(),
  };
  const measured: string[][] = [];
  const measure = async (cases: readonly Case[], differences: number): Promise<void> => {
    const extracts: number[] = [];
    const reconciled = cases.map((): number[] => []);
    for (let round = 1; round <= rounds; round++)
      await terminal.working(`${cases[0]!.what}: round ${round}`, async () => {
        extracts.push(await cpuSeconds(stack, differences, () => extractAndCompare(sides)));
        for (const [at, { options }] of cases.entries())
          reconciled[at]!.push(
            await cpuSeconds(stack, differences, async () => {
              const found = await reconcile(sides, options);
              return found.differences;
            }),
          );
      });
    for (const [at, { what }] of cases.entries()) {
      const ratios = reconciled[at]!.map((seconds, round) => seconds / extracts[round]!);
      measured.push([
        what,
        `${median(reconciled[at]!).toFixed(1)} s`,
        `${median(extracts).toFixed(1)} s`,
        median(ratios).toFixed(2),
        `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`,
      ]);
    }
  };
  await measure(EQUAL, 0);
  const { warehouse } = pipeline;
  await warehouse.none("update fact_sales_order set units_sold = units_sold + 1");
  await warehouse.none("vacuum analyze fact_sales_order");
  await measure(DIFFERENT, rows);
  terminal.line();
  terminal.table(
    ["what", "processor time", "a full extract and compare", "ratio", "from round to round"],
    measured,
  );
  terminal.line();
  return 0;
}

/** Has the functions fill the warehouse, in this process, and nothing to be done in the background later. */
async function fill({ env, warehouse }: BenchPipeline): Promise<void> {
  Object.assign(process.env, env, {
    POWERTOOLS_LOG_LEVEL: "SILENT",
    POWERTOOLS_METRICS_DISABLED: "true",
  });
  const { handler: ingestion } = await import("../src/handlers/ingestion.ts");
  const { handler: transformation } = await import("../src/handlers/transformation.ts");
  const { handler: loading } = await import("../src/handlers/loading.ts");
  for (let isDone = false; !isDone;) {
    isDone = (await ingestion()).unfinished !== true;
    await transformation();
    await loading();
  }
  await warehouse.none("vacuum analyze");
}

/**
 * What a piece of work takes of the processors, in seconds: of this process and of the databases.
 * @throws WarehouseIsWrong where it does not find as many differences as there are
 */
async function cpuSeconds(
  { postgres }: Stack,
  differences: number,
  work: () => Promise<number>,
): Promise<number> {
  const before = cpuOfChildren(postgres.pid) ?? 0;
  const own = process.cpuUsage();
  const found = await work();
  const { user, system } = process.cpuUsage(own);
  if (found !== differences)
    throw new WarehouseIsWrong(`there are ${differences} differences, and ${found} were found`);
  await delay(SOON);
  return (user + system) / 1e6 + (cpuOfChildren(postgres.pid) ?? 0) - before;
}
