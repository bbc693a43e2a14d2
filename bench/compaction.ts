// What `npm run bench:compaction` calls: what many small objects cost DuckDB, before and after they are compacted.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { DuckDBInstance, type DuckDBConnection } from "@duckdb/node-api";
import { command } from "../cli/command.ts";
import { parseOptions, wholeNumber } from "../cli/options.ts";
import { counted, seconds, whole, type Terminal } from "../cli/terminal.ts";
import { onStack } from "../localstack/demo/on-stack.ts";
import type { Stack } from "../localstack/stack.ts";
import { eachOf } from "../src/at-once.ts";
import { getObject, listKeys } from "../src/aws/s3.ts";
import { compact } from "../src/compaction/compact.ts";
import { readCompaction } from "../src/lake/compactions.ts";
import { codecNamed } from "../src/parquet/codec.ts";
import { getTables } from "../src/registry.ts";
import { size } from "../src/words.ts";
import { median } from "./figures.ts";
import { fillWithBatches } from "./small-objects.ts";

const BATCHES = 3_000;
const ROUNDS = 5;
const TABLE = "fact_sales_order";

const HELP = `Measures DuckDB over many one-row batches of a table, before and after they are compacted.

  npm run bench:compaction                       ${BATCHES.toLocaleString("en-GB")} batches, ${ROUNDS} rounds

  --batches N   2 to 100,000 (default ${BATCHES})
  --rows N      of each batch, 1 to 100,000 (default 1)
  --rounds K    how often each is measured, 1 to 99 (default ${ROUNDS})
  --help        this text

Both are asked in each round, one after the other; shown are medians.`;

interface Options {
  readonly batches: number;
  readonly rows: number;
  readonly rounds: number;
}

process.exitCode = await command(read, HELP, (options) =>
  onStack(
    {
      title: "TotalTotes: many small objects, and few",
      port: 0,
      inUse: () => "by somebody else.",
      logFile: path.join(import.meta.dirname, "..", ".local", "bench.log"),
    },
    (terminal, stack) => bench(options, terminal, stack),
  ),
);

function read(args: readonly string[]): Options | undefined {
  const values = parseOptions(args, {
    batches: { type: "string", default: String(BATCHES) },
    rows: { type: "string", default: "1" },
    rounds: { type: "string", default: String(ROUNDS) },
    help: { type: "boolean", default: false },
  });
  if (values.help) return undefined;
  return {
    batches: wholeNumber("batches", values.batches, 2, 100_000),
    rows: wholeNumber("rows", values.rows, 1, 100_000),
    rounds: wholeNumber("rounds", values.rounds, 1, 99),
  };
}

async function bench(
  { batches, rows, rounds }: Options,
  terminal: Terminal,
  { env }: Stack,
): Promise<number> {
  Object.assign(process.env, env);
  const { PROCESSED_BUCKET: bucket } = env;
  const codec = await codecNamed();
  const table = (await getTables()).find(({ name }) => name === TABLE)!;
  await terminal.working(`Making ${whole(batches)} batches`, () =>
    fillWithBatches(bucket, table, codec, { batches, rows }),
  );
  const own = await listKeys(bucket, `${TABLE}/`, "");
  const compactions = await compact(bucket, codec, {
    keep: 0,
    least: 2,
    progress: (...of) => terminal.progress(...of),
  });
  const few: string[] = [];
  for (const { to } of compactions)
    few.push(...(await readCompaction(bucket, to)).manifest.objects.map(({ key }) => key));
  const folder = await mkdtemp(path.join(tmpdir(), "totes-compaction-"));
  const duckdb = await (await DuckDBInstance.create()).connect();
  try {
    await terminal.working("Copying", () =>
      eachOf([...own, ...few], 16, (key) => copy(bucket, key, folder)),
    );
    const sides = [
      { name: "the batches' own objects", keys: own },
      { name: "the compacted", keys: few },
    ].map((side) => ({ ...side, files: side.keys.map((key) => path.join(folder, key)) }));
    const times = sides.map((): number[] => []);
    const answers = sides.map((): string[] => []);
    for (let round = 0; round < rounds; round++)
      for (const [i, { files }] of sides.entries()) {
        const started = performance.now();
        answers[i]!.push(await ask(duckdb, files));
        times[i]!.push(performance.now() - started);
      }
    if (new Set(answers.flat()).size !== 1) throw new Error("they do not answer the same");
    const took = compactions.reduce((sum, one) => sum + one.seconds, 0);
    terminal.heading(`${counted(batches, "batch", "batches")} of ${counted(rows, "row")}`);
    terminal.table(
      ["", "objects", "bytes", "DuckDB"],
      sides.map(({ name, keys }, i) => [
        name,
        whole(keys.length),
        size(compactions.reduce((sum, { before, after }) => sum + [before, after!][i]!.bytes, 0)),
        `${median(times[i]!).toFixed(0)} ms`,
      ]),
    );
    terminal.field("compacted in", seconds(took * 1000));
    return 0;
  } finally {
    duckdb.closeSync();
    await rm(folder, { recursive: true });
  }
}

async function copy(bucket: string, key: string, folder: string): Promise<void> {
  const file = path.join(folder, key);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, (await getObject(bucket, key, 1 << 30))!);
}

/** The newest version of each order, summed up: every row is read. */
async function ask(duckdb: DuckDBConnection, files: readonly string[]): Promise<string> {
  const list = files.map((file) => `'${file}'`).join(", ");
  const reader = await duckdb.runAndReadAll(
    `select count(*), sum(units_sold) from (
       select distinct on (sales_order_id) * from read_parquet([${list}]) order by sales_order_id, _batch desc)`,
  );
  return JSON.stringify(reader.getRowsJson());
}
