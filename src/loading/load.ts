import { crc32 } from "node:zlib";
import { putOnce } from "../aws/s3.ts";
import { checkBuild } from "../build.ts";
import { HINTS, receiptKey } from "../lake/keys.ts";
import {
  checkChain,
  getIfSmall,
  listBatches,
  ManifestError,
  readNewest,
  readProcessedManifest,
  writeHint,
  type ProcessedManifest,
} from "../lake/manifest.ts";
import { HINTED, writeQuarantined } from "../lake/quarantined.ts";
import type { ParquetCodec } from "../parquet/codec.ts";
import { LEDGER, type Connection, type Db } from "../postgres/connection.ts";
import { parameterised } from "../postgres/sql.ts";
import { keyedBySource, recordIdOf, type Table } from "../table.ts";
import { BatchFiles } from "./batch.ts";
import { awaitedLater } from "../errors.ts";
import { deleteGone } from "./deleted.ts";
import { InferredMembers } from "./inferred.ts";
import { loadsOf, prepareLedger } from "./ledger.ts";
import { mergeBatch, type Rows } from "./merge.ts";
import { quarantinedKeys, Quarantine, type InQuarantine } from "./quarantine.ts";
import { maySilence, whyTriggersRun } from "./triggers.ts";
import { checkTemporary, prepareTables, type FoundType } from "./warehouse.ts";

/** Another loader is at work, and did not finish while this one could wait. */
export class BusyError extends Error {
  override readonly name = "BusyError";
}

/** What a batch did to one table. */
export interface TableLoad {
  /** Rows of the batch. */
  readonly rows: number;
  /** Rows inserted or updated: the others were there already, as they are. */
  readonly changed: number;
}

/** What the loader did with one batch; the receipt holds the same. */
export interface LoadedBatch {
  readonly batch: number;
  readonly run: string;
  readonly kind: ProcessedManifest["kind"];
  readonly tables: Readonly<Record<string, TableLoad>>;
  /** Inferred members made, by dimension. */
  readonly inferred: Readonly<Record<string, number>>;
  /** Inferred members that there are now, in all dimensions. */
  readonly inferredMembers: number;
  /** Records marked or removed because the source has them no more, by table. */
  readonly deleted: Readonly<Record<string, number>>;
  /** Rows of this batch that did not fit. */
  readonly rejected: number;
  /** Rows in quarantine now, of all batches. */
  readonly quarantined: number;
  /** From ingestion's commit to the warehouse's. */
  readonly lagSeconds: number;
  readonly seconds: number;
  /** Tables of the batch that no module declares any more: their rows were left. */
  readonly left: readonly string[];
}

export interface LoadingSummary {
  readonly loaded: readonly LoadedBatch[];
  /** The newest batch in the warehouse now; 0 where there is none. */
  readonly newest: number;
  /** What was done to the warehouse's tables, in words. */
  readonly prepared: readonly string[];
  /** What is in quarantine now. */
  readonly quarantine: InQuarantine;
  /** Inferred members that there are now. */
  readonly inferredMembers: number;
  /** A batch that later ones wait for: it is not transformed yet. */
  readonly waitingFor?: number;
  /** After many rows: tables whose foreign keys PostgreSQL looked up row by row, which takes several times as long, and why. */
  readonly rowByRow?: Readonly<Record<string, string>>;
}

export interface LoadOptions {
  /** Milliseconds to wait for another loader. */
  readonly wait?: number;
  /** Asked before each batch but the first: false leaves the rest to the next invocation. */
  readonly goOn?: () => boolean;
  /** Told of each batch when it is in the warehouse. */
  readonly loaded?: (batch: LoadedBatch) => void;
  /** A rebuild writes nothing to the bucket, and takes what is there, whatever code made it. */
  readonly rebuild?: Rebuild;
}

/** What is loaded once more, as it was loaded before. */
export interface Rebuild {
  /** The last batch. */
  readonly to: number;
  /** Tables whose rows the loader left out of a batch at that time. */
  readonly left: (batch: number) => readonly string[];
}

/** Rows of an invocation from which on it is worth saying why they took so long. */
const MANY_ROWS = 10_000;

/** "totes" in ASCII: any number will do that nobody else locks in this database. */
const LOCK = 0x746f746573;
/** One a ledger: a rebuild beside the warehouse holds nobody up. The pipeline's own is what it always was. */
const lockOf = (ledger: string): number => LOCK + crc32(ledger) - crc32(LEDGER);

/**
 * Loads every batch that is ready, in order, each in one transaction; then writes receipts. One loader at a time.
 *
 * @throws BusyError; WarehouseError; ManifestError, ObjectError or ParquetError for a batch that is not what was
 *   committed; BuildError while a deploy is under way. Batches before it are loaded, later ones wait for it
 */
export async function load(
  connection: Connection,
  bucket: string,
  tables: readonly Table[],
  codec: ParquetCodec,
  { wait = 60_000, goOn = () => true, loaded = () => undefined, rebuild }: LoadOptions = {},
): Promise<LoadingSummary> {
  const { db, schema, ledger } = connection;
  await lock(connection, wait);
  await prepareLedger(db, ledger);
  const { done: prepared, typeOf } = await db.tx((t) => prepareTables(t, schema, ledger, tables));
  await checkTemporary(db);
  const inferred = await InferredMembers.open(db, ledger, tables);
  const quarantine = await Quarantine.open(connection, tables);
  const done: LoadedBatch[] = [];
  let newest = await lastLoad(connection);
  let waitingFor: number | undefined;
  // From the newest itself: a lake that lacks it would never be noticed, nor ever be loaded.
  const listed = await listBatches(bucket, Math.max(0, newest.batch - 1));
  if (newest.sha256 !== null && listed[0] !== newest.batch)
    throw new ManifestError(
      `the warehouse has loaded batch ${newest.batch}, and ${bucket} has no such batch: it was filled from another lake; ` +
        "correct PROCESSED_BUCKET or WAREHOUSE_SECRET, or restore the manifest",
    );
  if (!rebuild) await putReceipts(connection, bucket);
  const due = listed.filter((one) => one > newest.batch && one <= (rebuild?.to ?? Infinity));
  let receipt: Promise<number | undefined> | undefined;
  const loader = {
    connection,
    tables,
    codec,
    typeOf,
    inferred,
    quarantine,
    rebuild,
    maySilence: due.length > 0 && (await maySilence(db)),
  };
  let ahead: BatchFiles | undefined;
  try {
    for (const [i, batch] of due.entries()) {
      if (batch !== newest.batch + 1) {
        waitingFor = newest.batch + 1;
        break;
      }
      if (done.length > 0 && !goOn()) break;
      const files: BatchFiles = ahead ?? new BatchFiles(bucket, batch);
      ahead = due[i + 1] === batch + 1 ? new BatchFiles(bucket, batch + 1) : undefined;
      // While PostgreSQL works on this one.
      void ahead?.fetchAhead(tables);
      const meanwhile = (): void => void ahead?.decodeAhead(tables, codec);
      const next = await loadBatch(loader, files, newest.sha256, meanwhile);
      loaded(next.loaded);
      done.push(next.loaded);
      newest = { batch, sha256: next.sha256 };
      if (rebuild) continue;
      const before = receipt;
      receipt = awaitedLater(putReceipt(bucket, batch, next.receipt));
      await markPut(connection, before);
    }
    await markPut(connection, receipt);
  } catch (error) {
    // The batch's error is what is told: of its receipt the next loader hears, if it is due still.
    await markPut(connection, receipt).catch(() => undefined);
    throw error;
  }
  if (done.length > 0 && !rebuild) await writeHint(bucket, HINTS.loaded, newest.batch);
  if (quarantine.hasChanged && !rebuild) {
    const { keys } = await quarantinedKeys(connection, tables, { limit: HINTED });
    await writeQuarantined(bucket, keys);
  }
  const rowByRow = await slowTables(db, schema, tables, done);
  const inQuarantine = await quarantine.state();
  await unlock(db);
  return {
    loaded: done,
    newest: newest.batch,
    prepared,
    quarantine: inQuarantine,
    inferredMembers: inferred.count,
    ...(waitingFor === undefined ? {} : { waitingFor }),
    ...(rowByRow === undefined ? {} : { rowByRow }),
  };
}

/** Why many rows were loaded slowly, by table; undefined where none were. */
async function slowTables(
  db: Db,
  schema: string,
  tables: readonly Table[],
  loaded: readonly LoadedBatch[],
): Promise<Record<string, string> | undefined> {
  const byName = new Map(tables.map((table) => [table.name, table]));
  const found: Record<string, string> = {};
  for (const table of tables) {
    const rows = loaded.reduce((sum, batch) => sum + (batch.tables[table.name]?.rows ?? 0), 0);
    if (rows < MANY_ROWS || recordIdOf(table) === undefined) continue;
    const why = await whyTriggersRun(db, schema, table, byName);
    if (why !== undefined) found[table.name] = why;
  }
  return Object.keys(found).length > 0 ? found : undefined;
}

/** After an error the lock goes with the connection: whoever opened it closes it. */
const unlock = (db: Db): Promise<unknown> => db.any("select pg_advisory_unlock_all()");

async function lock({ db, ledger }: Connection, wait: number): Promise<void> {
  try {
    await db.any("select set_config('lock_timeout', $1, false)", [
      `${Math.max(1, Math.floor(wait))}ms`,
    ]);
    await db.any("select pg_advisory_lock($1)", [lockOf(ledger)]);
    await db.any("select set_config('lock_timeout', '0', false)");
  } catch (cause) {
    if ((cause as { code?: string }).code !== "55P03") throw cause;
    throw new BusyError(
      `another loader holds the lock for more than ${(wait / 1000).toFixed(1)} s; it loads what this one would`,
      { cause },
    );
  }
}

/** The last batch that the warehouse has, or that was skipped, and its ingestion manifest's hash. */
async function lastLoad({
  db,
  ledger,
}: Connection): Promise<{ batch: number; sha256: string | null }> {
  const last = await db.oneOrNone<{ batch: string; sha256: string | null }>(
    `select batch, ingestion_sha256 as sha256 from ${loadsOf(ledger)} order by batch desc limit 1`,
  );
  return last ? { batch: Number(last.batch), sha256: last.sha256 } : { batch: 0, sha256: null };
}

/** What stays the same from batch to batch. */
interface Loader {
  readonly connection: Connection;
  readonly tables: readonly Table[];
  readonly codec: ParquetCodec;
  readonly typeOf: FoundType;
  readonly inferred: InferredMembers;
  readonly quarantine: Quarantine;
  readonly rebuild: Rebuild | undefined;
  readonly maySilence: boolean;
}

/** @param meanwhile called when PostgreSQL is about to be busy for longer than we are */
async function loadBatch(
  { connection, tables, codec, typeOf, inferred: members, quarantine, rebuild, maySilence }: Loader,
  files: BatchFiles,
  previous: string | null,
  meanwhile: () => void,
): Promise<{ loaded: LoadedBatch; receipt: object; sha256: string }> {
  const started = performance.now();
  const { bucket, batch } = files;
  const found = await files.manifest;
  if (!found) throw new ManifestError(`the manifest of batch ${batch} is gone from ${bucket}`);
  const { manifest } = found;
  // After a batch that was skipped unread there is nothing to hold this one against.
  if (batch === 1 || previous !== null)
    checkChain(bucket, batch, manifest.previous_sha256, previous);
  if (!rebuild)
    await checkBuild(manifest, tables, () => readNewest(bucket, batch, readProcessedManifest));
  const leftBefore = rebuild?.left(batch) ?? [];
  const taken = tables.filter(({ name }) => !leftBefore.includes(name));
  const isTaken = ({ table }: { readonly table: string }): boolean =>
    taken.some(({ name }) => name === table);
  const objectOf = new Map(manifest.objects.map((object) => [object.table, object]));
  const present = taken.filter((table) => objectOf.has(table.name));
  const byName = new Map(tables.map((table) => [table.name, table]));

  const gone = await readGone(files, manifest, taken, codec);
  const { schema } = connection;

  const { loaded, receipt } = await connection.db.tx(async (db) => {
    const warehouse = {
      connection,
      db,
      schema,
      batch,
      inferred: members,
      quarantine,
      byName,
      typeOf,
      maySilence,
      meanwhile,
    };
    const { changed, inferred } = await mergeBatch(warehouse, present, {
      read: (table, columns, stretch) =>
        files.read(objectOf.get(table.name)!, table, columns, codec, stretch),
      stretches: (table, texts) => files.stretches(objectOf.get(table.name)!, table, texts, codec),
    });
    const isRepair = manifest.kind === "resync";
    const { deleted, inferred: made } = await deleteGone(warehouse, gone, isRepair);
    for (const [table, rows] of made) inferred.set(table, (inferred.get(table) ?? 0) + rows);
    await quarantine.settle(db, bucket, {
      ...manifest,
      rejected: manifest.rejected.filter(isTaken),
    });
    const loaded: LoadedBatch = {
      batch,
      run: manifest.run,
      kind: manifest.kind,
      tables: Object.fromEntries(
        present.map(({ name }): [string, TableLoad] => [
          name,
          { rows: objectOf.get(name)!.rows, changed: changed.get(name)! },
        ]),
      ),
      inferred: Object.fromEntries(inferred),
      inferredMembers: members.count,
      deleted: Object.fromEntries(deleted),
      rejected: manifest.rejected_rows,
      quarantined: quarantine.rows,
      lagSeconds: (Date.now() - Date.parse(manifest.ingested_at)) / 1000,
      seconds: (performance.now() - started) / 1000,
      left: [
        ...new Set(
          [...manifest.objects, ...manifest.deleted]
            .filter((object) => !isTaken(object))
            .map(({ table }) => table),
        ),
      ],
    };
    const { ingestion_sha256 } = manifest;
    return {
      loaded,
      receipt: await recordLoad(db, connection.ledger, { ...loaded, ingestion_sha256 }),
    };
  });
  return { loaded, receipt, sha256: manifest.ingestion_sha256 };
}

/**
 * The keys that are gone, by the table that they are keys of now. A table that was keyed otherwise when they were written is
 * left out: its rows are read again, and it is compared.
 */
async function readGone(
  files: BatchFiles,
  { deleted }: ProcessedManifest,
  tables: readonly Table[],
  codec: ParquetCodec,
): Promise<Map<Table, Rows>> {
  const found = new Map<Table, Rows>();
  for (const table of tables) {
    const object = deleted.find((one) => one.table === table.name);
    if (!object || !keyedBySource(table)) continue;
    const rows = await files.readDeleted(object, table, codec);
    if (rows) found.set(table, rows);
  }
  return found;
}

/** What a batch's receipt holds. */
const RECEIPT = "receipt || jsonb_build_object('loaded_at', loaded_at) as receipt";

/**
 * In the transaction of the rows themselves: this is what makes a batch loaded exactly once.
 * @returns its receipt
 */
async function recordLoad(
  db: Db,
  ledger: string,
  { ingestion_sha256, ...receipt }: LoadedBatch & { ingestion_sha256: string },
): Promise<object> {
  const rows = Object.values(receipt.tables).reduce((sum, table) => sum + table.rows, 0);
  const recorded = await db.one<{ receipt: object }>(
    parameterised(
      `insert into ${loadsOf(ledger)} (batch, run, kind, ingestion_sha256, rows, seconds, receipt)
       values ($1, $2, $3, $4, $5, $6, $7) returning ${RECEIPT}`,
      [
        receipt.batch,
        receipt.run,
        receipt.kind,
        ingestion_sha256,
        rows,
        receipt.seconds,
        JSON.stringify(receipt),
      ],
    ),
  );
  return recorded.receipt;
}

/** Puts the receipts that are due, those of a loader that died before it could among them. They are for people. */
async function putReceipts(connection: Connection, bucket: string): Promise<void> {
  const { db, ledger } = connection;
  const due = await db.any<{ batch: string; receipt: object }>(
    `select batch, ${RECEIPT} from ${loadsOf(ledger)} where not receipt_put order by batch`,
  );
  for (const { batch, receipt } of due)
    await markPut(connection, putReceipt(bucket, Number(batch), receipt));
}

/** @returns the batch; undefined where its receipt is still due: S3 was busy with another put of it, which came to nothing */
async function putReceipt(
  bucket: string,
  batch: number,
  receipt: object,
): Promise<number | undefined> {
  const key = receiptKey(batch);
  const body = Buffer.from(`${JSON.stringify(receipt)}\n`);
  const isThere =
    (await putOnce(bucket, key, body, "application/json")) ||
    (await getIfSmall(bucket, key)) !== undefined;
  return isThere ? batch : undefined;
}

/** Marks the receipt of a batch, if there is one, once it is put. */
async function markPut(
  { db, ledger }: Connection,
  receipt: Promise<number | undefined> | undefined,
): Promise<void> {
  const batch = await receipt;
  if (batch === undefined) return;
  await db.none(
    parameterised(`update ${loadsOf(ledger)} set receipt_put = true where batch = $1`, [batch]),
  );
}

/**
 * Leaves out the next batch, for good: an operator's way past one that cannot be loaded. Recorded with its reason.
 * A rebuild does so again, and writes nothing to the bucket.
 * @throws Error unless `batch` is the next one
 */
export async function skipBatch(
  connection: Connection,
  bucket: string,
  { batch, why }: { readonly batch: number; readonly why: string },
  { wait = 60_000, rebuild = false }: { readonly wait?: number; readonly rebuild?: boolean } = {},
): Promise<void> {
  const { db, ledger } = connection;
  await lock(connection, wait);
  await prepareLedger(db, ledger);
  const last = await lastLoad(connection);
  if (batch !== last.batch + 1)
    throw new Error(
      `batch ${batch} cannot be skipped: the next batch to load is ${last.batch + 1}`,
    );
  const manifest = await readIfPossible(bucket, batch);
  await db.none(
    parameterised(
      `insert into ${loadsOf(ledger)} (batch, run, kind, ingestion_sha256, rows, seconds, skipped_why, receipt)
       values ($1, $2, $3, $4, 0, 0, $5, $6)`,
      [
        batch,
        manifest?.run ?? null,
        manifest?.kind ?? null,
        manifest?.ingestion_sha256 ?? null,
        why,
        JSON.stringify({ batch, skipped_why: why }),
      ],
    ),
  );
  if (!rebuild) {
    await putReceipts(connection, bucket);
    await writeHint(bucket, HINTS.loaded, batch);
  }
  await unlock(db);
}

/** A batch is skipped because something is wrong with it: its manifest may be what is. */
async function readIfPossible(
  bucket: string,
  batch: number,
): Promise<ProcessedManifest | undefined> {
  try {
    return (await readProcessedManifest(bucket, batch))?.manifest;
  } catch (error) {
    if (error instanceof ManifestError) return undefined;
    throw error;
  }
}
