// What grows with a shop, and where it ends: arithmetic alone, from what was measured.
import { STAGES, type StageName } from "../scripts/bundle.ts";
import type { Deployment } from "./cost-model.ts";
import { medianOf, type Measured, type Round, type ScenarioFigures } from "./figures.ts";

/** An idle run over a larger shop than that of bench/measured.json. */
export interface BigIdle {
  readonly rows: number;
  readonly seconds: number;
}

/** What a stage takes. */
export interface Pace {
  /** Of a run, whatever is in it. */
  readonly secondsARun: number;
  readonly secondsARow: number;
  /** Of these, on a processor. */
  readonly cpuSecondsARow: number;
}

/** What was measured, by row and by run. */
export interface Rates {
  /** To find what changed, for each row that the source has. */
  readonly scanSecondsARow: number;
  readonly stages: Readonly<Record<StageName, Pace>>;
  /** In both buckets. */
  readonly bytesARow: number;
  readonly bytesARun: number;
  readonly objectsARun: number;
}

/** A shop that grows, and what is taken for granted of it. */
export interface Trade {
  /** How long the source keeps its orders. */
  readonly years: number;
  /** Times that an order is read: when it is new, and whenever it changes. */
  readonly readings: number;
  /** The busiest ten minutes, as a multiple of the average. */
  readonly peak: number;
}

/** What a stage's parameters give. */
export interface Room {
  readonly batchRows: number;
  readonly timeoutSeconds: number;
  readonly transformationConcurrency: number;
}

/** One size of shop. */
export interface Size {
  readonly ordersAYear: number;
  readonly sourceRows: number;
  readonly rowsARun: number;
  readonly peakRows: number;
  readonly peakBatches: number;
  readonly scanSeconds: number;
  /** Of the busiest run, without the scan. */
  readonly seconds: Readonly<Record<StageName, number>>;
  /** Of the busiest run: from the beginning of the scan until its last row is in the warehouse. */
  readonly lagSeconds: number;
  readonly objectsAYear: number;
  readonly bytesAYear: number;
  readonly firstLoadHours: number;
}

/** What is used up, and by how many orders a year. */
export interface Limit {
  readonly what: string;
  readonly ordersAYear: number;
}

const DAYS_A_YEAR = 365;
/** What `serial` counts to. */
const MOST_VERSIONS = 2_147_483_647;

/**
 * What each stage takes.
 * @throws Error where a scenario that is needed was not measured
 */
export function ratesOf(measured: Measured, big: BigIdle): Rates {
  const scenario = (name: string): ScenarioFigures => {
    const found = measured.scenarios.find((one) => one.name === name);
    if (!found) throw new Error(`the scenario ${name} was not measured`);
    return found;
  };
  const [backfill, oneRow, idle] = [scenario("backfill"), scenario("one-row"), scenario("idle")];
  const median = (of: ScenarioFigures, figure: (round: Round) => number): number =>
    medianOf(of, figure)!;
  const idleSeconds = median(idle, ({ wallMs }) => wallMs) / 1000;
  const scanSecondsARow = (big.seconds - idleSeconds) / (big.rows - measured.rows);
  const bytes = ({ stages }: Round): number => stages.ingestion.bytes + stages.transformation.bytes;
  const paces = STAGES.map((name): [StageName, Pace] => {
    const ofRun = median(oneRow, ({ stages }) => stages[name].busyMs) / 1000;
    const scan = name === "ingestion" ? scanSecondsARow * measured.rows : 0;
    return [
      name,
      {
        secondsARun: Math.max(0, ofRun - scan),
        // Of one function: two of a transformation that are busy at once count twice.
        secondsARow: median(backfill, ({ stages }) => stages[name].billedMs) / 1000 / measured.rows,
        cpuSecondsARow: median(backfill, ({ stages }) => stages[name].cpuSeconds) / measured.rows,
      },
    ];
  });
  return {
    scanSecondsARow,
    stages: Object.fromEntries(paces) as Record<StageName, Pace>,
    bytesARow: median(backfill, bytes) / measured.rows,
    bytesARun: median(oneRow, bytes),
    objectsARun: median(oneRow, ({ objectsPut }) => objectsPut),
  };
}

/** Seconds that a row takes a function which has only a part of a core. */
export const secondsARow = (pace: Pace, { memoryMb, memoryOfACoreMb }: Deployment): number =>
  pace.secondsARow + pace.cpuSecondsARow * Math.max(0, memoryOfACoreMb / memoryMb - 1);

/** What one size of shop takes. */
export function sizeOf(
  ordersAYear: number,
  rates: Rates,
  { years, readings, peak }: Trade,
  { batchRows, transformationConcurrency }: Room,
  deployment: Deployment,
): Size {
  const runs = deployment.ticksADay * DAYS_A_YEAR;
  const sourceRows = ordersAYear * years;
  const rowsARun = (ordersAYear * readings) / runs;
  const peakRows = rowsARun * peak;
  const peakBatches = Math.ceil(peakRows / batchRows);
  const scanSeconds = sourceRows * rates.scanSecondsARow;
  const atOnce = { ingestion: 1, transformation: transformationConcurrency, loading: 1 };
  const row = (name: StageName): number => secondsARow(rates.stages[name], deployment);
  const seconds = Object.fromEntries(
    STAGES.map((name) => [
      name,
      rates.stages[name].secondsARun +
        (peakRows * row(name)) / Math.min(atOnce[name], Math.max(1, peakBatches)),
    ]),
  ) as Record<StageName, number>;
  const slowest = Math.max(...STAGES.map((name) => row(name) / atOnce[name]));
  const writing = Math.min(1, rowsARun) * runs;
  return {
    ordersAYear,
    sourceRows,
    rowsARun,
    peakRows,
    peakBatches,
    scanSeconds,
    seconds,
    lagSeconds: STAGES.reduce((sum, name) => sum + seconds[name], scanSeconds),
    objectsAYear: writing * rates.objectsARun + (ordersAYear * readings) / batchRows,
    bytesAYear: writing * rates.bytesARun + ordersAYear * readings * rates.bytesARow,
    firstLoadHours: (sourceRows * slowest) / 3600,
  };
}

/** What is used up first, second, …: each by itself, all else as it is. */
export function limitsOf(
  rates: Rates,
  { years, readings, peak }: Trade,
  { timeoutSeconds, transformationConcurrency }: Room,
  deployment: Deployment,
): Limit[] {
  const runs = deployment.ticksADay * DAYS_A_YEAR;
  const tickSeconds = 86_400 / deployment.ticksADay;
  const ordersOfScan = (seconds: number): number => seconds / rates.scanSecondsARow / years;
  const ordersOfStage = (name: StageName, atOnce = 1): number => {
    const pace = rates.stages[name];
    const rows = ((tickSeconds - pace.secondsARun) * atOnce) / secondsARow(pace, deployment);
    return (rows * runs) / readings / peak;
  };
  const slowest = Math.max(
    secondsARow(rates.stages.ingestion, deployment),
    secondsARow(rates.stages.transformation, deployment) / transformationConcurrency,
    secondsARow(rates.stages.loading, deployment),
  );
  const limits: Limit[] = [
    {
      what: `the source is scanned for a tenth of the time (${tickSeconds / 10} s of ${tickSeconds})`,
      ordersAYear: ordersOfScan(tickSeconds / 10),
    },
    {
      what: `the scan takes ingestion's whole time (timeout, ${timeoutSeconds} s)`,
      ordersAYear: ordersOfScan(timeoutSeconds),
    },
    {
      what: "a first load, or a resync, takes a day",
      ordersAYear: 86_400 / slowest / years,
    },
    {
      what: "the record ids of a fact are used up (serial: 2,147,483,647 versions)",
      ordersAYear: MOST_VERSIONS / readings / years,
    },
    {
      what: "ingestion's one snapshot fills the busiest ten minutes",
      ordersAYear: ordersOfStage("ingestion"),
    },
    {
      what: `transformation, ${transformationConcurrency} at once, fills them`,
      ordersAYear: ordersOfStage("transformation", transformationConcurrency),
    },
    {
      what: "the loader's one backend fills them",
      ordersAYear: ordersOfStage("loading"),
    },
  ];
  return limits.toSorted((a, b) => a.ordersAYear - b.ordersAYear);
}
