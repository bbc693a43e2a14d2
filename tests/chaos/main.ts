// What `npm run chaos` calls: plays scenarios of faults on stacks of this machine, and tells what became of them.
import { command } from "../../cli/command.ts";
import { counted, seconds, Terminal } from "../../cli/terminal.ts";
import { LaneProcess } from "./crew.ts";
import { HELP, readOptions, type ChaosOptions } from "./options.ts";
import { figuresOf, isCounted, type Figures } from "./figures.ts";
import type { Outcome } from "./scenario.ts";

process.exitCode = await command(readOptions, HELP, chaos);

async function chaos(options: ChaosOptions): Promise<number> {
  const { scenarios, lanes, isJson, isReplay } = options;
  const began = performance.now();
  const terminal = new Terminal(isJson ? process.stderr : process.stdout);
  const crew = Array.from({ length: Math.min(lanes, scenarios) }, () => new LaneProcess());
  try {
    await terminal.working("stacks start, and every call of the functions is recorded", () =>
      Promise.all(crew.map((lane) => lane.ready)),
    );
    const outcomes: Outcome[] = [];
    await terminal.progress(scenarios, "scenarios", async (done) => {
      await playAll(options, crew, (outcome) => {
        outcomes.push(outcome);
        done(outcomes.filter(isCounted).length);
        if (outcome.problems.length > 0) tell(terminal, options, outcome);
      });
    });
    const figures = figuresOf(outcomes, (performance.now() - began) / 1000);
    if (isReplay) for (const outcome of outcomes) describe(terminal, outcome);
    else show(terminal, figures);
    if (isJson) process.stdout.write(`${JSON.stringify(figures)}\n`);
    return figures.failures.length > 0 ? 1 : 0;
  } finally {
    await Promise.all(crew.map((lane) => lane.stop()));
  }
}

async function playAll(
  { seed, scenarios, kinds, isReplay }: ChaosOptions,
  crew: readonly LaneProcess[],
  told: (outcome: Outcome) => void,
): Promise<void> {
  let next = seed;
  let open = scenarios;
  const playSome = async (lane: LaneProcess): Promise<void> => {
    while (open > 0) {
      open--;
      const outcome = await lane.play({ seed: next++, kinds });
      if (!isReplay && !isCounted(outcome)) open++;
      told(outcome);
    }
  };
  await Promise.all(crew.map(playSome));
}

function tell(
  terminal: Terminal,
  { only }: ChaosOptions,
  { seed, faults, problems }: Outcome,
): void {
  terminal.line();
  terminal.alarm(`Scenario ${seed} leaves what must not be:`);
  for (const problem of problems) terminal.paragraph(problem);
  terminal.paragraph(
    `Its faults: ${faults.map(({ kind, at, fired }) => `${kind} at ${at}, ${fired} times`).join("; ")}.`,
  );
  terminal.paragraph(
    `Replay: npm run chaos -- --replay ${seed}${only === undefined ? "" : ` --only ${only}`}`,
  );
}

function describe(terminal: Terminal, outcome: Outcome): void {
  terminal.heading(`Scenario ${outcome.seed}`);
  for (const { kind, at, fired } of outcome.faults)
    terminal.field(kind, `at ${at}: struck ${counted(fired, "time")}`);
  terminal.field(
    "Runs",
    `${counted(outcome.runs, "run")}, ${outcome.failed} of them failed; ${counted(outcome.batches, "batch", "batches")}; ${seconds(outcome.seconds * 1000)}`,
  );
  terminal.field("Problems", outcome.problems.length === 0 ? "none" : outcome.problems.join("; "));
}

function show(terminal: Terminal, figures: Figures): void {
  terminal.heading("Faults");
  terminal.table(
    ["kind", "planned", "struck", "blows", "failures"],
    figures.kinds.map(({ kind, planned, struck, blows, failures }) =>
      [kind, planned, struck, blows, failures].map(String),
    ),
  );
  terminal.heading("Stages");
  terminal.table(
    ["stage", "faults that struck", "blows"],
    figures.stages.map(({ stage, struck, blows }) => [stage, String(struck), String(blows)]),
  );
  terminal.line();
  terminal.field(
    "Scenarios",
    `${counted(figures.scenarios, "scenario")}, ${figures.replaced} more replaced, for none of their faults struck; ` +
      `${counted(figures.runs, "run")} of functions, of which ${figures.failed} failed; ${counted(figures.batches, "batch", "batches")}; ` +
      `${seconds(figures.seconds * 1000)}`,
  );
  terminal.field(
    "Failures",
    figures.failures.length === 0
      ? "none: nothing lost, doubled or wrong"
      : figures.failures.map(({ seed }) => seed).join(", "),
  );
}
