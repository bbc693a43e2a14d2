// Asks the lake a question in SQL: DuckDB over the Parquet files that the manifests name, no warehouse needed.
import { DuckDBInstance, type DuckDBConnection } from "@duckdb/node-api";
import { access, mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { Terminal } from "../cli/terminal.ts";
import { getObject } from "../src/aws/s3.ts";
import { manifestKey } from "../src/lake/keys.ts";
import { listBatches, readProcessedManifest, sha256 } from "../src/lake/manifest.ts";
import { literal } from "../src/postgres/sql.ts";
import { getSettings } from "../src/settings.ts";

const ROOT = path.join(import.meta.dirname, "..");
const VIEWS = path.join(ROOT, "docs", "analytics", "lake.sql");

/**
 * Copies what the manifests of a processed bucket name, and the manifests, into a folder. What is there already is left as it
 * is: nothing in the lake is ever overwritten. Gives how many objects came.
 * @throws Error where an object is missing, or not what its manifest says
 */
export async function copyLake(bucket: string, folder: string): Promise<number> {
  let copied = 0;
  for (const batch of await listBatches(bucket, 0)) {
    const manifest = path.join(folder, manifestKey(batch));
    if (await isThere(manifest)) continue;
    const found = await readProcessedManifest(bucket, batch);
    for (const { key, bytes, sha256: expected } of found!.manifest.objects) {
      const body = await getObject(bucket, key, bytes);
      if (body === undefined || sha256(body) !== expected)
        throw new Error(
          `s3://${bucket}/${key} is missing, or not what the manifest of batch ${batch} says`,
        );
      await put(path.join(folder, key), body);
      copied++;
    }
    // Last, as in the bucket: what it names is there.
    await put(manifest, JSON.stringify(found!.manifest));
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

async function main([question, ...more]: readonly string[]): Promise<number> {
  if (question === undefined || question === "--help") {
    console.log(HELP);
    return 0;
  }
  if (more.length > 0) {
    console.error(`One question at a time: put it between quotes.\n\n${HELP}`);
    return 2;
  }
  const { PROCESSED_BUCKET } = getSettings("PROCESSED_BUCKET");
  const folder = path.join(ROOT, ".local", "lake", PROCESSED_BUCKET);
  await copyLake(PROCESSED_BUCKET, folder);
  const duckdb = await openLake(folder);
  const sql = question.endsWith(".sql") ? await readFile(question, "utf8") : question;
  const { columns, rows } = await ask(duckdb, sql);
  new Terminal(process.stdout).table(
    columns,
    rows.map((row) => row.map((value) => value ?? "null")),
  );
  return 0;
}

if (process.argv[1] === import.meta.filename) process.exitCode = await main(process.argv.slice(2));
