// What the schedule does every ten minutes, now, and until it is in the warehouse.
import { sum } from "../../src/observe.ts";
import { command } from "../../src/operations/verdict.ts";
import { getSettings } from "../../src/settings.ts";
import { wholeNumber } from "../options.ts";
import { FunctionFailed, Run, RunTimeout } from "../run/run.ts";
import { useStage } from "../stage.ts";
import { counted, listed, seconds, whole } from "../terminal.ts";
import { defineVerb, stageOptions, type Say } from "../verb.ts";

const TIMEOUT = 600;

async function perform(
  run: Run,
  { terminal, answer }: Say,
  typed: (line: string) => string,
): Promise<number> {
  const startedAt = performance.now();
  const read = await terminal.working("ingestion reads what changed in the shop", (now) =>
    run.ingest((batch) => now(`ingestion goes on after batch ${whole(batch)}`)),
  );
  const { batch, batches, rows } = read;
  if (batches === 0 && batch === 0) {
    answer({ outcome: "nothing changed", batch });
    terminal.line("  Nothing to read: the shop is empty.");
    return 0;
  }
  const wasLoaded =
    batches === 0 &&
    (await terminal.working("loading looks what is due", () => run.wasLoaded(batch)));
  if (wasLoaded) {
    const leftOut = await run.whyLeftOut(batch);
    answer({ outcome: "nothing changed", batch, ...(leftOut === undefined ? {} : { leftOut }) });
    const state = leftOut === undefined ? "in the warehouse" : `left out of it: ${leftOut}`;
    terminal.paragraph(`Nothing changed: batch ${whole(batch)} is the newest, and ${state}.`);
    return 0;
  }
  const which =
    batches > 1
      ? `batches ${whole(batch - batches + 1)} to ${whole(batch)}`
      : `batch ${whole(batch)}`;
  terminal.field(
    "Ingestion",
    batches === 0
      ? `nothing new; ${which} was not in the warehouse yet`
      : `${which}: ${counted(sum(rows), "row")} of ${counted(Object.keys(rows).length, "table")} read`,
  );
  const waiting = { batch, batches: Math.max(1, batches) };
  const made = await terminal.working(`transformation makes star rows of ${which}`, () =>
    run.transform(waiting),
  );
  terminal.field("Star rows", `${whole(made)} made`);
  const loaded = await terminal.working(`loading merges ${which} into the warehouse`, () =>
    run.load(waiting),
  );
  const changed = Object.entries(loaded.changed)
    .sort(([, a], [, b]) => b - a)
    .map(([table, count]) => `${table} ${whole(count)}`);
  terminal.field(
    "Warehouse",
    changed.length > 0 ? `new or changed: ${listed(changed)}` : "no row is new or changed",
  );
  if (loaded.rejected > 0)
    terminal.alarm(
      `${counted(loaded.rejected, "row")} did not fit and went to quarantine: \`${typed("quarantine")}\` says why.`,
    );
  const took = performance.now() - startedAt;
  terminal.line();
  terminal.line(`  In the warehouse after ${seconds(took)}.`);
  answer({
    outcome: "loaded",
    ...waiting,
    read: rows,
    made,
    ...loaded,
    seconds: Math.round(took) / 1000,
  });
  return 0;
}

export const run = defineVerb({
  command: "run",
  describe: "ingests, transforms and loads now, and waits until it is in the warehouse",
  about:
    "It does by hand what the schedule does, and gets in nobody's way. " +
    "Exit code: 0 all that the shop has is in the warehouse; 1 a function failed, or it takes too long; 2 it could not be started.",
  examples: [
    ["run", "on the stack that `totes up` started"],
    ["run --stage dev", "on a deployed one"],
    ["run --json", "what came of it, for programs"],
  ],
  stopped: "what ingestion read goes on to the warehouse by itself",
  build: (args) =>
    stageOptions(args).option("timeout", {
      type: "string",
      default: String(TIMEOUT),
      describe: "seconds to wait at most",
      coerce: (text: string) => wholeNumber("timeout", text, 1, 86_400),
    }),
  run: async ({ timeout, ...stage }, say) => {
    await useStage(stage);
    const { PROCESSED_BUCKET } = getSettings("PROCESSED_BUCKET");
    const working = new Run({ stage: stage.stage, processedBucket: PROCESSED_BUCKET }, timeout);
    try {
      return await perform(working, say, (line) => command(stage, line));
    } catch (error) {
      if (!(error instanceof FunctionFailed || error instanceof RunTimeout)) throw error;
      say.answer({ outcome: "failed", error: error.message });
      say.terminal.alarm(`${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}`);
      return 1;
    }
  },
});
