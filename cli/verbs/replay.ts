// A batch, done again now.
import { functionsOf, replay as again } from "../../src/operations/acts.ts";
import { command } from "../../src/operations/verdict.ts";
import { listed, whole } from "../../src/words.ts";
import { batchNumber } from "../options.ts";
import { placesOf } from "../places.ts";
import { defineVerb, stageOptions } from "../verb.ts";

export const replay = defineVerb({
  command: "replay <number>",
  describe: "has transformation and loading do a batch now, as its event would",
  about:
    "What is done already stays as it is, so that it harms nothing. Exit code 1 where the batch is not in the warehouse afterwards.",
  examples: [["replay 42", "once the cause of its failure is mended"]],
  build: (args) =>
    stageOptions(args).positional("number", {
      type: "string",
      demandOption: true,
      describe: "of the batch",
      coerce: (text: string) => batchNumber("number", text),
    }),
  run: async ({ number, ...stage }, { terminal, answer }) => {
    const places = await placesOf(stage);
    const done = await terminal.working(`Doing batch ${whole(number)}`, () =>
      again(places, functionsOf(places.stage), number),
    );
    answer(done);
    terminal.line(`  transformation: ${done.transformation}`);
    terminal.line(
      done.loaded.length > 0
        ? `  loaded now: batch ${listed(done.loaded.map(whole))}`
        : "  nothing was to be loaded",
    );
    if (done.isLoaded) terminal.line(`  batch ${whole(number)} is in the warehouse`);
    else if (done.leftOut !== undefined)
      terminal.alarm(
        `batch ${whole(number)} was left out of the warehouse, for good: ${done.leftOut}. \`${command(places, "reconcile --repair")}\` names its rows that are missing and has them read again.`,
      );
    else
      terminal.alarm(
        `batch ${whole(number)} is not in the warehouse yet: another loader is at work, or a batch before it stops the line. \`${command(places, "status")}\` says which.`,
      );
    return done.isLoaded ? 0 : 1;
  },
});
