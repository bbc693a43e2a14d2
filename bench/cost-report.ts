import { STAGES } from "../scripts/bundle.ts";
import {
  priceText,
  type Deployment,
  type Item,
  type PriceName,
  type Shop,
  type Tick,
  type Usage,
} from "./cost-model.ts";
import type { Measured } from "./figures.ts";
import { table } from "./report.ts";

/** The form of bench/prices.json. */
export interface PriceList {
  readonly region: string;
  readonly currency: string;
  readonly note: string;
  readonly prices: Readonly<
    Record<
      PriceName,
      {
        readonly price: number;
        readonly unit: string;
        /** Of AWS's price list; null where it has none that is known. */
        readonly line: string | null;
        readonly source: string;
        /** Of the list, `YYYY-MM-DD`; null where there is none. */
        readonly date: string | null;
        /** `quoted` from the list by somebody, or `unverified`. */
        readonly status: string;
      }
    >
  >;
}

/** What the report is made of. */
export interface Cost {
  readonly bills: readonly {
    readonly shop: Shop;
    readonly items: readonly Item[];
    /** A question by Athena. */
    readonly query: Item;
  }[];
  readonly prices: PriceList;
  readonly measured: Measured;
  readonly usage: Usage;
  readonly deployment: Deployment;
}

/** The report, in Markdown. All of it is written here, so that another run changes figures alone. */
export function costReport({ bills, prices, measured, usage, deployment }: Cost): string {
  const { currency } = prices;
  const dollars = (amount: number): string => amount.toFixed(2);
  const items = bills[0]?.items ?? [];
  const sum = (of: readonly Item[]): number => of.reduce((all, item) => all + item.dollars, 0);
  const whole = (count: number): string => count.toLocaleString("en-GB");
  return `# What it costs

What a stage adds to a month's bill in ${prices.region}, in ${currency}, at the ten-minute cadence: computed by \`npm run cost\` from what
\`make bench\` has measured ([measured.json](../bench/measured.json), ${measured.date}, commit \`${measured.commit}\`) and from
[prices.json](../bench/prices.json). Without free allowances, taxes, both databases, and what network they may need; prod's own KMS key is
another dollar. With other prices: \`npm run cost -- --prices other.json\`.

${table({
  head: ["", ...bills.map(({ shop }) => shop.name)],
  rows: [
    ["rows changed a day", ...bills.map(({ shop }) => whole(shop.rowsChangedADay))],
    ["ticks a day with changes, of 144", ...bills.map(({ shop }) => whole(shop.busyTicksADay))],
    ...items.map(({ item }, i) => [item, ...bills.map((bill) => dollars(bill.items[i]!.dollars))]),
    ["**in all**", ...bills.map((bill) => `**${dollars(sum(bill.items))}**`)],
  ],
})}

*small* is like the real dump: some 7,000 orders, some hundred changes a day while the shop is open. *large* has some million
changes a day. A first load costs as much as so many changed rows.

## How each comes to that

${bills
  .map(
    ({ shop, items: lines }) =>
      `### ${shop.name}\n\n${table({
        head: ["", currency, "formula"],
        rows: lines.map(({ item, dollars: amount, formula }) => [item, dollars(amount), formula]),
      })}`,
  )
  .join("\n\n")}

## With Athena

\`athena: true\` adds nothing to the bill by itself. A question costs what it scans: 10 MB at least, and at most, where it reads all that
the buckets hold in the end, object by object:

${table({
  head: ["", currency, "formula"],
  rows: bills.map(({ shop, query }) => [shop.name, query.dollars.toFixed(4), query.formula]),
})}

A view reads the manifests some four times, and the receipts twice: each is a few kB, and a GET. Once the objects that a
[compaction](compaction.md) stands for are retired, what is left are those, and the compaction's. The workgroup stops a question at \`athenaScanGb\`.

## What was measured

All three functions together, on ${measured.machine.cores} cores; a changed row is what the backfill of ${whole(measured.rows)} orders took, divided by them.

${table({
  head: ["", "idle tick", "busy tick", "1,000 changed rows"],
  rows: [
    tickRow("invocations", usage, (tick) => tick.invocations),
    tickRow("ms that ran", usage, (tick) => tick.billedMs),
    tickRow("ms of CPU", usage, (tick) => tick.cpuMs),
    tickRow("PUT and LIST requests", usage, (tick) => tick.puts),
    tickRow("GET requests", usage, (tick) => tick.gets),
    tickRow("secrets read", usage, (tick) => tick.secretRequests),
    tickRow("bytes into the buckets", usage, (tick) => tick.bytes),
    tickRow("bytes of log", usage, (tick) => tick.logBytes),
    tickRow("messages", usage, (tick) => tick.messages),
  ],
})}

${idleTable(measured)}

## What is taken for granted

- A tick finds no process left of the last one: each pays its cold start.
- With ${deployment.memoryMb} MB a function has ${deployment.memoryMb}/${deployment.memoryOfACoreMb} of a core
  ([AWS](https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html): one at ${whole(deployment.memoryOfACoreMb)} MB): seconds = ms that ran + ms of CPU × (${deployment.memoryOfACoreMb}/${deployment.memoryMb} − 1) + requests × ${deployment.latencyMs} ms, which
  a request to S3 takes longer there. A core there is taken to be as fast as one here.
- GB-s = seconds × ${deployment.memoryMb}/1024. Ticks: 144 a day, ${deployment.daysAMonth.toFixed(1)} days.
- The buckets keep everything: the bill is that of the ${deployment.monthsKept}th month, of changes alone.
- Each message is sent, received and deleted; Lambda's pollers ask each queue ${whole(deployment.emptyReceivesAMonth)} times a month in vain (five of them,
  every 20 seconds).
- Lambda logs ${deployment.lambdaLogBytes} bytes for each invocation itself. Logs are kept for a month.
- Alarms, dashboard and metric filters are counted in the template of prod; metrics are those that the functions put out while they were
  measured.

## Prices

${prices.note}

${table({
  head: ["", currency, "for one", "line of the price list", "as of", "from"],
  rows: Object.entries(prices.prices).map(([name, { price, unit, line, source, date, status }]) => [
    name,
    priceText(price),
    unit,
    line === null ? "" : `\`${line}\``,
    date ?? "",
    `[${status}](${source})`,
  ]),
})}
`;
}

function tickRow(name: string, { idle, busy, row }: Usage, of: (tick: Tick) => number): string[] {
  const figure = (value: number): string =>
    value.toLocaleString("en-GB", { maximumSignificantDigits: 3 });
  return [name, figure(of(idle)), figure(of(busy)), figure(of(row) * 1000)];
}

/** What each function does where it has nothing to do. */
function idleTable({ idle }: Measured): string {
  if (!idle) return "";
  const requests = (of: Readonly<Record<string, number>>): string =>
    Object.entries(of)
      .map(([operation, count]) => `${count} ${operation}`)
      .join(", ");
  return table({
    head: ["nothing changed", "cold, ms", "warm, ms", "requests"],
    rows: STAGES.map((name) => [
      name,
      idle[name].cold.billedMs.toFixed(0),
      idle[name].warm.billedMs.toFixed(0),
      requests(idle[name].warm.requests),
    ]),
  });
}
