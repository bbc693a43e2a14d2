// Answers as a pipeline in trouble gives them, and one of a thousand batches: what a test would wait long for.
import {
  STATIONS,
  type Batch,
  type BatchSummary,
  type Check,
  type Overview,
  type Point,
  type QuarantineGroup,
  type Station,
  type StationId,
  type Status,
  type Table,
  type Verdict,
} from "../../src/operations/types.ts";
import type { Answers } from "../../watch/answers.ts";
import type { Business } from "../../watch/business.ts";

export type State = "healthy" | "held" | "stopped" | "unreachable" | "empty" | "thousand";

const ago = (seconds: number): string => new Date(Date.now() - seconds * 1000).toISOString();
const words = (n: number): string => n.toLocaleString("en-GB");

/** Numbers in [0, 1) that depend on the seed alone (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function sha256(seed: number): string {
  const next = random(seed * 7919);
  return Array.from({ length: 64 }, () => Math.floor(next() * 16).toString(16)).join("");
}

const minutes = (value: (i: number) => number): Point[] =>
  Array.from({ length: 60 }, (_, i) => ({ at: ago((59 - i) * 60), value: value(i) }));

const NEWEST = {
  healthy: 4127,
  held: 4127,
  stopped: 49,
  unreachable: 4127,
  empty: 0,
  thousand: 1000,
};
const STOPPED_AT = 43;

/** Where the newest batch is, in the state of a pipeline. */
function summary(state: State, batch: number, newest: number): BatchSummary {
  const next = random(batch);
  const kind = state === "thousand" && batch < 997 ? "backfill" : "changes";
  const scale = kind === "backfill" ? 13 : 1;
  let at = 0;
  const span = (
    wait: number,
    base: number,
    spread: number,
  ): { start_ms: number; end_ms: number } => {
    const start_ms = Math.round(at + wait + next() * 40);
    at = start_ms + (base + next() * spread) * scale;
    return { start_ms, end_ms: Math.round(at) };
  };
  const rows = kind === "backfill" ? 250_000 : Math.ceil(2 + next() ** 3 * 60);
  const ingestion = { start_ms: 0, end_ms: span(0, 150, 110).end_ms };
  const transformation = span(60, 55, 90);
  const loading = span(60, 60, 110);
  const isFailed = state === "stopped" && batch === STOPPED_AT;
  const isWaiting = state === "stopped" && batch > STOPPED_AT;
  const pace = state === "stopped" ? 190 : 57;
  return {
    batch,
    kind,
    status: isFailed ? "failed" : isWaiting ? "waiting" : "loaded",
    committed_at: ago((state === "unreachable" ? 1380 : 42) + (newest - batch) * pace),
    rows,
    tables: Math.min(2 + Math.floor(next() * 4), rows),
    quarantined: state === "healthy" && batch === newest - 3 ? 1 : 0,
    attempts: isFailed ? 5 : 1,
    stages: { ingestion, transformation, ...(isWaiting ? {} : { loading }) },
  };
}

const verdicts = (newest: number): Record<State, Verdict> => ({
  healthy: {
    status: "ok",
    short: "42 s behind",
    title: "Healthy. The warehouse is 42 s behind the shop.",
    text: `Batch ${words(newest)} is the newest. Ingestion looks again every 10 min.`,
    steps: [],
  },
  held: {
    status: "warn",
    short: "Fence held",
    title: "Working, but one old transaction makes every run read more than it needs.",
    text: "The warehouse is 42 s behind the shop and nothing is missing. Each run reads 4,310 rows again until pid 4211 ends: user reporting, open for 2 h 14 min.",
    steps: [
      { text: "Ask the owner of pid 4211 (psql on host etl-02) to commit or roll back." },
      {
        text: "If nobody answers, end it in the shop. Only its own unfinished work is undone.",
        command: "SELECT pg_terminate_backend(4211);",
      },
    ],
  },
  stopped: {
    status: "bad",
    short: "Stopped at 43",
    title: "Stopped at batch 43. Loading failed 5 times; 6 later batches wait.",
    text: "Nothing is lost: the shop is still read and batches 44 to 49 wait in the processed bucket. The warehouse stays as it was after batch 42.",
    error: {
      heading: "A column in the warehouse is too narrow",
      text: "The declaration says fact_payment.payment_amount is numeric(10,2); the warehouse has numeric(8,2).",
      raw: "WarehouseError: table fact_payment, column payment_amount: expected numeric(10,2), found numeric(8,2)",
    },
    steps: [
      {
        text: "Widen the column in the warehouse.",
        command: "ALTER TABLE fact_payment ALTER COLUMN payment_amount TYPE numeric(10,2);",
      },
      {
        text: "Put batch 43 back in the queue. The 6 waiting batches follow by themselves.",
        command: "npx totes redrive --queue loading",
      },
      { text: "Check that warehouse and shop agree.", command: "npx totes reconcile" },
      {
        text: "Only if batch 43 may be left out: skip it. The skip is recorded and reconcile will name its rows.",
        command: 'npx totes skip 43 --why "…"',
      },
    ],
  },
  unreachable: {
    status: "bad",
    short: "Shop unreachable",
    title: "The shop cannot be reached. The warehouse is 23 min behind and falling back.",
    text: "Nothing is lost: the first run that reaches the shop reads everything since the last fence.",
    error: {
      heading: "The shop’s database refuses connections",
      text: "Nothing listens at totesys.internal, port 5432. The password was not tried.",
      raw: "connect ECONNREFUSED 10.0.3.14:5432",
    },
    steps: [{ text: "See from here what answers.", command: "npx totes doctor" }],
  },
  empty: {
    status: "idle",
    short: "Empty",
    title: "Nothing is loaded yet. The warehouse is empty.",
    text: "The shop and the two buckets answer; no batch has been made. Do this in a terminal, and watch batch 1 cross this page.",
    steps: [
      { text: "Make the first batch now rather than at the next tick.", command: "npx totes run" },
      {
        text: "Let the shop trade, so that there is something to see.",
        command: "npx totes trade",
      },
    ],
  },
  thousand: {
    status: "ok",
    short: "42 s behind",
    title: "Healthy. The warehouse is 42 s behind the shop.",
    text: "Batch 1,000 is the newest. Ingestion looks again every 10 min.",
    steps: [],
  },
});

const SIGNS: Record<StationId, readonly [title: string, kind: string]> = {
  source: ["Shop", "PostgreSQL, totesys"],
  ingestion: ["Ingestion", "function"],
  ingestion_bucket: ["Ingestion bucket", "S3, JSON"],
  transformation: ["Transformation", "function"],
  processed_bucket: ["Processed bucket", "S3, Parquet"],
  loading: ["Loading", "function"],
  warehouse: ["Warehouse", "PostgreSQL, star"],
};

function stations(state: State, newest: number): Station[] {
  const n = words(newest);
  const isStopped = state === "stopped";
  const isLost = state === "unreachable";
  const isHeld = state === "held";
  const lines: Record<StationId, [string, string]> = {
    source: isLost
      ? ["no answer for 23 min", "port 5432 refuses"]
      : ["11 tables, 53,782 rows", isHeld ? "fence held for 2 h 14 min" : "fence moves freely"],
    ingestion: isLost
      ? ["failed 23 times", "tries again in 18 s"]
      : ["201 ms last run", "next in 18 s"],
    ingestion_bucket: [`${n} batches`, "38.2 MB"],
    transformation: ["94 ms last run", "0 waiting, 0 dead"],
    processed_bucket: [`${n} batches`, "21.7 MB"],
    loading: isStopped
      ? ["failed 5 times", "6 waiting, 1 dead"]
      : ["118 ms last run", "0 waiting, 0 dead"],
    warehouse: [`at batch ${isStopped ? 42 : n}`, "73,549 rows"],
  };
  const troubled: Partial<Record<StationId, Status>> = isStopped
    ? { loading: "bad", warehouse: "warn" }
    : isLost
      ? { source: "bad", ingestion: "bad" }
      : isHeld
        ? { source: "warn" }
        : {};
  return STATIONS.map((id): Station => {
    const [title, kind] = SIGNS[id];
    const isEmpty = state === "empty";
    return {
      id,
      title,
      kind,
      lines: isEmpty ? ["nothing yet"] : lines[id],
      status: isEmpty ? "idle" : (troubled[id] ?? "ok"),
      ...(isLost && id === "source" ? { out: "broken" as const } : {}),
    };
  });
}

const ORDER: readonly Status[] = ["bad", "warn", "busy", "idle", "ok"];

function checks(state: State): Check[] {
  const isLate = state === "stopped" || state === "unreachable";
  const isStopped = state === "stopped";
  const isHealthy = state === "healthy";
  const all: Check[] = [
    {
      id: "freshness",
      title: "Freshness",
      status: isLate ? "bad" : "ok",
      value: isLate ? "23 min" : "42 s",
      text: "Behind the shop. The alarm is at 20 min.",
    },
    {
      id: "queues",
      title: "Queues",
      status: isStopped ? "bad" : "ok",
      value: isStopped ? "1 dead" : "0 waiting",
      text: isStopped
        ? "Batch 43 is in the loading dead-letter queue; 6 messages wait."
        : "And 0 dead letters, in both queues.",
      ...(isStopped ? { href: "#/batches/43" } : {}),
    },
    {
      id: "fence",
      title: "Fence",
      status: state === "held" ? "warn" : "ok",
      value: state === "held" ? "2 h 14 min" : "3 s",
      text:
        state === "held"
          ? "Held by pid 4211: user reporting, application psql, idle in transaction since 12:18."
          : "Age of the oldest open transaction in the shop.",
    },
    {
      id: "quarantine",
      title: "Quarantine",
      status: isHealthy ? "warn" : "ok",
      value: isHealthy ? "3 rows" : "0 rows",
      text: isHealthy
        ? "Refused and kept aside, the oldest for 58 min. The other rows went on."
        : "Every row fits the star.",
      href: "#/quarantine",
    },
    {
      id: "alarms",
      title: "Alarms",
      status: isLate ? "bad" : isHealthy ? "warn" : "ok",
      value: isLate ? "2 of 11" : isHealthy ? "1 of 11" : "0 of 11",
      text: isLate
        ? "Would fire on AWS: freshness, errors."
        : isHealthy
          ? "Would fire on AWS: quarantined rows above 0."
          : "None would fire on AWS.",
    },
    {
      id: "chain",
      title: "Lake",
      status: "ok",
      value: `${words(NEWEST[state])} linked`,
      text: "Each manifest names the one before it; no gap, no edit.",
    },
  ];
  const shown =
    state === "empty" ? all.map((one) => ({ ...one, status: "idle" as const, value: "–" })) : all;
  return shown.toSorted((a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status));
}

/** The newest batches, at most so many of them. */
const newestOf = (state: State, newest: number, most: number): BatchSummary[] =>
  Array.from({ length: Math.min(most, newest) }, (_, i) => summary(state, newest - i, newest));

/** The overview of a state, whose newest batch may be another one. */
export function overview(state: State, newest: number = NEWEST[state]): Overview {
  const isLate = state === "stopped" || state === "unreachable";
  const next = random(9);
  const lag = (i: number): number =>
    isLate && i > 36 ? (i - 36) * 60 + 20 : 14 + Math.round(next() * 26 + (i % 13 === 5 ? 22 : 0));
  const rows = (i: number): number =>
    isLate && i > 36 ? 0 : Math.round(8 + 10 * (1 + Math.sin(i / 9)) + next() ** 3 * 50);
  return {
    now: new Date().toISOString(),
    stack: "local, embedded",
    verdict: verdicts(newest)[state],
    stations: stations(state, newest),
    moving: state === "stopped" ? [{ label: "44–49 wait", at: 4.5, status: "warn" }] : [],
    lag: state === "empty" ? [] : minutes(lag),
    lag_alarm_s: 1200,
    rows: state === "empty" ? [] : minutes(rows),
    checks: checks(state),
    recent: newestOf(state, newest, 8),
    quarantined: state === "healthy" ? 3 : 0,
    batches: newest,
  };
}

const STEPS = {
  ingestion: ["take snapshot", "read changes", "write objects", "commit manifest"],
  transformation: ["read and verify", "format and check", "write Parquet", "commit manifest"],
  loading: ["take lock", "copy to staging", "merge", "commit"],
} as const;

function batch(state: State, number: number, newest: number): Batch {
  const base = summary(state, number, newest);
  const run = sha256(number + 5).slice(0, 12);
  const id = String(number).padStart(10, "0");
  const object = (bucket: "ingestion" | "processed", table: string, ending: string, i: number) => ({
    bucket,
    table,
    key: `${table}/2026/11/22/${id}-${run}.${ending}`,
    rows: base.rows,
    bytes: 900 + base.rows * 61,
    sha256: sha256(number * 100 + i),
    verified: true,
  });
  const steps = (["ingestion", "transformation", "loading"] as const).flatMap((stage) => {
    const span = base.stages[stage];
    if (!span) return [];
    const length = (span.end_ms - span.start_ms) / 4;
    return STEPS[stage].map((name, i) => ({
      stage,
      name,
      start_ms: span.start_ms + i * length,
      end_ms: span.start_ms + (i + 1) * length,
    }));
  });
  const stars = ["fact_sales_order", "dim_design"];
  return {
    ...base,
    run,
    sha256: sha256(number),
    previous_sha256: number > 1 ? sha256(number - 1) : null,
    chain: "equal",
    snapshot: "8812004:8812019:8812011",
    fence: "8812004",
    system_identifier: "7431192604417753125",
    ...(base.status === "failed" ? { error: verdicts(newest).stopped.error!.text } : {}),
    steps,
    objects: [
      ...["sales_order", "design"].map((table, i) => object("ingestion", table, "json.gz", i)),
      ...stars.map((table, i) => object("processed", table, "parquet", i + 50)),
    ],
    effects: stars.map((table) => ({
      table,
      added: base.rows,
      changed: 0,
      equal: 1,
      versions: table.startsWith("fact") ? base.rows : 0,
      quarantined: 0,
    })),
  };
}

const quarantine = (newest: number): QuarantineGroup[] => [
  {
    reason: "agreed_delivery_date: … is not a date (YYYY-MM-DD)",
    table: "fact_sales_order",
    source: "sales_order",
    column: "agreed_delivery_date",
    advice:
      "Correct the day in the shop. The next run sees the change, loads the row and takes it off this list.",
    steps: [
      {
        text: "In the shop, with the right day:",
        command:
          "UPDATE sales_order SET agreed_delivery_date = '…' WHERE sales_order_id IN (12398, 12371);",
      },
    ],
    rows: ["2024-02-30", "30/11/2026"].map((day, i) => ({
      key: String(12398 - i * 27),
      batch: newest - 3 - i * 23,
      at: ago(213 + i * 1311),
      row: {
        sales_order_id: 12398 - i * 27,
        agreed_delivery_date: day,
        design_id: 604,
        staff_id: 17,
        units_sold: 4120,
        unit_price: "3.94",
        agreed_delivery_location_id: null,
      },
    })),
  },
  {
    reason: "currency_code … is not in ISO 4217",
    table: "dim_currency",
    source: "currency",
    column: "currency_code",
    advice:
      "Correct the code in the shop. Until then facts refer to an inferred member named unknown.",
    steps: [],
    rows: [
      {
        key: "4",
        batch: newest - 61,
        at: ago(3519),
        row: { currency_id: 4, currency_code: "<script>STG</script>" },
      },
    ],
  },
];

const NO_BUSINESS: Business = {
  as_of_batch: 0,
  as_of: "",
  sales: [],
  designs: [],
  staff: [],
  payments: { months: [], overdue: [] },
  sql: { sales: "", designs: "", staff: "", payments: "" },
};

/** What a pipeline in a state answers; `tables` and `business` are a real pipeline's, where there is one. */
export function answersOf(
  state: State,
  real: Partial<Pick<Answers, "tables" | "table" | "business">> = {},
): Answers {
  const newest = NEWEST[state];
  const all = newestOf(state, newest, 1000);
  return {
    overview: async () => overview(state),
    batches: async ({ before = newest + 1, limit, only }) => {
      const matching = all.filter(
        (one) =>
          only === "all" ||
          (only === "quarantined" ? one.quarantined > 0 : one.status !== "loaded"),
      );
      return {
        total: only === "all" ? newest : matching.length,
        trail: {
          first: newest - all.length + 1,
          ms: all
            .map((one) => (one.status === "loaded" ? one.stages.loading!.end_ms : null))
            .toReversed(),
        },
        batches: matching.filter((one) => one.batch < before).slice(0, limit),
      };
    },
    batch: async (number) => (number <= newest ? batch(state, number, newest) : undefined),
    tables: async () => [],
    table: async (): Promise<Table | undefined> => undefined,
    quarantine: async () => (state === "healthy" ? quarantine(newest) : []),
    business: async () => NO_BUSINESS,
    ...real,
  };
}

/** A column that hands on its source's values. */
const carried = (
  name: string,
  from: string,
  more: Partial<Table["columns"][number]> = {},
): Table["columns"][number] => ({
  name,
  type: "integer",
  nullable: false,
  key: false,
  meaning: "",
  from,
  isCarried: true,
  ...more,
});

const VISITS: Table = {
  name: "fact_visit",
  kind: "fact",
  description: "One row per version of a visit.",
  rows: 1482,
  isEstimate: false,
  fresh_at: ago(42),
  fresh_batch: 4127,
  history: Array.from({ length: 30 }, (_, i) => ({
    at: ago((29 - i) * 86_400),
    value: 300 + i * 40,
  })),
  minutes: minutes((i) => i % 7),
  references: ["dim_place"],
  sources: ["visit"],
  columns: [
    carried("visit_record_id", "the loader", { type: "serial", isCarried: false }),
    carried("visit_id", "visit.visit_id", { key: true }),
    carried("place_id", "visit.place_id", { references: "dim_place" }),
    carried("mood", "visit.mood", { type: "varchar", nullable: true, meaning: "How it went" }),
  ],
  sample: [{ visit_record_id: 1482, visit_id: 7, place_id: 1, mood: "fine" }],
  versions: {
    record: "visit_id 7",
    rows: [
      { row: { visit_record_id: 1481, visit_id: 7, place_id: 1, mood: null }, changed: [] },
      { row: { visit_record_id: 1482, visit_id: 7, place_id: 1, mood: "fine" }, changed: ["mood"] },
    ],
  },
};
const PLACES: Table = {
  ...VISITS,
  name: "dim_place",
  kind: "dimension",
  description: "One row per place.",
  history: [],
  references: [],
  sources: ["place"],
  columns: [carried("place_id", "place.place_id", { key: true })],
  sample: [{ place_id: 1 }],
};
delete (PLACES as { versions?: unknown }).versions;

const MONTHS = ["2026-09", "2026-10", "2026-11"];

/** A small star and its business. */
export const STAR: Pick<Answers, "tables" | "table" | "business"> = {
  tables: async () => [VISITS, PLACES],
  table: async (name) => [VISITS, PLACES].find((one) => one.name === name),
  business: async () => ({
    as_of_batch: 4127,
    as_of: "2026-11-22",
    sales: ["GBP", "unknown"].map((currency) => ({
      currency,
      months: MONTHS.map((month, i) => ({ month, amount: `${(i + 1) * 730_000}.50` })),
    })),
    designs: [
      { design: "Velvet 1", units: 2000, orders: 2 },
      { design: "Cotton 2", units: 1, orders: 1 },
    ],
    staff: [{ department: "Sales", people: [{ name: "Aisha Rahman", units: 2001 }] }],
    payments: {
      months: MONTHS.map((month) => ({ month, on_time: 90, late: 10 })),
      overdue: [{ currency: "GBP", payments: 1, amount: "12.50" }],
    },
    sql: { sales: "SELECT 1", designs: "SELECT 2", staff: "SELECT 3", payments: "SELECT 4" },
  }),
};
