// Asks the lake a question in SQL: DuckDB over the Parquet files that the manifests name, no warehouse needed.
import { DuckDBInstance, type DuckDBConnection } from "@duckdb/node-api";
import { access, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { command } from "../cli/command.ts";
import { UsageError } from "../cli/options.ts";
import { LOCAL, useStage } from "../cli/stage.ts";
import { Terminal } from "../cli/terminal.ts";
import { getObject } from "../src/aws/s3.ts";
import { BATCHES, manifestKey } from "../src/lake/keys.ts";
import { listBatches, readProcessedManifest, sha256 } from "../src/lake/manifest.ts";
import { literal } from "../src/postgres/sql.ts";
import { getSettings } from "../src/settings.ts";

const ROOT = path.join(import.meta.dirname, "..");
const VIEWS = path.join(ROOT, "docs", "analytics", "lake.sql");

/**
 * Makes a folder a copy of what the manifests of a processed bucket name, and of the manifests. Objects that are there already
 * are not read again: none is ever overwritten. Gives how many came.
 * @throws Error where there is no batch, or an object is missing, or not what its manifest says
 */
export async function copyLake(bucket: string, folder: string): Promise<number> {
  // Of another bucket of that name, say: of a stack that was made anew.
  await rm(path.join(folder, BATCHES), { recursive: true, force: true });
  const batches = await listBatches(bucket, 0);
  if (batches.length === 0)
    throw new Error(`s3://${bucket} has no batch yet: run the pipeline first`);
  let copied = 0;
  for (const batch of batches) {
    const { manifest } = (await readProcessedManifest(bucket, batch))!;
    for (const { key, bytes, sha256: expected } of manifest.objects) {
      const file = path.join(folder, key);
      if (await isThere(file)) continue;
      const body = await getObject(bucket, key, bytes);
      if (body === undefined || sha256(body) !== expected)
        throw new Error(
          `s3://${bucket}/${key} is missing, or not what the manifest of batch ${batch} says`,
        );
      await put(`${file}.part`, body);
      await rename(`${file}.part`, file);
      copied++;
    }
    await put(path.join(folder, manifestKey(batch)), JSON.stringify(manifest));
  }
  return copied;
}

const isThere = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

async function put(file: string, body: Buffer | string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, body);
}

/** DuckDB with the star's tables as views over a lake, a folder or `s3://…`; as of batch `until` where that is given. */
export async function openLake(lake: string, until?: number): Promise<DuckDBConnection> {
  const duckdb = await (await DuckDBInstance.create(":memory:")).connect();
  await duckdb.run(`set variable lake = ${literal(lake)}`);
  if (until !== undefined) await duckdb.run(`set variable until = ${until}`);
  await duckdb.run(await readFile(VIEWS, "utf8"));
  return duckdb;
}

/** A question's column names, and its rows as text. */
export async function ask(
  duckdb: DuckDBConnection,
  sql: string,
): Promise<{ columns: string[]; rows: (string | null)[][] }> {
  const answer = await duckdb.runAndReadAll(sql);
  return {
    columns: answer.columnNames(),
    rows: answer
      .getRows()
      .map((row) => row.map((value) => (value === null ? null : String(value)))),
  };
}

const HELP = `Asks the lake: DuckDB over the Parquet files that the manifests name. No warehouse is asked.

  npm run ask -- docs/analytics/best-designs.sql        a question of docs/analytics/
  npm run ask -- "select count(*) from fact_payment"    one of your own

The processed bucket is PROCESSED_BUCKET, that of the stack on this machine unless said otherwise. What its manifests name is
copied into .local/lake/BUCKET; what is there already is not copied again.`;

/** A question: SQL, or the file that has it; undefined where help is asked for. */
function readQuestion([question, ...more]: readonly string[]): string | undefined {
  if (more.length > 0) throw new UsageError("one question at a time: put it between quotes");
  return question === "--help" ? undefined : question;
}

async function answer(question: string): Promise<number> {
  try {
    const sql = question.endsWith(".sql") ? await readFile(question, "utf8") : question;
    if (!process.env["PROCESSED_BUCKET"]) await useStage({ stage: LOCAL });
    const { PROCESSED_BUCKET } = getSettings("PROCESSED_BUCKET");
    const folder = path.join(ROOT, ".local", "lake", PROCESSED_BUCKET);
    await copyLake(PROCESSED_BUCKET, folder);
    const { columns, rows } = await ask(await openLake(folder), sql);
    new Terminal(process.stdout).table(
      columns,
      rows.map((row) => row.map((value) => value ?? "null")),
    );
    return 0;
  } catch (error) {
    console.error((error as Error).message);
    return 2;
  }
}

if (process.argv[1] === import.meta.filename)
  process.exitCode = await command(readQuestion, HELP, answer);
