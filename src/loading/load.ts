import { awaitedLater, concerning } from "../errors.ts";
import { HINTS } from "../lake/keys.ts";
import { listBatches, ManifestError, writeHint } from "../lake/manifest.ts";
import { HINTED, writeQuarantined } from "../lake/quarantined.ts";
import type { ParquetCodec } from "../parquet/codec.ts";
import type { Connection, Db } from "../postgres/connection.ts";
import { recordIdOf, type Table } from "../table.ts";
import { BatchFiles } from "./batch.ts";
import { InferredMembers } from "./inferred.ts";
import { prepareLedger } from "./ledger.ts";
import { loadBatch, type LoadedBatch, type Rebuild } from "./load-batch.ts";
import { newestInLedger, type Load } from "./loads.ts";
import { lock, unlock } from "./lock.ts";
import { Quarantine, type InQuarantine } from "./quarantine.ts";
import { quarantinedKeys } from "./quarantined-keys.ts";
import { markPut, putReceipt, putReceipts } from "./receipts.ts";
import { maySilence, whyTriggersRun } from "./triggers.ts";
import { checkTemporary, prepareTables } from "./warehouse.ts";

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

/** Rows of an invocation from which on it is worth saying why they took so long. */
const MANY_ROWS = 10_000;

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
  let newest: Pick<Load, "batch" | "sha256"> = (await newestInLedger(connection)) ?? {
    batch: 0,
    sha256: null,
  };
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
      const files: BatchFiles = ahead ?? new BatchFiles(bucket, batch, rebuild?.instead);
      ahead =
        due[i + 1] === batch + 1 ? new BatchFiles(bucket, batch + 1, rebuild?.instead) : undefined;
      // While PostgreSQL works on this one.
      void ahead?.fetchAhead(tables);
      const meanwhile = (): void => void ahead?.decodeAhead(tables, codec);
      const { sha256 } = newest;
      const next = await concerning({ batch }, () => loadBatch(loader, files, sha256, meanwhile));
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
