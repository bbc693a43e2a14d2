// The lake itself: what it is made of, and what becomes of it in the long run.
import { useStage } from "../stage.ts";
import { defineVerb, stageOptions } from "../verb.ts";
import { compact, compactOptions } from "./lake/compact.ts";
import { retire } from "./lake/retire.ts";

const ACTS = { compact, retire } as const;

export const lake = defineVerb({
  command: "lake <action>",
  describe: "compacts the lake: many small objects as few; lets go of the small ones",
  about:
    "compact: the rows of many batches go into few objects, as a new committed set beside the old ones. Nothing is deleted, and whoever reads, reads either. " +
    "retire: holds all compactions against the batches that they stand for, and then marks those batches' objects (tag compacted=true) for the lifecycle rule that a stage has with compactedDays. docs/compaction.md says more.",
  examples: [
    ["lake compact --dry-run", "what there is to compact"],
    ["lake compact", "all batches but those of about the last day"],
    ["lake compact --to 3000", "up to batch 3,000"],
    ["lake retire", "lets go of the objects that compactions stand for"],
  ],
  stopped:
    "what was committed or marked stands; nothing of a compaction under way is in any manifest",
  build: (args) =>
    compactOptions(
      stageOptions(args).positional("action", {
        choices: Object.keys(ACTS) as (keyof typeof ACTS)[],
        demandOption: true,
        describe: "what to do",
      }),
    ),
  run: async ({ action, to, keep, dryRun, ...stage }, say) => {
    await useStage(stage);
    return ACTS[action]({ to, keep, dryRun }, say);
  },
});
