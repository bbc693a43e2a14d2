// A way past a batch that can never be loaded.
import { checkSkippable, functionsOf, skip as leaveOut } from "../../src/operations/acts.ts";
import { command } from "../../src/operations/verdict.ts";
import { counted, whole } from "../../src/words.ts";
import { isAgreed } from "../agreed.ts";
import { batchNumber, UsageError } from "../options.ts";
import { placesOf } from "../places.ts";
import { defineVerb, stageOptions } from "../verb.ts";

export const skip = defineVerb({
  command: "skip <number>",
  describe: "leaves out, for good, a batch that can never be loaded, and lets those behind it on",
  about:
    "A last resort: its rows are missing from the warehouse until they are read again. It is recorded with the reason, in etl.batch_load and in the batch's receipt.",
  examples: [
    ["skip 42 --why ticket-318", "after asking"],
    ['skip 42 --why "…" --yes', "without"],
  ],
  build: (args) =>
    stageOptions(args)
      .positional("number", {
        type: "string",
        demandOption: true,
        describe: "of the batch, which is the next to be loaded",
        coerce: (text: string) => batchNumber("number", text),
      })
      .option("why", {
        type: "string",
        demandOption: true,
        describe: "the reason, for whoever asks later",
      })
      .option("yes", { type: "boolean", default: false, describe: "do not ask" })
      .check(({ why }) => {
        if (why.trim() === "") throw new UsageError("say why: --why TEXT");
        return true;
      }),
  run: async ({ number, why, yes, ...stage }, { terminal, answer, isAnswered }) => {
    if (!yes && !isAnswered)
      throw new UsageError("skip asks before it does: add --yes where nobody can answer");
    const places = await placesOf(stage);
    await checkSkippable(places, number);
    if (!yes && !(await isAgreed(`Leave batch ${whole(number)} out of the warehouse, for good?`))) {
      answer({ batch: number, outcome: "nothing was done" });
      terminal.line("  Nothing was done.");
      return 1;
    }
    const done = await terminal.working("Leaving it out", () =>
      leaveOut(places, functionsOf(places.stage), { batch: number, why }),
    );
    answer(done);
    terminal.line(
      `  batch ${whole(number)} is left out; ${counted(done.loaded.length, "batch", "batches")} behind it loaded`,
    );
    terminal.paragraph(
      `Its rows are missing now. \`${command(places, "reconcile --repair")}\` names them and has them read again.`,
    );
    return 0;
  },
});
