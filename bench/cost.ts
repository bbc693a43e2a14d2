// What `npm run cost` calls: what a month costs, for three sizes of shop, from the figures of a bench and a list of prices.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { command } from "../cli/command.ts";
import { parseOptions, UsageError } from "../cli/options.ts";
import { memoryMb } from "../localstack/demo/service.ts";
import { writeFormatted } from "../scripts/formatted.ts";
import { packageStage } from "../scripts/package-stage.ts";
import { readMeasured } from "./compare.ts";
import {
  billOf,
  queryOf,
  usageOf,
  type Deployment,
  type PriceName,
  type Prices,
  type Shop,
} from "./cost-model.ts";
import { costReport, type PriceList } from "./cost-report.ts";
import type { Measured } from "./figures.ts";

const here = import.meta.dirname;
const HELP = `Writes what a month costs, for three sizes of shop.

  npm run cost                            bench/prices.json, bench/measured.json
  npm run cost -- --prices other.json     another region's, or newer ones

  --prices FILE     prices, in the form of bench/prices.json
  --measured FILE   what \`npm run bench -- --json\` wrote (default bench/measured.json)
  --out FILE        the report (default docs/cost.md)
  --help            this text`;

/** Three shops at the ten-minute cadence. */
const SHOPS: readonly Shop[] = [
  { name: "small", rowsChangedADay: 300, busyTicksADay: 48 },
  { name: "medium", rowsChangedADay: 50_000, busyTicksADay: 144 },
  { name: "large", rowsChangedADay: 3_000_000, busyTicksADay: 144 },
];

/** Of AWS and of the schedule; what is deployed is counted in the template. */
const TAKEN = {
  memoryMb,
  ticksADay: 144,
  daysAMonth: 365 / 12,
  secrets: 2,
  queues: 3,
  emptyReceivesAMonth: 648_000,
  memoryOfACoreMb: 1769,
  latencyMs: 20,
  lambdaLogBytes: 400,
  monthsKept: 12,
} as const;

interface CostOptions {
  readonly prices: PriceList;
  readonly measured: Measured;
  readonly out: string;
}

process.exitCode = await command(read, HELP, async ({ prices, measured, out }) => {
  const deployment = await deploymentOf();
  const usage = usageOf(measured);
  const asked = Object.fromEntries(
    Object.entries(prices.prices).map(([name, { price }]) => [name, price]),
  ) as Prices;
  const bills = SHOPS.map((shop) => ({
    shop,
    items: billOf(shop, usage, asked, deployment),
    query: queryOf(shop, usage, asked, deployment),
  }));
  await writeFormatted(out, "md", costReport({ bills, prices, measured, usage, deployment }));
  for (const { shop, items } of bills)
    console.log(
      `${shop.name.padEnd(8)} ${items.reduce((sum, { dollars }) => sum + dollars, 0).toFixed(2)} USD a month`,
    );
  console.log(`Report   ${out}`);
  return 0;
});

function read(args: readonly string[]): CostOptions | undefined {
  const values = parseOptions(args, {
    prices: { type: "string" },
    measured: { type: "string" },
    out: { type: "string" },
    help: { type: "boolean", short: "h" },
  });
  if (values.help) return undefined;
  return {
    prices: readPrices(values.prices ?? path.join(here, "prices.json")),
    measured: readMeasured(values.measured ?? path.join(here, "measured.json")),
    out: values.out ?? path.join(here, "..", "docs", "cost.md"),
  };
}

/** @throws UsageError where the file lacks a price that bench/prices.json has */
function readPrices(file: string): PriceList {
  const parse = (from: string): PriceList => JSON.parse(readFileSync(from, "utf8")) as PriceList;
  let prices: PriceList;
  try {
    prices = parse(file);
  } catch (cause) {
    throw new UsageError(`${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
  const names = Object.keys(parse(path.join(here, "prices.json")).prices) as PriceName[];
  const missing = names.find((name) => typeof prices.prices?.[name]?.price !== "number");
  if (missing !== undefined) throw new UsageError(`${file} has no price of ${missing}`);
  return prices;
}

/** Counts what a deploy to prod makes and is billed by the month. */
async function deploymentOf(): Promise<Deployment> {
  const folder = mkdtempSync(path.join(tmpdir(), "cost-"));
  try {
    const template = await packageStage("prod", { mail: "team@example.org" }, folder);
    const { Resources } = JSON.parse(readFileSync(template, "utf8")) as {
      Resources: Record<string, { Type: string }>;
    };
    const count = (type: string): number =>
      Object.values(Resources).filter(({ Type }) => Type === type).length;
    return {
      ...TAKEN,
      alarms: count("AWS::CloudWatch::Alarm"),
      compositeAlarms: count("AWS::CloudWatch::CompositeAlarm"),
      dashboards: count("AWS::CloudWatch::Dashboard"),
      filterMetrics: count("AWS::Logs::MetricFilter"),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
