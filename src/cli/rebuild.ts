// `npm run rebuild`: makes the warehouse, or the processed bucket, again from the lake alone, and says whether they are the same.
import { S3Error } from "../aws/s3.ts";
import { listBatches } from "../lake/manifest.ts";
import type { Receipt } from "../lake/receipts.ts";
import { codecNamed } from "../parquet/codec.ts";
import { connectWith, LEDGER, type Connection } from "../postgres/connection.ts";
import { compareAtSameBatch } from "../rebuild/at-same-batch.ts";
import { compareProcessed, type BatchDifference } from "../rebuild/compare-processed.ts";
import { checkShape, type RowDifference } from "../rebuild/compare-warehouses.ts";
import { RebuildError } from "../rebuild/error.ts";
import { claim } from "../rebuild/place.ts";
import type { Progress } from "../rebuild/progress.ts";
import { ingestedBatches, rebuildProcessed } from "../rebuild/processed.ts";
import { readReceipts } from "../rebuild/receipts.ts";
import { verify, type Verification } from "../rebuild/verify.ts";
import { loadAgain, newestLoaded, type ProcessedLake, type Skipped } from "../rebuild/warehouse.ts";
import { getTables } from "../registry.ts";
import { getSettings } from "../settings.ts";
import { command } from "./command.ts";
import { parseOptions, UsageError, wholeNumber } from "./options.ts";
import { STAGE_ARGUMENTS, STAGE_HELP, useStage } from "./stage.ts";
import { counted, seconds, size, Terminal, whole, type Output } from "./terminal.ts";

export interface RebuildOptions {
  /** Where the warehouse is made again; undefined where it is not. */
  readonly warehouse?: {
    readonly schema?: string | undefined;
    readonly secret?: string | undefined;
    readonly to?: number | undefined;
    readonly replace: boolean;
  };
  /** The bucket that is filled from the ingestion bucket; undefined where none is. */
  readonly processed?: string | undefined;
  readonly verify: boolean;
  readonly compare: boolean;
  readonly json: boolean;
  readonly stage?: string | undefined;
  readonly region?: string | undefined;
}

export const HELP = `Makes the warehouse again from the processed bucket alone, or the processed bucket from the
ingestion bucket alone, and compares what it made with what is there. Nothing that the pipeline
uses is changed.

  npm run rebuild -- --stage dev --schema again             the warehouse, in a new schema
  npm run rebuild -- --stage dev --secret totes/dev/empty   … in an empty database
  npm run rebuild -- --stage dev --schema again --to 41     … as it was after batch 41
  npm run rebuild -- --stage dev --processed my-bucket      the processed bucket
  npm run rebuild -- --stage dev --processed my-bucket --schema again
                                                            both, one from the other
  npm run rebuild -- --stage dev --verify                   is the lake whole?

  --schema NAME    makes the warehouse again in this schema, which must be empty, or not there,
                   or hold what an interrupted rebuild left: that one goes on. It counts its
                   batches in schema NAME_etl
  --secret NAME    makes it again in the database that this secret opens (in the secret's schema,
                   unless --schema says another), and counts in schema etl: a pipeline can go on
                   with it
  --to N           only up to batch N; nothing is compared
  --replace        drops what an earlier rebuild left there, and begins anew
  --processed B    makes the processed bucket again in this bucket, which must be empty, or hold
                   what an interrupted rebuild left
  --no-compare     does not compare what was made with what is there
  --verify         reads every manifest and object of both buckets, and names all that is
                   missing or changed; writes nothing
  --json           the answer as JSON on standard output; what is under way on standard error
${STAGE_HELP}
  --help           this text

The code that is deployed is the one to run it with: a checkout of its commit. AWS credentials
come from where the AWS CLI has them.

Exit code: 0 when what was made is the same, or the lake is whole; 1 when not, with each
difference or problem; 2 for a wrong option, or when it could not be told.`;

/** Differences that are shown, and that an answer in JSON holds; all are counted. */
const SHOWN = 20;
const HELD = 1_000;

/** What PostgreSQL cuts names off at, in bytes. */
const NAME_BYTES = 63;

/** Differences: the first ones themselves, and how many there are. */
class Differences<D> {
  count = 0;
  readonly first: D[] = [];

  readonly add = (difference: D): void => {
    this.count++;
    if (this.first.length < HELD) this.first.push(difference);
  };
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

async function rebuild(options: RebuildOptions, terminal: Terminal): Promise<Outcome> {
  await useStage(options);
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
    return tellVerified(verified, terminal);
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
  const total = (await ingestedBatches(ingestion)).length;
  const made = await terminal.progress(total, "batches", (done) =>
    rebuildProcessed({ ...lake, buckets: { ingestion, processed: bucket } }, done),
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
    compareProcessed({ rebuilt: bucket, live }, lake.tables, lake.codec, differences.add, done),
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
  tellDifferences(differences, terminal);
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
  { schema, secret, to, replace }: NonNullable<RebuildOptions["warehouse"]>,
): Promise<Outcome> {
  const lake = { ...made, bucket };
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
    const last = to === undefined ? await lastOf(bucket, live) : await atMost(bucket, to);
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
    tellSkipped(skipped, terminal);
    const answer = { schema: rebuilt.schema, ledger: rebuilt.ledger, skipped };
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

async function atMost(bucket: string, to: number): Promise<number> {
  const newest = await newestOf(bucket);
  if (to <= newest) return to;
  throw new RebuildError(`there is no batch ${to}: the newest of ${bucket} is ${newest}`);
}

const newestOf = async (bucket: string): Promise<number> =>
  (await listBatches(bucket, 0)).at(-1) ?? 0;

function tellSkipped(skipped: readonly Skipped[], terminal: Terminal): void {
  for (const { batch, why } of skipped)
    terminal.field("Left out", `batch ${batch}, as an operator did: ${why}`);
}

function tellDifferences(
  { count, first }: Pick<Differences<RowDifference | BatchDifference>, "count" | "first">,
  terminal: Terminal,
): void {
  terminal.line();
  if (count === 0) return terminal.paragraph("The same, row for row.");
  terminal.alarm(`${counted(count, "difference")}:`);
  for (const difference of first.slice(0, SHOWN)) terminal.line(`  ${inWords(difference)}`);
  if (count > SHOWN)
    terminal.paragraph(`and ${whole(count - SHOWN)} more; --json gives the first ${whole(HELD)}.`);
}

function inWords(difference: RowDifference & { readonly batch?: number }): string {
  const { table, key, version, kind, column, rebuilt, live, batch } = difference;
  const keys = Object.entries(key).map(([name, value]) => `${name} ${value}`);
  const where = [
    ...(batch === undefined ? [] : [`batch ${batch}`]),
    table,
    ...keys,
    ...(version === undefined ? [] : [`version ${version}`]),
  ].join(", ");
  const of =
    column === "_rejected" ? " in quarantine" : column === "_driven" ? " without a star row" : "";
  if (kind !== "different") return `${where}: ${kind}${of} in what was rebuilt`;
  return `${where}: ${column} rebuilt ${JSON.stringify(rebuilt)}, live ${JSON.stringify(live)}`;
}

function tellVerified(verified: Verification, terminal: Terminal): Outcome {
  const { batches, processed, objects, bytes, orphans, problems } = verified;
  const known = problems.filter(({ skipped }) => skipped !== undefined);
  const unknown = problems.filter(({ skipped }) => skipped === undefined);
  terminal.heading("Is the lake whole?");
  terminal.field(
    "Read",
    `${counted(batches, "batch", "batches")}, ${whole(processed)} of them transformed; ` +
      `${counted(objects, "object")}, ${size(bytes)}`,
  );
  if (orphans > 0)
    terminal.field("Orphans", `${counted(orphans, "object")} that no manifest names: no harm`);
  for (const { batch, message, skipped } of known)
    terminal.field("Known", `batch ${batch} was skipped (${skipped}): ${message}`);
  terminal.line();
  if (unknown.length === 0) terminal.paragraph("It is whole: each hash is what its manifest says.");
  else terminal.alarm(`${counted(unknown.length, "problem")}:`);
  for (const { batch, message } of unknown) terminal.field(`batch ${batch}`, message);
  return { isSame: unknown.length === 0, answer: { verified } };
}

/**
 * Reads a command line; undefined where it asks for help.
 * @throws UsageError
 */
export function readOptions(args: readonly string[]): RebuildOptions | undefined {
  const {
    help,
    schema,
    secret,
    to,
    replace = false,
    verify: isVerify = false,
    "no-compare": noCompare = false,
    ...others
  } = parseOptions(args, {
    ...STAGE_ARGUMENTS,
    schema: { type: "string" },
    secret: { type: "string" },
    to: { type: "string" },
    replace: { type: "boolean" },
    processed: { type: "string" },
    verify: { type: "boolean" },
    "no-compare": { type: "boolean" },
    json: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  });
  if (help) return undefined;
  if (schema !== undefined) checkSchema(schema);
  const isWarehouse = schema !== undefined || secret !== undefined;
  const isRebuild = isWarehouse || others.processed !== undefined;
  if (isVerify && (isRebuild || noCompare)) throw new UsageError("--verify goes alone");
  if (!isVerify && !isRebuild)
    throw new UsageError("say what: --schema NAME, --secret NAME, --processed BUCKET or --verify");
  for (const [option, given] of [
    ["to", to],
    ["replace", replace || undefined],
  ] as const)
    if (given !== undefined && !isWarehouse)
      throw new UsageError(`--${option} is of the warehouse: it goes with --schema or --secret`);
  const last = to === undefined ? undefined : wholeNumber("to", to, 1, 9_999_999_999);
  return {
    ...(isWarehouse ? { warehouse: { schema, secret, to: last, replace } } : {}),
    ...others,
    verify: isVerify,
    compare: !noCompare,
    json: others.json ?? false,
  };
}

function checkSchema(schema: string): void {
  const most = NAME_BYTES - "_etl".length;
  if (schema === "" || Buffer.byteLength(schema) > most || schema.startsWith("pg_"))
    throw new UsageError(
      `--schema takes a name of 1 to ${most} bytes that does not begin with pg_, not "${schema}"`,
    );
}

/** Does what is asked for, and tells it. @returns the exit code */
export async function main(
  options: RebuildOptions,
  out: Output = process.stdout,
  err: Output = process.stderr,
): Promise<number> {
  const terminal = new Terminal(options.json ? err : out);
  try {
    const { isSame, answer } = await rebuild(options, terminal);
    if (options.json) out.write(`${JSON.stringify({ same: isSame, ...answer }, undefined, 2)}\n`);
    return isSame ? 0 : 1;
  } catch (error) {
    err.write(`${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}\n`);
    return 2;
  }
}

if (process.argv[1] === import.meta.filename)
  process.exitCode = await command(readOptions, HELP, (options) => main(options));
