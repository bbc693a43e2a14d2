import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import {
  billOf,
  queryOf,
  usageOf,
  type Deployment,
  type PriceName,
  type Prices,
  type Tick,
} from "../../bench/cost-model.ts";
import { expect } from "../support/chai.ts";
import { measured, round, stage } from "./measured.ts";

const nothing: Tick = {
  invocations: 0,
  billedMs: 0,
  cpuMs: 0,
  puts: 0,
  gets: 0,
  secretRequests: 0,
  logBytes: 0,
  bytes: 0,
  messages: 0,
};
const prices = Object.fromEntries(
  (
    [
      ["lambdaGbSecond", 0.00001],
      ["lambdaRequest", 0.0000002],
      ["s3Put", 0.000005],
      ["s3Get", 0.0000004],
      ["s3GbMonth", 0.02],
      ["sqsRequest", 0.0000004],
      ["logsGbIngested", 0.6],
      ["logsGbMonth", 0.03],
      ["metricMonth", 0.3],
      ["alarmMonth", 0.1],
      ["compositeAlarmMonth", 0.5],
      ["dashboardMonth", 3],
      ["secretMonth", 0.4],
      ["secretRequest", 0.000005],
      ["scheduleInvocation", 0.000001],
      ["athenaTb", 5],
    ] satisfies [PriceName, number][]
  ).map(([name, price]) => [name, price]),
) as Prices;
const deployment: Deployment = {
  memoryMb: 512,
  ticksADay: 144,
  daysAMonth: 30,
  alarms: 20,
  compositeAlarms: 1,
  dashboards: 1,
  secrets: 2,
  queues: 2,
  filterMetrics: 3,
  emptyReceivesAMonth: 500_000,
  memoryOfACoreMb: 1536,
  latencyMs: 20,
  lambdaLogBytes: 400,
  monthsKept: 12,
};

describe("a month's bill", () => {
  it("is the sum of idle ticks, busy ticks and rows, each at its price", () => {
    // 144 ticks a day, 44 of them busy: 3,000 idle and 1,320 busy ticks in 30 days; 300,000 rows.
    const shop = { name: "s", rowsChangedADay: 10_000, busyTicksADay: 44 };
    const usage = {
      idle: {
        ...nothing,
        invocations: 3,
        billedMs: 100,
        cpuMs: 50,
        puts: 3,
        gets: 5,
        secretRequests: 2,
        logBytes: 1000,
      },
      busy: {
        ...nothing,
        invocations: 5,
        billedMs: 500,
        cpuMs: 200,
        puts: 12,
        gets: 12,
        secretRequests: 2,
        logBytes: 5000,
        bytes: 4000,
        messages: 2,
      },
      row: { ...nothing, billedMs: 0.1, cpuMs: 0.05, puts: 0.001, gets: 0.001, bytes: 60 },
      metrics: 17,
    };
    const bill = Object.fromEntries(
      billOf(shop, usage, prices, deployment).map(({ item, dollars }) => [item, dollars]),
    );
    // PUT: 3,000 × 3 + 1,320 × 12 + 300,000 × 0.001 = 25,140. GET: 15,000 + 15,840 + 300 = 31,140.
    expect(bill["S3 requests"]).to.be.closeTo(25_140 * 0.000005 + 31_140 * 0.0000004, 1e-9);
    // Secrets: 3,000 × 2 + 1,320 × 2 = 8,640. Requests in all: 25,140 + 31,140 + 8,640 = 64,920, 20 ms each: 1,298.4 s.
    // Ran: 300 + 660 + 30 = 990 s. CPU: 150 + 264 + 15 = 429 s, and with a third of a core twice that more: 858 s.
    // 3,146.4 s with half a GB: 1,573.2 GB-s. Invocations: 9,000 + 6,600.
    expect(bill["Lambda"]).to.be.closeTo(1_573.2 * 0.00001 + 15_600 * 0.0000002, 1e-9);
    // 1,320 × 4,000 + 300,000 × 60 = 23.28 MB a month, twelve of them: 0.27936 GB.
    expect(bill["S3 storage"]).to.be.closeTo(0.27936 * 0.02, 1e-9);
    // 1,320 × 2 messages × 3 requests, and a million in vain.
    expect(bill["SQS"]).to.be.closeTo(1_007_920 * 0.0000004, 1e-9);
    // 3 + 6.6 MB of their own, 15,600 × 400 bytes of Lambda's: 15.84 MB.
    expect(bill["CloudWatch logs"]).to.be.closeTo(0.01584 * 0.63, 1e-9);
    expect(bill["CloudWatch metrics"]).to.be.closeTo(6, 1e-9);
    expect(bill["CloudWatch alarms"]).to.be.closeTo(2.5, 1e-9);
    expect(bill["CloudWatch dashboard"]).to.equal(3);
    expect(bill["Secrets Manager"]).to.be.closeTo(0.8 + 8_640 * 0.000005, 1e-9);
    expect(bill["EventBridge"]).to.be.closeTo(144 * 30 * 3 * 0.000001, 1e-9);
  });

  it("has beside it what a question by Athena costs at most: all bytes, and every object", () => {
    const shop = { name: "s", rowsChangedADay: 10_000, busyTicksADay: 44 };
    const usage = {
      idle: nothing,
      busy: { ...nothing, puts: 12, bytes: 4000 },
      row: { ...nothing, bytes: 60 },
      metrics: 0,
    };
    // As above: 0.27936 GB in the end. 1,320 × 12 objects a month, for twelve months.
    expect(queryOf(shop, usage, prices, deployment).dollars).to.be.closeTo(
      0.00027936 * 5 + 190_080 * 0.0000004,
      1e-9,
    );
  });

  it("says how it comes to that", () => {
    const shop = { name: "s", rowsChangedADay: 0, busyTicksADay: 0 };
    const usage = {
      idle: { ...nothing, puts: 1, gets: 2 },
      busy: nothing,
      row: nothing,
      metrics: 0,
    };
    const requests = billOf(shop, usage, prices, deployment).find(
      ({ item }) => item === "S3 requests",
    );
    expect(requests?.formula).to.equal("4,320 PUT or LIST × 0.000005 + 8,640 GET × 0.0000004");
  });
});

describe("what ticks take", () => {
  it("is taken from a bench: idle ticks cold, busy ones with their cold starts, rows from the backfill", () => {
    const big = round({
      stages: {
        ingestion: stage({ billedMs: 1500, bytes: 3_000_000 }),
        transformation: stage({ billedMs: 1500, bytes: 3_000_000 }),
        loading: stage({ billedMs: 1500, bytes: 3_000_000 }),
      },
      requests: { PutObject: 14, ListObjectsV2: 1, GetObject: 13, GetSecretValue: 2 },
    });
    const figures = measured();
    const { idle, busy, row, metrics } = usageOf({
      ...figures,
      scenarios: [{ name: "backfill", rounds: [big] }, ...figures.scenarios.slice(1)],
    });
    expect(metrics).to.equal(19);
    // Three functions, 110 ms each.
    expect(idle).to.deep.include({ invocations: 3, billedMs: 330, puts: 3, gets: 6 });
    // One row: 3 × 500 ms. The two that found nothing: 2 × 10. Three cold starts: 3 × 100.
    expect(busy).to.deep.include({ invocations: 5, billedMs: 1820, puts: 7, gets: 7, messages: 2 });
    // 4,500 ms less one row's 1,500, and two buckets' 6 MB less 4 MB, by 1,000 rows.
    expect(row).to.deep.include({ billedMs: 3, bytes: 2000, puts: 0.01, gets: 0.01 });
  });

  it("is not made up where a scenario was left out", () => {
    expect(() => usageOf(measured({ idle: null }))).to.throw("idle was not measured");
    expect(() => usageOf(measured({ scenarios: [] }))).to.throw("one-row was not measured");
  });
});

describe("npm run cost", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "cost-test-"));
  const file = (name: string, content: object): string => {
    writeFileSync(path.join(folder, name), JSON.stringify(content));
    return path.join(folder, name);
  };
  const cost = (...args: string[]) =>
    promisify(execFile)(process.execPath, ["--import", "tsx", "bench/cost.ts", ...args], {
      cwd: path.join(import.meta.dirname, "..", ".."),
      env: { ...process.env, NODE_NO_WARNINGS: "1" },
    });
  after(() => rmSync(folder, { recursive: true }));

  it("writes the bill of three shops, with what is deployed counted in the template", async () => {
    const out = path.join(folder, "cost.md");
    const { stdout } = await cost("--measured", file("measured.json", measured()), "--out", out);
    expect(stdout).to.match(/^small +\d+\.\d\d USD a month$/m);
    const page = readFileSync(out, "utf8");
    expect(page).to.match(/\| CloudWatch alarms +\|( +\d+\.\d\d \|){3}/);
    expect(page).to.match(/\d+ alarms × 0\.1 \+ 1 composite × 0\.5/);
  });

  it("refuses a list that lacks a price", async () => {
    const list = file("prices.json", { prices: { lambdaGbSecond: { price: 1 } } });
    const error = (await cost("--prices", list).catch((e: unknown) => e)) as { stderr: string };
    expect(error.stderr.trim()).to.equal(
      `${list} has no price of lambdaRequest; --help says what there is`,
    );
  });
});
