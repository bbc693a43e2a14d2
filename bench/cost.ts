// What `npm run cost` calls: what a month costs, for three sizes of shop, from the figures of a bench and a list of prices.
import path from "node:path";
import { command } from "../cli/command.ts";
import { parseOptions } from "../cli/options.ts";
import { writeFormatted } from "../scripts/formatted.ts";
import { readMeasured } from "./compare.ts";
import { billOf, queryOf, usageOf, type Shop } from "./cost-model.ts";
import { costReport, type PriceList } from "./cost-report.ts";
import { deploymentOf } from "./deployment.ts";
import type { Measured } from "./figures.ts";
import { pricesIn, readPrices } from "./prices.ts";

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

interface CostOptions {
  readonly prices: PriceList;
  readonly measured: Measured;
  readonly out: string;
}

process.exitCode = await command(read, HELP, async ({ prices, measured, out }) => {
  const deployment = await deploymentOf();
  const usage = usageOf(measured);
  const asked = pricesIn(prices);
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
