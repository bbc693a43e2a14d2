// The lake itself: what other engines make of it.
import { UsageError } from "../options.ts";
import { useStage } from "../stage.ts";
import { defineVerb, stageOptions } from "../verb.ts";
import { query, queryOptions } from "./lake/query.ts";
import { sql, sqlOptions } from "./lake/sql.ts";

const ACTS = { sql, query } as const;

export const lake = defineVerb({
  command: "lake <action> [question]",
  describe: "the star's tables over the lake's files: for other engines, and asked here",
  about:
    'sql: prints views for DuckDB, Spark, Athena or ClickHouse, with the rows of the warehouse, now or after any batch. query: asks a copy of the lake by DuckDB, as in totes lake query "select count(*) from fact_payment". docs/lake.md says more.',
  examples: [
    ["lake sql --dialect duckdb", "views over the stage's processed bucket"],
    ["lake sql --dialect spark --lake s3a://my-bucket", "… over another, for Spark"],
    ["lake sql --dialect athena --as-of 41", "the tables as they were after batch 41"],
    ["lake query docs/analytics/best-designs.sql", "a question of docs/analytics"],
    ["lake query docs/analytics/how-fresh.sql --json", "… for a program"],
  ],
  build: (args) =>
    queryOptions(
      sqlOptions(
        stageOptions(args).positional("action", {
          choices: Object.keys(ACTS) as (keyof typeof ACTS)[],
          demandOption: true,
          describe: "what to do",
        }),
      ),
    ).check(({ action, question }) => {
      if (action !== "query" && question !== undefined)
        throw new UsageError(`"${question}" is a word too many`);
      return true;
    }),
  run: ({ action, stage, region, ...asked }, say) =>
    ACTS[action](asked, () => useStage({ stage, region }), say),
});
