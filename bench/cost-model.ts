// What a month costs, from what was measured and what AWS asks: arithmetic alone.
import { STAGES } from "../scripts/bundle.ts";
import { median, type IdleFigures, type Measured, type Round } from "./figures.ts";

/** What AWS asks for one unit, in dollars. */
export type PriceName =
  | "lambdaGbSecond"
  | "lambdaRequest"
  | "s3Put"
  | "s3Get"
  | "s3GbMonth"
  | "sqsRequest"
  | "logsGbIngested"
  | "logsGbMonth"
  | "metricMonth"
  | "alarmMonth"
  | "compositeAlarmMonth"
  | "dashboardMonth"
  | "secretMonth"
  | "secretRequest"
  | "scheduleInvocation"
  | "athenaTb";
export type Prices = Readonly<Record<PriceName, number>>;

/** A shop. */
export interface Shop {
  readonly name: string;
  readonly rowsChangedADay: number;
  /** Of the 144 ticks of a day, those before which something had changed. */
  readonly busyTicksADay: number;
}

/** What a deployment has, and what is taken for granted of AWS. */
export interface Deployment {
  readonly memoryMb: number;
  readonly ticksADay: number;
  readonly daysAMonth: number;
  readonly alarms: number;
  readonly compositeAlarms: number;
  readonly dashboards: number;
  readonly secrets: number;
  readonly queues: number;
  /** Metrics that metric filters make; those of the functions are measured. */
  readonly filterMetrics: number;
  /** Of each queue, by Lambda's pollers, where no message comes. */
  readonly emptyReceivesAMonth: number;
  /** With so much memory a function has a core; with less, that part of one. */
  readonly memoryOfACoreMb: number;
  /** Longer than on one machine, for each request, in milliseconds. */
  readonly latencyMs: number;
  /** Lambda's own lines for each invocation. */
  readonly lambdaLogBytes: number;
  /** Months of changes that are in the buckets. */
  readonly monthsKept: number;
}

/** One kind of tick: what one of it takes, of all three functions. */
export interface Tick {
  readonly invocations: number;
  /** On this machine. */
  readonly billedMs: number;
  readonly cpuMs: number;
  readonly puts: number;
  readonly gets: number;
  readonly secretRequests: number;
  readonly logBytes: number;
  /** Left in both buckets. */
  readonly bytes: number;
  /** Messages through the two queues between the stages; ingestion's own is silent but for runs that are not done. */
  readonly messages: number;
}

/** What ticks take, and each changed row on top. */
export interface Usage {
  readonly idle: Tick;
  readonly busy: Tick;
  readonly row: Tick;
  readonly metrics: number;
}

/** One line of the bill, in dollars a month. */
export interface Item {
  readonly item: string;
  readonly dollars: number;
  /** How it comes to that. */
  readonly formula: string;
}

const GB = 1e9;
/** S3 asks for these as for a PUT; for the others as for a GET. */
const PUTS = new Set([
  "PutObject",
  "CreateMultipartUpload",
  "UploadPart",
  "CompleteMultipartUpload",
  "ListObjectsV2",
]);
const SECRETS = "GetSecretValue";

/** A busy tick has one manifest in each bucket, each a message; SQS asks for its sending, receiving and deletion. */
const MESSAGES = 2;
const REQUESTS_A_MESSAGE = 3;

/**
 * What ticks take, from a bench's figures: every tick with cold processes, for in ten minutes Lambda may have ended them.
 * @throws Error where a scenario that is needed was not measured
 */
export function usageOf(measured: Measured): Usage {
  const { idle } = measured;
  if (!idle) throw new Error("the scenario idle was not measured");
  const all = STAGES.map((name) => idle[name]);
  const cold = sumTicks(all.map(({ cold }) => tickOf({ ...cold, invocations: 1 })));
  const warm = sumTicks(all.map(({ warm }) => tickOf({ ...warm, invocations: 1 })));
  const oneRow = medianTick(measured, "one-row");
  const backfill = medianTick(measured, "backfill");
  const rows = measured.rows;
  // Ingestion is the schedule's; its tick also wakes the two that then find nothing to do.
  const others = sumTicks(
    STAGES.filter((name) => name !== "ingestion").map((name) =>
      tickOf({ ...idle[name].warm, invocations: 1 }),
    ),
  );
  const starts = mapTicks(cold, warm, (a, b) => Math.max(0, a - b));
  return {
    idle: cold,
    busy: { ...sumTicks([oneRow, others, { ...starts, invocations: 0 }]), messages: MESSAGES },
    row: {
      ...mapTicks(backfill, oneRow, (a, b) => Math.max(0, a - b) / rows),
      messages: 0,
      invocations: 0,
    },
    metrics: measured.metrics,
  };
}

/** Of all ticks and rows of a month. */
const totalOf =
  (shop: Shop, usage: Usage, { daysAMonth, ticksADay }: Deployment) =>
  (of: (tick: Tick) => number): number =>
    of(usage.idle) * (ticksADay - shop.busyTicksADay) * daysAMonth +
    of(usage.busy) * shop.busyTicksADay * daysAMonth +
    of(usage.row) * shop.rowsChangedADay * daysAMonth;

/** What is in the buckets in the end. */
const storedGbOf = (total: ReturnType<typeof totalOf>, { monthsKept }: Deployment): number =>
  (total((tick) => tick.bytes) * monthsKept) / GB;

/**
 * What one question costs that reads all there is: at most, for it counts what both buckets hold, and that every object is asked for.
 */
export function queryOf(shop: Shop, usage: Usage, prices: Prices, deployment: Deployment): Item {
  const total = totalOf(shop, usage, deployment);
  const objects = total(({ puts }) => puts) * deployment.monthsKept;
  return itemOf(prices)(
    "a question that reads it all",
    [storedGbOf(total, deployment) / 1000, "TB", "athenaTb"],
    [objects, "GET", "s3Get"],
  );
}

const itemOf =
  (prices: Prices) =>
  (
    name: string,
    ...terms: readonly (readonly [amount: number, unit: string, price: PriceName])[]
  ): Item => ({
    item: name,
    dollars: terms.reduce((sum, [amount, , price]) => sum + amount * prices[price], 0),
    formula: terms
      .map(([amount, unit, price]) => `${figure(amount)} ${unit} × ${priceText(prices[price])}`)
      .join(" + "),
  });

/** The month's bill. */
export function billOf(
  shop: Shop,
  usage: Usage,
  prices: Prices,
  deployment: Deployment,
): readonly Item[] {
  const { daysAMonth, ticksADay, memoryMb, memoryOfACoreMb, latencyMs } = deployment;
  const total = totalOf(shop, usage, deployment);

  const requests = total(({ puts, gets, secretRequests }) => puts + gets + secretRequests);
  const seconds =
    (total(({ billedMs }) => billedMs) +
      total(({ cpuMs }) => cpuMs) * Math.max(0, memoryOfACoreMb / memoryMb - 1) +
      requests * latencyMs) /
    1000;
  const gbSeconds = seconds * (memoryMb / 1024);
  const invocations = total((tick) => tick.invocations);
  const [puts, gets] = [total((tick) => tick.puts), total((tick) => tick.gets)];
  const storedGb = storedGbOf(total, deployment);
  const sqs =
    total((tick) => tick.messages) * REQUESTS_A_MESSAGE +
    deployment.queues * deployment.emptyReceivesAMonth;
  const logGb = (total((tick) => tick.logBytes) + invocations * deployment.lambdaLogBytes) / GB;
  const metrics = usage.metrics + deployment.filterMetrics;
  const secretRequests = total((tick) => tick.secretRequests);
  const schedules = ticksADay * daysAMonth * STAGES.length;
  const item = itemOf(prices);
  return [
    item(
      "Lambda",
      [gbSeconds, "GB-s", "lambdaGbSecond"],
      [invocations, "invocations", "lambdaRequest"],
    ),
    item("S3 requests", [puts, "PUT or LIST", "s3Put"], [gets, "GET", "s3Get"]),
    item("S3 storage", [storedGb, "GB", "s3GbMonth"]),
    item("SQS", [sqs, "requests", "sqsRequest"]),
    item("CloudWatch metrics", [metrics, "metrics", "metricMonth"]),
    item("CloudWatch logs", [logGb, "GB in", "logsGbIngested"], [logGb, "GB kept", "logsGbMonth"]),
    item(
      "CloudWatch alarms",
      [deployment.alarms, "alarms", "alarmMonth"],
      [deployment.compositeAlarms, "composite", "compositeAlarmMonth"],
    ),
    item("CloudWatch dashboard", [deployment.dashboards, "dashboard", "dashboardMonth"]),
    item(
      "Secrets Manager",
      [deployment.secrets, "secrets", "secretMonth"],
      [secretRequests, "requests", "secretRequest"],
    ),
    item("EventBridge", [schedules, "invocations", "scheduleInvocation"]),
  ];
}

/** `0.0000002`, not `2e-7`. */
export const priceText = (price: number): string =>
  price.toLocaleString("en-GB", { maximumSignificantDigits: 6 });

/** Three digits that count; whole numbers from a thousand on. */
const figure = (amount: number): string =>
  amount >= 1000
    ? Math.round(amount).toLocaleString("en-GB")
    : amount.toLocaleString("en-GB", { maximumSignificantDigits: 3 });

/** What is known of an invocation, or of several. */
type Invoked = IdleFigures["cold"] & { readonly invocations: number; readonly bytes?: number };

function tickOf({
  invocations,
  billedMs,
  cpuSeconds,
  logBytes,
  requests,
  bytes = 0,
}: Invoked): Tick {
  const count = (wanted: (operation: string) => boolean): number =>
    Object.entries(requests).reduce((sum, [name, n]) => sum + (wanted(name) ? n : 0), 0);
  return {
    invocations,
    billedMs,
    cpuMs: cpuSeconds * 1000,
    puts: count((name) => PUTS.has(name)),
    gets: count((name) => !PUTS.has(name) && name !== SECRETS),
    secretRequests: count((name) => name === SECRETS),
    logBytes,
    bytes,
    messages: 0,
  };
}

function medianTick(measured: Measured, name: "one-row" | "backfill"): Tick {
  const scenario = measured.scenarios.find((one) => one.name === name);
  if (!scenario) throw new Error(`the scenario ${name} was not measured`);
  const ticks = scenario.rounds.map(tickOfRound);
  return mapTicks(ticks[0]!, ticks[0]!, (_a, _b, field) => median(ticks.map((one) => one[field])));
}

function tickOfRound({ stages, requests }: Round): Tick {
  const all = Object.values(stages);
  const sum = (of: (stage: (typeof all)[number]) => number): number =>
    all.reduce((total, stage) => total + of(stage), 0);
  return tickOf({
    requests,
    invocations: sum(({ invocations }) => invocations),
    billedMs: sum(({ billedMs }) => billedMs),
    cpuSeconds: sum(({ cpuSeconds }) => cpuSeconds),
    logBytes: sum(({ logBytes }) => logBytes),
    // Loading reads what transformation wrote.
    bytes: stages.ingestion.bytes + stages.transformation.bytes,
  });
}

function mapTicks(a: Tick, b: Tick, of: (a: number, b: number, field: keyof Tick) => number): Tick {
  const fields = Object.keys(a) as (keyof Tick)[];
  return Object.fromEntries(
    fields.map((field) => [field, of(a[field], b[field], field)]),
  ) as unknown as Tick;
}

const sumTicks = (ticks: readonly Tick[]): Tick =>
  ticks.reduce((sum, tick) => mapTicks(sum, tick, (a, b) => a + b));
