// The lake itself: what other engines make of it, and what becomes of it in the long run.
import { listed } from "../../src/words.ts";
import { UsageError } from "../options.ts";
import { useStage } from "../stage.ts";
import { defineVerb, stageOptions, type Say } from "../verb.ts";
import { compact, compactOptions, type CompactAsked } from "./lake/compact.ts";
import { query, queryOptions, type QueryAsked } from "./lake/query.ts";
import { retire } from "./lake/retire.ts";
import { sql, sqlOptions, type SqlAsked } from "./lake/sql.ts";

type Asked = SqlAsked & QueryAsked & CompactAsked;

/** @param open has the environment name the stage's bucket */
type Act = (asked: Asked, open: () => Promise<void>, say: Say) => Promise<number>;

/** An act that needs the stage, whatever is asked. */
const onStage =
  (act: (asked: Asked, say: Say) => Promise<number>): Act =>
  async (asked, open, say) => {
    await open();
    return act(asked, say);
  };

const ACTS = {
  sql,
  query,
  compact: onStage(compact),
  retire: onStage(retire),
} as const satisfies Readonly<Record<string, Act>>;

/** The options that some acts have, and what each of these takes. */
const TAKES: Readonly<Record<string, readonly (keyof typeof ACTS)[]>> = {
  question: ["query"],
  dialect: ["sql"],
  lake: ["sql"],
  "as-of": ["sql", "query"],
  limit: ["query"],
  to: ["compact"],
  keep: ["compact"],
  "dry-run": ["compact", "retire"],
};

export const lake = defineVerb({
  command: "lake <action> [question]",
  describe: "the star's tables over the lake's files, for other engines; many small files as few",
  about:
    'sql: prints views for DuckDB, Spark, Athena or ClickHouse, with the rows of the warehouse, now or after any batch. query: asks a copy of the lake by DuckDB, as in totes lake query "select count(*) from fact_payment". Exit code 1: a manifest is gone, and the answer is as of the batch before. docs/lake.md says more.\n\n' +
    "compact: the rows of many batches go into few objects, as a new committed set beside the old ones. Nothing is deleted, and whoever reads, reads either. " +
    "retire: holds all compactions against the batches that they stand for, and then marks those batches' objects (tag compacted=true) for the lifecycle rule that a stage has with compactedDays. docs/compaction.md says more.",
  examples: [
    ["lake sql --dialect duckdb", "views over the stage's processed bucket"],
    ["lake sql --dialect spark --lake s3a://my-bucket", "… over another, for Spark"],
    ["lake sql --dialect athena --as-of 41", "the tables as they were after batch 41"],
    ["lake query docs/analytics/best-designs.sql", "a question of docs/analytics"],
    ["lake query docs/analytics/how-fresh.sql --json", "… for a program"],
    ["lake compact --dry-run", "what there is to compact"],
    ["lake compact", "all batches but those of about the last day"],
    ["lake retire", "lets go of the objects that compactions stand for"],
  ],
  stopped:
    "what was copied, committed or marked stands, and the same command goes on with it; nothing of a compaction under way is in any manifest",
  build: (args) =>
    compactOptions(
      queryOptions(
        sqlOptions(
          stageOptions(args).positional("action", {
            choices: Object.keys(ACTS) as (keyof typeof ACTS)[],
            demandOption: true,
            describe: "what to do",
          }),
        ),
      ),
    ).check((given) => {
      const { action, question } = given;
      if (action !== "query" && question !== undefined)
        throw new UsageError(`"${question}" is a word too many`);
      // What would be passed over might be what somebody counts on.
      for (const [option, acts] of Object.entries(TAKES))
        if (given[option] !== undefined && given[option] !== false && !acts.includes(action))
          throw new UsageError(`--${option} is of ${listed(acts)} alone, not of ${action}`);
      return true;
    }),
  run: ({ action, stage, region, ...asked }, say) =>
    ACTS[action](asked, () => useStage({ stage, region }), say),
});
