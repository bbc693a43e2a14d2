import { STAGES } from "../scripts/bundle.ts";
import { median, medianOf, type Measured, type ScenarioFigures } from "./figures.ts";
import type { ScenarioName } from "./options.ts";

/** One promise, and what became of it. */
export interface Budget {
  readonly what: string;
  readonly budget: string;
  readonly measured: string;
  readonly isKept: boolean;
}

/** Times the pipe. */
export const MOST_RATIO = 2.5;
const MOST_RSS = 256 << 20;
const MOST_IDLE_MS = 500;
/** The budget of an idle run is for so many rows at most: it scans each source once. */
const MOST_IDLE_ROWS = 2_000_000;
const MOST_ONE_ROW_MS = 1000;

/** What each scenario is, in the words of the report. */
export const MEANING: Readonly<Record<ScenarioName, string>> = {
  backfill: "backfill",
  resync: "all read again, unchanged",
  warm: "backfill, warm processes",
  idle: "idle run",
  "one-row": "one changed row",
  silent: "1 % silent updates",
  lookup: "a lookup change in every row",
};

export const ratioText = (ratio: number): string => `${ratio.toFixed(ratio < 10 ? 2 : 1)}×`;
export const megabytes = (bytes: number): string => `${Math.round(bytes / (1 << 20))} MB`;

/** The budgets that a run can judge, by what it has measured. */
export function budgetsOf(measured: Measured): Budget[] {
  const of = (name: ScenarioName): ScenarioFigures[] =>
    measured.scenarios.filter((scenario) => scenario.name === name);
  const ratios = (["backfill", "resync", "warm"] as const).flatMap(of).flatMap((scenario) => {
    const ratio = medianOf(scenario, (round) => round.ratio);
    return ratio === null ? [] : [ratioBudget(scenario, ratio)];
  });
  const idle = measured.rows <= MOST_IDLE_ROWS ? of("idle") : [];
  return [
    ...ratios,
    ...peaks(measured),
    ...idle.map(({ rounds }) =>
      time(
        "idle run, ingestion",
        rounds.map(({ stages }) => stages.ingestion.busyMs),
        MOST_IDLE_MS,
      ),
    ),
    ...idle.map(({ rounds }) =>
      time(
        "idle run, all three functions",
        rounds.map(({ wallMs }) => wallMs),
        MOST_IDLE_MS,
      ),
    ),
    ...of("idle").map(({ rounds }) => {
      const put = Math.max(...rounds.map(({ objectsPut }) => objectsPut));
      return {
        what: "idle run, objects written",
        budget: "0",
        measured: String(put),
        isKept: put === 0,
      };
    }),
    ...of("one-row").map(({ rounds }) =>
      time(
        "one changed row, from the shop's commit to the warehouse's",
        rounds.map(({ wallMs }) => wallMs),
        MOST_ONE_ROW_MS,
      ),
    ),
  ];
}

const ratioBudget = ({ name, rounds }: ScenarioFigures, ratio: number): Budget => ({
  what: `${MEANING[name]}, ${(rounds[0]?.rows ?? 0).toLocaleString("en-GB")} orders ÷ pipe`,
  budget: `≤ ${MOST_RATIO}×`,
  measured: ratioText(ratio),
  isKept: ratio <= MOST_RATIO,
});

/** Of each function, in whichever scenario it needed most. */
function peaks({ scenarios }: Measured): Budget[] {
  const rounds = scenarios.flatMap(({ rounds }) => rounds);
  if (rounds.length === 0) return [];
  return STAGES.map((name) => {
    const peak = Math.max(...rounds.map(({ stages }) => stages[name].peakRssBytes));
    return {
      what: `peak memory of ${name} (RSS)`,
      budget: `≤ ${megabytes(MOST_RSS)}`,
      measured: megabytes(peak),
      isKept: peak <= MOST_RSS,
    };
  });
}

const time = (what: string, times: readonly number[], most: number): Budget => ({
  what,
  budget: `< ${most} ms`,
  measured: `${Math.round(median(times))} ms`,
  isKept: median(times) < most,
});
