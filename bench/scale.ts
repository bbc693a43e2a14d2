// What `npm run scale` calls: how far the pipeline goes, and what it costs there, from the figures of a bench.
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { command } from "../cli/command.ts";
import { parseOptions, UsageError, wholeNumber } from "../cli/options.ts";
import { writeFormatted } from "../scripts/formatted.ts";
import { LIMITS } from "../src/settings.ts";
import { readMeasured } from "./compare.ts";
import { billOf, usageOf, type Tick, type Usage } from "./cost-model.ts";
import { deploymentOf } from "./deployment.ts";
import { pricesIn, readPrices } from "./prices.ts";
import { scaleChart } from "./scale-chart.ts";
import { limitsOf, ratesOf, sizeOf, type BigIdle, type Room, type Trade } from "./scale-model.ts";
import { withTables } from "./scale-report.ts";

const here = import.meta.dirname;
const docs = path.join(here, "..", "docs");
const HELP = `Writes the tables and the chart of docs/scale.md: how far the pipeline goes.

  npm run scale
  npm run scale -- --years 10 --out other.md    a shop that keeps its orders for longer

  --years N         for how many years the source keeps its orders (default 3)
  --readings N      how often an order is read: when it is new, and when it changes (default 2)
  --peak N          the busiest ten minutes, as a multiple of the average (default 5)
  --prices FILE     prices, in the form of bench/prices.json
  --measured FILE   what \`npm run bench -- --json\` wrote (default bench/measured.json)
  --page FILE       the page that has the tables (default docs/scale.md)
  --out FILE        where it is written with its tables; the chart goes beside it, as .svg (default docs/scale.md)
  --help            this text`;

const SIZES = [1e6, 1e7, 1e8, 1e9];
/** As serverless.yml has it. */
const ROOM: Room = { batchRows: LIMITS.rows, timeoutSeconds: 300, transformationConcurrency: 2 };

process.exitCode = await command(read, HELP, async ({ prices, measured, page, out, trade }) => {
  const deployment = await deploymentOf();
  const big = bigIdleIn(readFileSync(path.join(docs, "performance-20-million.md"), "utf8"));
  const rates = ratesOf(measured, big);
  const usage = usageOf(measured);
  const sizes = SIZES.map((orders) => {
    const size = sizeOf(orders, rates, trade, ROOM, deployment);
    const shop = {
      name: "",
      rowsChangedADay: (orders * trade.readings) / 365,
      busyTicksADay: deployment.ticksADay,
    };
    const scanned = withScan(usage, size.scanSeconds - rates.scanSecondsARow * measured.rows);
    return { size, bill: billOf(shop, scanned, pricesIn(prices), deployment) };
  });
  const limits = limitsOf(rates, trade, ROOM, deployment);
  const chart = out.replace(/(\.md)?$/, ".svg");
  const found = { sizes, limits, rates, trade, room: ROOM, deployment, measured, big };
  const scale = { ...found, chart: path.basename(chart) };
  await writeFormatted(out, "md", withTables(readFileSync(page, "utf8"), scale));
  await writeFile(
    chart,
    await scaleChart(
      sizes.map(({ size }) => size),
      86_400 / deployment.ticksADay,
    ),
  );
  for (const { what, ordersAYear } of limits)
    console.log(
      `${Math.round(ordersAYear / 1e6)
        .toLocaleString("en-GB")
        .padStart(9)} million orders a year: ${what}`,
    );
  console.log(`Report    ${out}`);
  return 0;
});

interface ScaleOptions {
  readonly prices: ReturnType<typeof readPrices>;
  readonly measured: ReturnType<typeof readMeasured>;
  readonly page: string;
  readonly out: string;
  readonly trade: Trade;
}

function read(args: readonly string[]): ScaleOptions | undefined {
  const values = parseOptions(args, {
    years: { type: "string", default: "3" },
    readings: { type: "string", default: "2" },
    peak: { type: "string", default: "5" },
    prices: { type: "string" },
    measured: { type: "string" },
    page: { type: "string" },
    out: { type: "string" },
    help: { type: "boolean", short: "h" },
  });
  if (values.help) return undefined;
  return {
    prices: readPrices(values.prices ?? path.join(here, "prices.json")),
    measured: readMeasured(values.measured ?? path.join(here, "measured.json")),
    page: values.page ?? path.join(docs, "scale.md"),
    out: values.out ?? path.join(docs, "scale.md"),
    trade: {
      years: wholeNumber("years", values.years, 1, 100),
      readings: wholeNumber("readings", values.readings, 1, 1000),
      peak: wholeNumber("peak", values.peak, 1, 1000),
    },
  };
}

/**
 * What a page of `npm run bench` says of its idle run.
 * @throws UsageError where it says nothing
 */
function bigIdleIn(page: string): BigIdle {
  const [, rows] = /: ([\d,]+) sales orders;/.exec(page) ?? [];
  const [, seconds] = /^\| idle run +\| +\| +([\d.]+) \|/m.exec(page) ?? [];
  if (rows === undefined || seconds === undefined)
    throw new UsageError("docs/performance-20-million.md does not say how long its idle run took");
  return { rows: Number(rows.replaceAll(",", "")), seconds: Number(seconds) };
}

/** Each run waits for the source to be scanned, which is its billed time. */
function withScan(usage: Usage, seconds: number): Usage {
  const scanned = (tick: Tick): Tick => ({ ...tick, billedMs: tick.billedMs + seconds * 1000 });
  return { ...usage, idle: scanned(usage.idle), busy: scanned(usage.busy) };
}
