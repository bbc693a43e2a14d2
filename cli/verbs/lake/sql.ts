// The star's tables as views over the lake, for whoever has an engine.
import path from "node:path";
import type { Argv } from "yargs";
import { DIALECTS, lakeStatements, type DialectName } from "../../../src/lake-sql/lake-sql.ts";
import { getTables } from "../../../src/registry.ts";
import { getSettings } from "../../../src/settings.ts";
import { batchNumber, UsageError } from "../../options.ts";
import type { Say } from "../../verb.ts";

export const sqlOptions = <T>(args: Argv<T>) =>
  args
    .option("dialect", {
      choices: Object.keys(DIALECTS) as DialectName[],
      describe: "sql: the engine to write for",
    })
    .option("lake", {
      type: "string",
      describe:
        "sql: where the processed bucket is, s3://… or a folder; that of the stage unless said otherwise",
    })
    .option("as-of", {
      type: "string",
      describe: "sql, query: the tables as they were after this batch",
      coerce: (text: string) => batchNumber("as-of", text),
    });

export interface SqlAsked {
  readonly dialect: DialectName | undefined;
  readonly lake: string | undefined;
  readonly asOf: number | undefined;
}

/** @param useStage has the environment name the stage's bucket */
export async function sql(
  { dialect, lake, asOf }: SqlAsked,
  useStage: () => Promise<void>,
  { terminal, answer }: Say,
): Promise<number> {
  if (dialect === undefined)
    throw new UsageError(`say for which engine: --dialect ${Object.keys(DIALECTS).join("|")}`);
  const statements = lakeStatements(dialect, await getTables(), {
    lake: lake === undefined ? await bucketOf(useStage) : placeOf(lake),
    asOf,
  });
  answer(statements);
  for (const statement of statements) terminal.line(`${statement};\n`);
  return 0;
}

async function bucketOf(useStage: () => Promise<void>): Promise<string> {
  await useStage();
  return `s3://${getSettings("PROCESSED_BUCKET").PROCESSED_BUCKET}`;
}

/** As engines have it: with its scheme, or from the root. */
const placeOf = (lake: string): string =>
  /^[a-z][a-z0-9+.-]*:\/\/./i.test(lake) ? lake.replace(/\/+$/, "") : path.resolve(lake);
