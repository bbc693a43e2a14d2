// The lake itself: what it is made of, and what becomes of it in the long run.
import { useStage } from "../stage.ts";
import { defineVerb, stageOptions } from "../verb.ts";
import { compact, compactOptions } from "./lake/compact.ts";

const ACTS = { compact } as const;

export const lake = defineVerb({
  command: "lake <action>",
  describe: "compacts the lake: many small objects as few",
  about:
    "compact: the rows of many batches go into few objects, as a new committed set beside the old ones. Nothing is deleted, and whoever reads, reads either. docs/compaction.md says more.",
  examples: [
    ["lake compact --dry-run", "what there is to compact"],
    ["lake compact", "all batches but those of about the last day"],
    ["lake compact --to 3000", "up to batch 3,000"],
  ],
  stopped: "compactions that were committed stand; nothing of the one under way is in any manifest",
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
