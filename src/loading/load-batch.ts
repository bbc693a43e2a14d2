/** One batch, from its files to the warehouse, in one transaction. */
import { checkBuild } from "../build.ts";
import {
  checkChain,
  ManifestError,
  readNewest,
  readProcessedManifest,
  type ProcessedManifest,
} from "../lake/manifest.ts";
import type { ParquetCodec } from "../parquet/codec.ts";
import type { Connection } from "../postgres/connection.ts";
import { keyedBySource, type Table } from "../table.ts";
import type { BatchFiles, Instead } from "./batch.ts";
import { deleteGone } from "./deleted.ts";
import type { InferredMembers } from "./inferred.ts";
import { mergeBatch, type Rows } from "./merge.ts";
import type { Quarantine } from "./quarantine.ts";
import { recordLoad } from "./receipts.ts";
import type { FoundType } from "./warehouse.ts";

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

/** What is loaded once more, as it was loaded before. */
export interface Rebuild {
  /** The last batch. */
  readonly to: number;
  /** Tables whose rows the loader left out of a batch at that time. */
  readonly left: (batch: number) => readonly string[];
  /** Where the rows of objects are that are gone. */
  readonly instead?: Instead;
}

/** What stays the same from batch to batch. */
export interface Loader {
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
export async function loadBatch(
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
