// What `make bench` calls: measures the pipeline against a COPY pipe of the same rows.
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { command } from "../cli/command.ts";
import { onStack } from "../localstack/demo/on-stack.ts";
import { openDatabase } from "../localstack/demo/databases.ts";
import { openLog } from "../localstack/demo/log.ts";
import { UsageError } from "../cli/options.ts";
import { counted, seconds, type Terminal } from "../cli/terminal.ts";
import type { Stack } from "../localstack/stack.ts";
import { writeFormatted } from "../scripts/formatted.ts";
import { budgetsOf, megabytes, MEANING, ratioText } from "./budgets.ts";
import { chart } from "./chart.ts";
import { compareMeasured, NOISE, readMeasured } from "./compare.ts";
import type { Measured } from "./figures.ts";
import { makeBundles } from "./functions.ts";
import { commitNow, machineOf } from "./measure.ts";
import { HELP, readOptions, type BenchOptions } from "./options.ts";
import { report } from "./report.ts";
import { measureAll } from "./scenarios.ts";
import { fillSource } from "./source.ts";
import { bars, scenarioRows, stageRows } from "./tables.ts";

const logFile = path.join(import.meta.dirname, "..", ".local", "bench.log");

process.exitCode = await command(read, HELP, ({ options, before }) =>
  onStack(
    {
      title: "TotalTotes: the pipeline against a COPY pipe of the same rows, on this machine",
      port: 0,
      inUse: () => "by somebody else.",
      logFile,
      postgresSettings: {
        shared_buffers: "512MB",
        max_wal_size: "4GB",
        // So that PostgreSQL itself says when a row was committed.
        track_commit_timestamp: "on",
      },
    },
    (terminal, stack) => bench(options, before, terminal, stack),
  ),
);

/** The options, and what they want to be compared with: what is wrong with a file is told before minutes have gone. */
function read(
  args: readonly string[],
): { options: BenchOptions; before: Measured | undefined } | undefined {
  const options = readOptions(args);
  if (!options) return undefined;
  const { compare, json, out } = options;
  for (const folder of [json, out].flatMap((file) => file ?? []).map((file) => path.dirname(file)))
    if (!existsSync(folder)) throw new UsageError(`there is no folder ${folder}`);
  return { options, before: compare === undefined ? undefined : readMeasured(compare) };
}

async function bench(
  options: BenchOptions,
  before: Measured | undefined,
  terminal: Terminal,
  stack: Stack,
): Promise<number> {
  const toFile = openLog(stack, logFile);
  const metrics = new Set<string>();
  const log = (line: string): void => {
    toFile(line);
    for (const metric of metricsIn(line)) metrics.add(metric);
  };
  // In the folder that goes with the cluster, however this process ends.
  const bundles = await makeBundles(stack.postgres.folder);
  const source = openDatabase(stack, "totesys");
  const machine = await machineOf(source);
  const commit = commitNow();
  terminal.field(
    "Machine",
    `${machine.cores} cores, Node ${machine.node}, PostgreSQL ${machine.postgres}`,
  );
  await terminal.working("the shop takes its orders", () => fillSource(source, options.rows));
  terminal.field(
    "Shop",
    `${counted(options.rows, "sales order")}, ${counted(options.rounds, "round")}`,
  );
  const working = async <T>(text: string, work: () => Promise<T>): Promise<T> => {
    const began = performance.now();
    const result = await terminal.working(text, work);
    terminal.line(`  ${text}: ${seconds(performance.now() - began)}`);
    return result;
  };
  const figures = await measureAll({ stack, source, bundles, options, log, working });
  const measured: Measured = {
    format: 1,
    date: new Date().toISOString().slice(0, 10),
    commit,
    machine,
    rows: options.rows,
    ...figures,
    metrics: metrics.size,
  };
  if (options.json !== undefined)
    await writeFormatted(options.json, "json", JSON.stringify(measured));
  await writeReport(options.out, measured);
  show(terminal, measured);
  if (before) showChanges(terminal, before, measured);
  terminal.line();
  terminal.field("Report", options.out);
  return 0;
}

/** The metrics in a line that a function has printed, if it is one of CloudWatch's embedded metric format. */
function metricsIn(line: string): string[] {
  if (!line.includes('"CloudWatchMetrics"')) return [];
  const { _aws, service } = JSON.parse(line.slice(line.indexOf("{"))) as {
    _aws: { CloudWatchMetrics: { Metrics: { Name: string }[] }[] };
    service: string;
  };
  return _aws.CloudWatchMetrics.flatMap(({ Metrics }) =>
    Metrics.map(({ Name }) => `${service} ${Name}`),
  );
}

/** The report and its chart beside it. */
async function writeReport(file: string, measured: Measured): Promise<void> {
  const svg = file.replace(/\.md$/, ".svg");
  const drawn = await chart(measured);
  if (drawn !== undefined) await writeFile(svg, drawn);
  await writeFormatted(
    file,
    "md",
    report(measured, drawn === undefined ? undefined : path.basename(svg)),
  );
}

function show(terminal: Terminal, measured: Measured): void {
  terminal.heading("How long it takes");
  const { head, rows } = scenarioRows(measured);
  terminal.table(head, rows);
  terminal.line();
  for (const bar of bars(measured)) terminal.line(`  ${bar}`);
  for (const scenario of measured.scenarios) {
    terminal.heading(MEANING[scenario.name]);
    const { head, rows } = stageRows(scenario);
    terminal.table(head, rows);
  }
  terminal.heading("Budgets");
  const budgets = budgetsOf(measured);
  terminal.table(
    ["", "budget", "measured", ""],
    budgets.map(({ what, budget, measured: found, isKept }) => [
      what,
      budget,
      found,
      isKept ? "kept" : "missed",
    ]),
  );
}

function showChanges(terminal: Terminal, before: Measured, now: Measured): void {
  const worse = compareMeasured(before, now).filter(({ ratio }) => ratio > NOISE);
  terminal.heading(`Against ${before.commit}, ${before.date}`);
  if (before.rows !== now.rows)
    terminal.alarm(`It had ${counted(before.rows, "order")}: ratios between both say little.`);
  if (worse.length === 0) {
    terminal.paragraph(
      `Nothing became more than ${Math.round((NOISE - 1) * 100)} % slower or bigger.`,
    );
    return;
  }
  terminal.table(
    ["slower, or bigger", "before", "now", "now ÷ before"],
    worse.map((change) => [
      change.what,
      figure(change.before),
      figure(change.now),
      ratioText(change.ratio),
    ]),
  );
}

function figure(value: number): string {
  if (value >= 1e6) return megabytes(value);
  return value.toLocaleString("en-GB", { maximumSignificantDigits: 3 });
}
