import { STAGES } from "../scripts/bundle.ts";
import type { Deployment, Item } from "./cost-model.ts";
import type { Measured } from "./figures.ts";
import { table } from "./report.ts";
import {
  secondsARow,
  type BigIdle,
  type Limit,
  type Rates,
  type Room,
  type Size,
  type Trade,
} from "./scale-model.ts";

/** What the tables are made of. */
export interface Scale {
  readonly sizes: readonly { readonly size: Size; readonly bill: readonly Item[] }[];
  readonly limits: readonly Limit[];
  readonly rates: Rates;
  readonly trade: Trade;
  readonly room: Room;
  readonly deployment: Deployment;
  readonly measured: Measured;
  readonly big: BigIdle;
  /** The chart's file, beside the page. */
  readonly chart: string;
}

/** What the chart is said to show. */
export const CHART = "What the busiest ten minutes take, by orders a year";

const BEGIN = "<!-- npm run scale writes from here -->";
const END = "<!-- to here -->";

/**
 * The page with its tables written anew.
 * @throws Error where the page does not say where they are
 */
export function withTables(page: string, scale: Scale): string {
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (from < 0 || to < from)
    throw new Error(`docs/scale.md has no lines ${BEGIN} and ${END}, between which the tables are`);
  return `${page.slice(0, from + BEGIN.length)}\n\n${tables(scale)}\n\n${page.slice(to)}`;
}

function tables(scale: Scale): string {
  const { sizes, limits, rates, trade, room, deployment, measured, big, chart } = scale;
  const row = (name: string, of: (one: Scale["sizes"][number]) => string): string[] => [
    name,
    ...sizes.map(of),
  ];
  const total = (bill: readonly Item[]): number =>
    bill.reduce((sum, { dollars }) => sum + dollars, 0);
  const part = (bill: readonly Item[], name: string): string =>
    bill.find(({ item }) => item === name)!.dollars.toFixed(2);
  return `## What is used up first

${table({
  head: ["by itself, all else as it is", "orders a year", "rows in the source"],
  rows: limits.map(({ what, ordersAYear }) => [
    what,
    count(ordersAYear),
    count(ordersAYear * trade.years),
  ]),
})}

The lake's small files come before all of them, and whatever the size: a table that changes in every run has
${whole(deployment.ticksADay * 365)} objects a year.

## Four sizes of shop

${table({
  head: ["orders a year", ...sizes.map(({ size }) => count(size.ordersAYear))],
  rows: [
    row(`rows in the source after ${trade.years} years`, ({ size }) => count(size.sourceRows)),
    row("rows in ten minutes, average", ({ size }) => figure(size.rowsARun)),
    row(`rows in the busiest ten minutes`, ({ size }) => figure(size.peakRows)),
    row("batches of these", ({ size }) => whole(size.peakBatches)),
    row("scan, s", ({ size }) => figure(size.scanSeconds)),
    ...STAGES.map((name) => row(`${name}, s`, ({ size }) => figure(size.seconds[name]))),
    row("**lag, s**", ({ size }) => `**${figure(size.lagSeconds)}**`),
    row("lag without the scan, s", ({ size }) => figure(size.lagSeconds - size.scanSeconds)),
    row("objects a year, both buckets", ({ size }) => count(size.objectsAYear)),
    row("GB a year, both buckets", ({ size }) => figure(size.bytesAYear / 1e9)),
    row("first load, hours", ({ size }) => figure(size.firstLoadHours)),
    row("Lambda, USD a month", ({ bill }) => part(bill, "Lambda")),
    row("S3 storage, USD a month", ({ bill }) => part(bill, "S3 storage")),
    row("**in all, USD a month**", ({ bill }) => `**${total(bill).toFixed(2)}**`),
    row("does it fit as it is?", ({ size }) => verdict(size, room, deployment)),
  ],
})}

![${CHART}](${chart})

## How each comes to that

Measured ([measured.json](../bench/measured.json), ${measured.date}, ${measured.machine.cores} cores, ${whole(measured.rows)} orders;
[performance-20-million.md](performance-20-million.md) for the scan):

${table({
  head: ["", "s a run", "µs a row", "of these CPU", `µs a row with ${deployment.memoryMb} MB`],
  rows: STAGES.map((name) => {
    const pace = rates.stages[name];
    return [
      name,
      figure(pace.secondsARun),
      figure(pace.secondsARow * 1e6),
      figure(pace.cpuSecondsARow * 1e6),
      figure(secondsARow(pace, deployment) * 1e6),
    ];
  }),
})}

- A scan takes ${figure(rates.scanSecondsARow * 1e9)} ns a row: an idle run over ${whole(big.rows)} orders (${big.seconds} s) less one over ${whole(measured.rows)}, by the
  orders between them. A run that finds one row, less its scan, is _s a run_; a backfill, by its orders, is _µs a row_, while all
  stages and PostgreSQL share the two cores.
- With ${deployment.memoryMb} MB a function has ${deployment.memoryMb}/${deployment.memoryOfACoreMb} of a core: µs a row + CPU × (${deployment.memoryOfACoreMb}/${deployment.memoryMb} − 1).
- A stage's seconds = s a run + rows of the busiest ten minutes × µs a row; transformation has ${room.transformationConcurrency} at once, as far as there are
  batches (of ${whole(room.batchRows)} rows) for them. The lag is the sum of all, from the beginning of a run, which is up to ten minutes after the change; it is pessimistic: batches overlap.
- A shop keeps its orders for ${trade.years} years; each is read ${trade.readings} times (when it is new, and when it changes); the busiest ten minutes have
  ${trade.peak} times the average. Rows in ten minutes = orders × ${trade.readings} / ${whole(deployment.ticksADay * 365)}.
- Bytes: ${figure(rates.bytesARow)} a row, and ${whole(rates.bytesARun)} a run that has anything; objects: ${figure(rates.objectsARun)} such a run. First load: rows in the source × µs a row of
  the slowest stage.
- The bill is [cost.md](cost.md)'s, with the scan's time and all rows of a year: the lake of a year is kept. Both databases are not in it.`;
}

/** What no longer fits, in a few words. */
function verdict(size: Size, { timeoutSeconds }: Room, { ticksADay }: Deployment): string {
  const tickSeconds = 86_400 / ticksADay;
  if (size.scanSeconds > timeoutSeconds) return "**no**: the scan does not end";
  if (size.lagSeconds > tickSeconds) return "**no**: it falls behind";
  return size.scanSeconds > tickSeconds / 10 ? "barely: scanning all day" : "yes";
}

const UNITS = [
  [1e9, "billion"],
  [1e6, "million"],
] as const;

/** `3 million`, with two digits that count. */
export function count(amount: number): string {
  const rounded = Number(amount.toPrecision(2));
  const unit = UNITS.find(([size]) => rounded >= size);
  return unit
    ? `${(rounded / unit[0]).toLocaleString("en-GB")} ${unit[1]}`
    : rounded.toLocaleString("en-GB");
}

const whole = (amount: number): string => Math.round(amount).toLocaleString("en-GB");
const figure = (amount: number): string =>
  amount.toLocaleString("en-GB", { maximumSignificantDigits: 2 });
