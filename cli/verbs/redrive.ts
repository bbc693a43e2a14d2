// Messages that were given up, back to their queues.
import { SQSClient } from "@aws-sdk/client-sqs";
import { isAgreed } from "../agreed.ts";
import { STAGES } from "../../src/operations/places.ts";
import { deadLettersOf, redrive as moveBack } from "../aws/queues.ts";
import { UsageError } from "../options.ts";
import { useStage } from "../stage.ts";
import { counted, listed, whole } from "../terminal.ts";
import { defineVerb, stageOptions } from "../verb.ts";

export const redrive = defineVerb({
  command: "redrive",
  describe: "moves dead letters back to their queues, once what made them fail is mended",
  about:
    "A message is given up after five failures. What it tells of is not lost: the schedule does it too, as soon as it can be done. " +
    "Exit code: 0 nothing is left among the dead letters; 1 somebody said no, or AWS is still at it.",
  examples: [
    ["redrive", "all queues', after asking"],
    ["redrive --queue loading --yes", "one queue's, unasked"],
    ["redrive --stage prod", "of a deployed stage"],
  ],
  stopped: "what was moved is moved",
  build: (args) =>
    stageOptions(args)
      .option("queue", { choices: STAGES, describe: "this one's alone" })
      .option("yes", { type: "boolean", default: false, describe: "do not ask" }),
  run: async ({ queue, yes, ...stage }, { terminal, answer, isAnswered }) => {
    if (!yes && !isAnswered)
      throw new UsageError("it asks before it moves: add --yes where nobody can answer");
    await useStage(stage);
    const sqs = new SQSClient({});
    try {
      const names = queue === undefined ? STAGES : [queue];
      const all = await Promise.all(names.map((name) => deadLettersOf(sqs, stage.stage, name)));
      const dead = all.filter(({ messages }) => messages > 0);
      const moved: Record<string, number | undefined> = {};
      if (dead.length === 0) terminal.line("  There are no dead letters.");
      else {
        const what = dead.map((one) => `${whole(one.messages)} of ${one.queue}`);
        terminal.line(`  Dead letters: ${listed(what)}.`);
        if (!yes && !(await isAgreed("Move them back?"))) {
          answer({ moved: {} });
          terminal.line("  Nothing was done.");
          return 1;
        }
      }
      for (const one of dead) {
        const count = await terminal.working(`the dead letters of ${one.queue} move`, () =>
          moveBack(sqs, one),
        );
        moved[one.queue] = count;
        terminal.line(
          count === undefined
            ? `  AWS goes on moving those of ${one.queue} by itself.`
            : `  ${counted(count, "message")} moved back to ${one.queue}.`,
        );
      }
      answer({
        moved: Object.fromEntries(dead.map(({ queue: name }) => [name, moved[name] ?? null])),
      });
      return Object.values(moved).includes(undefined) ? 1 : 0;
    } finally {
      sqs.destroy();
    }
  },
});
