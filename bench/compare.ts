import { readFileSync } from "node:fs";
import { UsageError } from "../cli/options.ts";
import { STAGES } from "../scripts/bundle.ts";
import { medianOf, type Measured, type ScenarioFigures } from "./figures.ts";

/** One figure, then and now. */
export interface Change {
  /** Like `backfill: wall ÷ pipe`. */
  readonly what: string;
  readonly before: number;
  readonly now: number;
  /** `now / before`: above 1 is slower, or more. */
  readonly ratio: number;
}

/** Less than that is noise on a quiet machine. */
export const NOISE = 1.1;

/**
 * Reads the figures of an earlier run.
 * @throws UsageError where the file is not what `--json` writes
 */
export function readMeasured(file: string): Measured {
  let measured: Partial<Measured>;
  try {
    measured = JSON.parse(readFileSync(file, "utf8")) as Partial<Measured>;
  } catch (cause) {
    throw new UsageError(`${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
  if (measured.format !== 1) throw new UsageError(`${file} is not what --json writes`);
  return measured as Measured;
}

/**
 * What both runs have measured, the greatest ratio first. Where a pipe ran beside it, time is compared as the ratio to the
 * pipe, so that another machine, or a busier one, weighs less.
 */
export function compareMeasured(before: Measured, now: Measured): Change[] {
  return now.scenarios
    .flatMap((scenario) => {
      const then = before.scenarios.find(({ name }) => name === scenario.name);
      return then ? changesOf(then, scenario) : [];
    })
    .toSorted((a, b) => b.ratio - a.ratio);
}

function changesOf(then: ScenarioFigures, now: ScenarioFigures): Change[] {
  const figures: [string, (scenario: ScenarioFigures) => number | null][] = [
    ["wall ÷ pipe", (scenario) => medianOf(scenario, ({ ratio }) => ratio)],
    ["wall, ms", (scenario) => medianOf(scenario, (r) => (r.ratio === null ? r.wallMs : null))],
    ...STAGES.flatMap((name): typeof figures => [
      [`${name}, CPU s`, (scenario) => medianOf(scenario, (r) => r.stages[name].cpuSeconds)],
      [`${name}, peak RSS`, (scenario) => medianOf(scenario, (r) => r.stages[name].peakRssBytes)],
    ]),
  ];
  return figures.flatMap(([what, of]) => {
    const [a, b] = [of(then), of(now)];
    return a === null || b === null || a === 0
      ? []
      : [{ what: `${now.name}: ${what}`, before: a, now: b, ratio: b / a }];
  });
}
