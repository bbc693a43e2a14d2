/** The warehouse, or the processed bucket, made again as the command line asks, and whether they are the same. */
import { S3Error } from "../../src/aws/s3.ts";
import { Compacted } from "../../src/compaction/compacted.ts";
import { listBatches } from "../../src/lake/manifest.ts";
import type { Receipt } from "../../src/lake/receipts.ts";
import { codecNamed } from "../../src/parquet/codec.ts";
import { connectWith, LEDGER, type Connection } from "../../src/postgres/connection.ts";
import { compareAtSameBatch } from "../../src/rebuild/at-same-batch.ts";
import { compareProcessed, type BatchDifference } from "../../src/rebuild/compare-processed.ts";
import { checkShape, type RowDifference } from "../../src/rebuild/compare-warehouses.ts";
import { noBatch, RebuildError } from "../../src/rebuild/error.ts";
import { claim } from "../../src/rebuild/place.ts";
import { fanOut, type FanOut } from "../../src/rebuild/fan-out.ts";
import type { Progress } from "../../src/progress.ts";
import {
  ingestedBatches,
  modulesOf,
  rebuildProcessed,
  type BatchRange,
} from "../../src/rebuild/processed.ts";
import { readReceipts } from "../../src/rebuild/receipts.ts";
import { verify } from "../../src/rebuild/verify.ts";
import { loadAgain, newestLoaded, type ProcessedLake } from "../../src/rebuild/warehouse.ts";
import { getTables } from "../../src/registry.ts";
import { getSettings } from "../../src/settings.ts";
import { UsageError } from "../options.ts";
import { counted, seconds, whole, type Terminal } from "../terminal.ts";
import { Differences, isWhole, tellDifferences, tellSkipped, tellVerified } from "./tell.ts";

/** What is made again, and whether it is compared. */
export interface RebuildOptions {
  /** Where the warehouse is made again; undefined where it is not. */
  readonly warehouse?: {
    readonly schema?: string | undefined;
    readonly secret?: string | undefined;
    readonly replace: boolean;
  };
  /** Which batches; a warehouse has all from the first on. */
  readonly range: BatchRange;
  /** The bucket that is filled from the ingestion bucket; undefined where none is. */
  readonly processed?: string | undefined;
  /** By what of the stage that bucket is filled; undefined where it is filled from here. */
  readonly fanOut?: FanOut | undefined;
  readonly verify: boolean;
  readonly compare: boolean;
}

type Answer = Readonly<Record<string, unknown>>;
interface Outcome {
  readonly isSame: boolean;
  readonly answer: Answer;
}

/** What a rebuild works with. */
interface Work {
  readonly options: RebuildOptions;
  readonly terminal: Terminal;
  readonly progress: Progress;
  readonly ingestion: string;
  readonly live: string;
  readonly warehouseSecret: string;
  readonly lake: Omit<ProcessedLake, "bucket">;
}

/**
 * Does what is asked for, and tells it; the environment names the pipeline's buckets and secrets.
 * @throws UsageError where a bucket of the pipeline is to be filled; RebuildError and whatever reading and loading throw
 */
export async function rebuildAsked(options: RebuildOptions, terminal: Terminal): Promise<Outcome> {
  const settings = getSettings(
    "INGESTION_BUCKET",
    "PROCESSED_BUCKET",
    "WAREHOUSE_SECRET",
    "PARQUET_CODEC",
  );
  const { INGESTION_BUCKET: ingestion, PROCESSED_BUCKET: live } = settings;
  const codec = await codecNamed(settings.PARQUET_CODEC);
  const progress: Progress = (...of) => terminal.progress(...of);
  if (options.verify) {
    const verified = await verify({ ingestion, processed: live }, codec, progress);
    tellVerified(verified, terminal);
    return { isSame: isWhole(verified), answer: { verified } };
  }
  if (options.processed === live || options.processed === ingestion)
    throw new UsageError(`${options.processed} is the pipeline's own: name an empty bucket`);
  const work: Work = {
    options,
    terminal,
    progress,
    ingestion,
    live,
    warehouseSecret: settings.WAREHOUSE_SECRET,
    lake: {
      tables: await getTables(),
      codec,
      receipts: await receiptsOf(live, options.compare),
    },
  };
  const outcomes: Outcome[] = [];
  if (options.processed !== undefined)
    outcomes.push(await remakeProcessed(work, options.processed));
  if (options.warehouse)
    outcomes.push(await remakeWarehouse(work, options.processed ?? live, options.warehouse));
  return {
    isSame: outcomes.every(({ isSame }) => isSame),
    answer: Object.assign({}, ...outcomes.map(({ answer }) => answer)) as Answer,
  };
}

/** A bucket that is lost has no receipts; whoever compares wants it to be there. */
async function receiptsOf(bucket: string, compare: boolean): Promise<ReadonlyMap<number, Receipt>> {
  try {
    return await readReceipts(bucket);
  } catch (error) {
    const isLost = error instanceof S3Error && (error.cause as Error).name === "NoSuchBucket";
    if (compare || !isLost) throw error;
    return new Map();
  }
}

async function remakeProcessed(
  { options, terminal, ingestion, live, lake }: Work,
  bucket: string,
): Promise<Outcome> {
  terminal.heading(`The processed bucket again, in s3://${bucket}`);
  const started = performance.now();
  const { range } = options;
  const batches = await ingestedBatches(ingestion, range);
  const total = batches.length;
  const make = options.fanOut && fanOut(options.fanOut, modulesOf(lake.tables));
  const made = await terminal.progress(total, "batches", (done) =>
    rebuildProcessed(
      { ...lake, buckets: { ingestion, processed: bucket } },
      { batches, done, make },
    ),
  );
  const before = made.before > 0 ? `, ${whole(made.before)} of them by an earlier try` : "";
  terminal.field(
    "Made",
    `${counted(total - made.skipped.length, "batch", "batches")}${before}, in ${seconds(performance.now() - started)}`,
  );
  tellSkipped(made.skipped, terminal);
  if (!options.compare) return { isSame: true, answer: { processed: { bucket, ...made } } };

  const differences = new Differences<BatchDifference>();
  const compared = await terminal.progress(total, "batches compared", (done) =>
    compareProcessed(
      { rebuilt: bucket, live, ...range },
      lake.tables,
      lake.codec,
      differences.add,
      done,
    ),
  );
  const rows = Object.values(compared.rows).reduce((sum, count) => sum + count, 0);
  terminal.field(
    "Compared",
    `${counted(compared.batches, "batch", "batches")} with s3://${live}, ${counted(rows, "row")}`,
  );
  for (const [table, batches] of Object.entries(compared.earlier))
    terminal.field(
      "Not compared",
      `${table} of ${counted(batches, "batch", "batches")}: made by an earlier module, it may rightly differ`,
    );
  const isAll = Object.keys(compared.earlier).length === 0;
  tellDifferences(differences, terminal, isAll ? "The same" : "What was compared is the same");
  return {
    isSame: differences.count === 0,
    answer: {
      processed: {
        bucket,
        ...made,
        compared,
        differences: differences.count,
        first: differences.first,
      },
    },
  };
}

async function remakeWarehouse(
  { options, terminal, progress, live: receipts, warehouseSecret, lake: made }: Work,
  bucket: string,
  { schema, secret, replace }: NonNullable<RebuildOptions["warehouse"]>,
): Promise<Outcome> {
  const { to } = options.range;
  const lake = { ...made, bucket, compacted: new Compacted(bucket, made.codec) };
  const compare = options.compare && to === undefined;
  const open: Connection[] = [];
  const connect = async (to: string): Promise<Connection> => {
    const connection = await connectWith(to);
    open.push(connection);
    return connection;
  };
  try {
    const live = compare ? await connect(warehouseSecret) : undefined;
    const there = await connect(secret ?? warehouseSecret);
    const rebuilt: Connection = {
      ...there,
      schema: schema ?? there.schema,
      ledger: schema === undefined ? LEDGER : `${schema}_etl`,
    };
    if (live) await checkShape(live, made.tables);
    // A bucket that was just made has all that was asked for, but for batches that were skipped.
    if (to !== undefined && options.processed === undefined) await checkThere(bucket, to);
    const last = to ?? (await lastOf(bucket, live));
    terminal.heading(`The warehouse again, in schema ${rebuilt.schema}, from s3://${bucket}`);
    await claim(rebuilt, lake, replace);
    const started = performance.now();
    const begin = await newestLoaded(rebuilt);
    const skipped = await terminal.progress(last, "batches", (done) =>
      loadAgain(rebuilt, lake, last, done),
    );
    const before = begin > 0 ? `, ${whole(begin)} of them by an earlier try` : "";
    terminal.field(
      "Loaded",
      `up to batch ${whole(last)}${before}, in ${seconds(performance.now() - started)}`,
    );
    const compacted = lake.compacted.read.size;
    if (compacted > 0)
      terminal.field(
        "Compacted",
        `${counted(compacted, "batch", "batches")} read from compactions: their own objects are gone`,
      );
    tellSkipped(skipped, terminal);
    const answer = { schema: rebuilt.schema, ledger: rebuilt.ledger, skipped, compacted };
    if (to !== undefined)
      terminal.field("Compared", "with nothing: the warehouse is at its newest batch alone");
    if (!live) return { isSame: true, answer: { warehouse: { batch: last, ...answer } } };

    const differences = new Differences<RowDifference>();
    const compared = await compareAtSameBatch(
      rebuilt,
      live,
      lake,
      receipts,
      differences.add,
      progress,
    );
    terminal.field(
      "Compared",
      `with schema ${live.schema} of the warehouse, at batch ${compared.batch}`,
    );
    terminal.line();
    terminal.table(
      ["table", "rows", "differing"],
      lake.tables.map(({ name }) => [
        name,
        whole(compared.rows[name]!),
        whole(compared.differing[name] ?? 0),
      ]),
    );
    tellDifferences(differences, terminal);
    return {
      isSame: differences.count === 0,
      answer: {
        warehouse: {
          ...answer,
          ...compared,
          differences: differences.count,
          first: differences.first,
        },
      },
    };
  } finally {
    for (const connection of open) await connection.close();
  }
}

/** What is rebuilt where nobody says up to where: as much as the live warehouse has; all, where it is not asked. */
async function lastOf(bucket: string, live: Connection | undefined): Promise<number> {
  const last = live ? await newestLoaded(live) : await newestOf(bucket);
  if (last > 0) return last;
  throw new RebuildError(
    live
      ? `the warehouse has loaded no batch yet: there is nothing to compare with (--no-compare)`
      : `${bucket} has no batch yet`,
  );
}

async function checkThere(bucket: string, batch: number): Promise<void> {
  const newest = await newestOf(bucket);
  if (batch > newest) throw noBatch(batch, bucket, newest);
}

const newestOf = async (bucket: string): Promise<number> =>
  (await listBatches(bucket, 0)).at(-1) ?? 0;
