// A question to the lake, answered on this machine.
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Argv } from "yargs";
import { copyLake } from "../../../src/lake-sql/copy.ts";
import { getTables } from "../../../src/registry.ts";
import { getSettings } from "../../../src/settings.ts";
import { ask, openLake } from "../../lake/duckdb.ts";
import { UsageError, wholeNumber } from "../../options.ts";
import { counted, whole } from "../../terminal.ts";
import type { Say } from "../../verb.ts";

/** Rows that are shown unless more are asked for. */
const LIMIT = 100;
const COPIES = path.join(import.meta.dirname, "..", "..", "..", ".local", "lake");

export const queryOptions = <T>(args: Argv<T>) =>
  args
    .positional("question", {
      type: "string",
      describe: "query: SQL between quotes, or the file that has it (….sql)",
    })
    .option("limit", {
      type: "string",
      describe: `query: rows that are shown (${LIMIT} unless said otherwise)`,
      coerce: (text: string) => wholeNumber("limit", text, 1, 1_000_000),
    });

export interface QueryAsked {
  readonly question: string | undefined;
  readonly asOf: number | undefined;
  readonly limit: number | undefined;
}

/**
 * @param useStage has the environment name the stage's bucket
 * @returns the exit code: 1 where the answer is older than what was loaded
 */
export async function query(
  { question, asOf, limit = LIMIT }: QueryAsked,
  useStage: () => Promise<void>,
  { terminal, answer, isJson }: Say,
): Promise<number> {
  if (question === undefined)
    throw new UsageError('say what to ask: totes lake query "select …", or a file that has it');
  const sql = question.endsWith(".sql") ? await textOf(question) : question;
  await useStage();
  const { PROCESSED_BUCKET: bucket } = getSettings("PROCESSED_BUCKET");
  const folder = path.join(COPIES, bucket);
  const tables = await getTables();
  const { columns, rows, isMore, newest, why, isDamaged } = await terminal.working(
    "Reading the lake",
    async (now) => {
      const { newest, ...rest } = await copyLake(bucket, folder, asOf);
      now("Asking");
      const duckdb = await openLake(tables, { lake: folder, asOf: asOf ?? newest });
      try {
        return { ...(await ask(duckdb, sql, limit)), newest, ...rest };
      } finally {
        duckdb.closeSync();
      }
    },
  );
  answer(rows);
  if (!isJson) {
    terminal.line();
    terminal.table(
      columns,
      rows.map((row) => columns.map((column) => shown(row[column]))),
    );
    terminal.line();
  }
  terminal.line(
    isMore
      ? `  the first ${whole(limit)} rows; --limit shows more`
      : `  ${counted(rows.length, "row")}`,
  );
  if (asOf !== undefined || why === undefined) return 0;
  terminal.paragraph(`As of batch ${whole(newest)}: ${why}. What follows it waits for that.`);
  return isDamaged ? 1 : 0;
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new UsageError(`${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

const shown = (value: unknown): string =>
  typeof value === "string" ? value.replaceAll(/\s+/g, " ") : JSON.stringify(value);
