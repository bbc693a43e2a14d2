// The figures as rows of tables: for the terminal and for the report.
import { STAGES } from "../scripts/bundle.ts";
import { megabytes, MEANING, ratioText } from "./budgets.ts";
import {
  cpuOf,
  median,
  medianOf,
  type Measured,
  type Round,
  type ScenarioFigures,
} from "./figures.ts";

/** A head and rows of text. */
export interface Rows {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const seconds = (ms: number): string => (ms / 1000).toFixed(2);
const whole = (count: number): string => Math.round(count).toLocaleString("en-GB");

/** A line a scenario: how long it took, and how that is to the pipe. */
export function scenarioRows({ scenarios, pipes }: Measured): Rows {
  const rows = scenarios.map((scenario) => {
    const wall = medianOf(scenario, ({ wallMs }) => wallMs) ?? 0;
    const ratio = medianOf(scenario, (round) => round.ratio);
    const count = scenario.rounds[0]?.rows ?? 0;
    return [
      MEANING[scenario.name],
      count === 0 ? "" : whole(count),
      seconds(wall),
      ratio === null ? "" : ratioText(ratio),
      spread(scenario.rounds.flatMap((round) => (round.ratio === null ? [] : [round.ratio]))),
      String(scenario.rounds.length),
    ];
  });
  const pipe =
    pipes.length === 0
      ? []
      : [
          [
            "the pipe itself",
            whole(pipes[0]!.rows),
            seconds(median(pipes.map(({ wallMs }) => wallMs))),
            ratioText(1),
            "",
            String(pipes.length),
          ],
        ];
  return { head: ["", "orders", "s", "÷ pipe", "from … to", "rounds"], rows: [...pipe, ...rows] };
}

const spread = (ratios: readonly number[]): string =>
  ratios.length < 2 ? "" : `${ratioText(Math.min(...ratios))} … ${ratioText(Math.max(...ratios))}`;

/** A line a process: what each did of a scenario, medians over its rounds. */
export function stageRows(scenario: ScenarioFigures): Rows {
  const of = (figure: (round: Round) => number): number => medianOf(scenario, figure) ?? 0;
  const cpu = (figure: (round: Round) => number): string[] => [
    of(figure).toFixed(2),
    `${(of((round) => figure(round) / cpuOf(round)) * 100).toFixed(0)} %`,
  ];
  const stages = STAGES.map((name) => [
    name,
    whole(of(({ stages }) => perSecond(stages[name].rows, stages[name].busyMs))),
    of(({ stages }) => perSecond(stages[name].bytes, stages[name].busyMs) / 1e6).toFixed(2),
    seconds(of(({ stages }) => stages[name].busyMs)),
    ...cpu(({ stages }) => stages[name].cpuSeconds),
    megabytes(Math.max(...scenario.rounds.map(({ stages }) => stages[name].peakRssBytes))),
  ]);
  const isKnown = scenario.rounds.every((round) => round.postgresCpuSeconds !== null);
  const other = (name: string, figure: (round: Round) => number): string[] => [
    name,
    "",
    "",
    "",
    ...cpu(figure),
    "",
  ];
  return {
    head: ["", "rows/s", "MB/s", "busy s", "CPU s", "of all", "peak RSS"],
    rows: [
      ...stages,
      ...(isKnown ? [other("PostgreSQL", (round) => round.postgresCpuSeconds ?? 0)] : []),
      other("S3's stand-in, the bench", (round) => round.standInCpuSeconds),
    ],
  };
}

const perSecond = (count: number, ms: number): number => (ms === 0 ? 0 : (count / ms) * 1000);

/** The terminal's chart: a bar a scenario, as long as its ratio to the pipe. */
export function bars(measured: Measured, width = 40): string[] {
  const ratios = ratiosOf(measured);
  const most = Math.max(1, ...ratios.map(({ ratio }) => ratio));
  const longest = Math.max(...ratios.map(({ what }) => what.length));
  return ratios.map(
    ({ what, ratio }) =>
      `${what.padEnd(longest)}  ${"█".repeat(Math.max(1, Math.round((ratio / most) * width)))} ${ratioText(ratio)}`,
  );
}

/** What is held against the pipe, and the pipe itself. */
export function ratiosOf({ scenarios }: Measured): { what: string; ratio: number }[] {
  const found = scenarios.flatMap((scenario) => {
    const ratio = medianOf(scenario, (round) => round.ratio);
    return ratio === null ? [] : [{ what: MEANING[scenario.name], ratio }];
  });
  return found.length === 0 ? [] : [{ what: "the pipe itself", ratio: 1 }, ...found];
}
