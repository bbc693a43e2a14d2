import { randomBytes } from "node:crypto";
import { checkBuild, getBuild } from "../build.ts";
import { closureOf, fingerprintsOf } from "../fingerprint.ts";
import { deletedPath, drivenPath, getObjectPath, gonePath, rejectedPath } from "../lake/keys.ts";
import {
  commitManifest,
  ManifestError,
  readChained,
  readIngestionManifest,
  readNewest,
  readProcessedManifest,
  sha256,
  type IngestionManifest,
  type LakeObject,
  type ProcessedManifest,
} from "../lake/manifest.ts";
import { JsonLines, readS3Json, writeFileToS3 } from "../lake/objects.ts";
import type { ParquetCodec } from "../parquet/codec.ts";
import { fileColumns, PARQUET } from "../parquet/schema.ts";
import { deletedColumns, type Columns, type Table } from "../table.ts";
import type { Vector } from "../vectors.ts";
import { readDeleted } from "./deleted.ts";
import { formatBatch } from "./format-batch.ts";

export interface Buckets {
  readonly ingestion: string;
  readonly processed: string;
}

/** What a transformation did with one batch. */
export interface TransformationSummary {
  readonly batch: number;
  /** `done already`: another invocation was first, and its objects stand. */
  readonly outcome: "committed" | "done already";
  /** Rows made, by star table. */
  readonly rows: Readonly<Record<string, number>>;
  /** Rows that did not fit, by star table. */
  readonly rejected: Readonly<Record<string, number>>;
  /** Keys that are gone from the source, by the star table that they are keys of. */
  readonly deleted: Readonly<Record<string, number>>;
  readonly bytes: number;
  /** Tables that this batch was read without, or for other lookups: the next ingestion fills them. */
  readonly left: readonly string[];
}

export interface TransformOptions {
  /** The day that the objects are filed under. */
  readonly at?: Date;
  /** A rebuild takes what is there, whatever code read it. */
  readonly rebuild?: boolean;
}

/**
 * Makes one batch's star rows. A pure function of the batch: run twice, it makes the same rows, and one run commits.
 * @throws ManifestError, ObjectError where the batch is not what was committed, BuildError where a deploy is under way:
 *   nothing of it is half-done
 */
export async function transform(
  buckets: Buckets,
  tables: readonly Table[],
  codec: ParquetCodec,
  batch: number,
  { at = new Date(), rebuild = false }: TransformOptions = {},
): Promise<TransformationSummary> {
  const began = new Date();
  const nothing = { batch, rows: {}, rejected: {}, deleted: {}, bytes: 0, left: [] };
  const before = await readProcessedManifest(buckets.processed, batch);
  const { manifest, sha256: ingestion_sha256 } = await readChained(buckets.ingestion, batch);
  if (before) {
    if (before.manifest.ingestion_sha256 !== ingestion_sha256)
      throw new ManifestError(
        `batch ${batch} of ${buckets.processed} was made from another lake than ${buckets.ingestion}: ` +
          "a new ingestion bucket needs a new processed bucket and an empty warehouse",
      );
    return { outcome: "done already", ...nothing };
  }
  if (!rebuild)
    await checkBuild(manifest, tables, () =>
      readNewest(buckets.ingestion, batch, readIngestionManifest),
    );
  const ready = tables.filter((table) => serves(manifest, table));
  const run = randomBytes(6).toString("hex");
  const objects: LakeObject[] = [];
  const rejected: LakeObject[] = [];
  const driven: LakeObject[] = [];
  const gone: LakeObject[] = [];
  const untold = new Map<string, JsonLines>();
  const deleted: LakeObject[] = [];
  const put = async (
    to: LakeObject[],
    table: Table,
    key: string,
    rows: number,
    body: Buffer,
    type: string = PARQUET,
  ): Promise<void> => {
    await writeFileToS3(buckets.processed, key, body, type);
    to.push({ table: table.name, key, rows, bytes: body.length, sha256: sha256(body) });
  };
  const where = { at, batch, run };
  for await (const made of formatBatch(buckets.ingestion, manifest, ready)) {
    const { table } = made;
    const { rows } = made.stars;
    if (rows > 0) {
      const body = await createParquetBuffer(table.columns, made.stars.vectors, batch, codec);
      await put(objects, table, getObjectPath(table.name, where, "parquet"), rows, body);
    }
    if (made.rejected.rows > 0)
      await put(
        rejected,
        table,
        rejectedPath(table.name, where, "json.gz"),
        made.rejected.rows,
        made.rejected.body(),
        "application/gzip",
      );
    for (const [source, keys] of made.driven) untold.set(source, keys);
  }
  const putKeys = async (
    to: LakeObject[],
    source: string,
    path: typeof drivenPath,
    keys: JsonLines,
  ): Promise<void> => {
    if (keys.rows === 0) return;
    const body = keys.body();
    const key = path(source, where, "json.gz");
    await writeFileToS3(buckets.processed, key, body, "application/gzip");
    const { length: bytes } = body;
    to.push({ table: source, key, rows: keys.rows, bytes, sha256: sha256(body) });
  };
  for (const [source, keys] of untold) await putKeys(driven, source, drivenPath, keys);
  // A row that is gone is in quarantine no more, of no table.
  for (const object of manifest.deleted) {
    const keys = new JsonLines();
    for await (const rows of readS3Json(buckets.ingestion, object))
      for (const key of rows) keys.add(key);
    await putKeys(gone, object.table, gonePath, keys);
  }
  // Of tables that the batch was read without, too: whoever fills those reads what is there, and not what is gone.
  for (const { table, rows, vectors } of await readDeleted(buckets.ingestion, manifest, tables)) {
    const body = await createParquetBuffer(deletedColumns(table), vectors, batch, codec);
    await put(deleted, table, deletedPath(table.name, where, "parquet"), rows, body);
  }
  const processed: ProcessedManifest = {
    batch,
    run,
    kind: manifest.kind,
    previous_sha256: manifest.previous_sha256,
    ingestion_sha256,
    ingested_at: manifest.committed_at,
    started_at: began.toISOString(),
    committed_at: new Date().toISOString(),
    build: getBuild(),
    fingerprints: fingerprintsOf(ready),
    objects,
    deleted,
    rejected,
    rejected_rows: rejected.reduce((sum, { rows }) => sum + rows, 0),
    driven,
    gone,
  };
  if (!(await commitManifest(buckets.processed, processed)))
    return { outcome: "done already", ...nothing };
  const byTable = (of: readonly LakeObject[]) =>
    Object.fromEntries(of.map(({ table, rows }) => [table, rows]));
  return {
    batch,
    outcome: "committed",
    rows: byTable(objects),
    rejected: byTable(rejected),
    deleted: byTable(deleted),
    bytes: objects.reduce((sum, { bytes }) => sum + bytes, 0),
    left: tables.filter((table) => !ready.includes(table)).map(({ name }) => name),
  };
}

/** A batch that was read without a table, or for other lookups than it has now, lacks rows that it would look up. */
export const serves = ({ fingerprints }: IngestionManifest, table: Table): boolean =>
  fingerprints[table.name]?.split(".")[0] === closureOf(table);

/** One Parquet file of a table's rows, each with the number of its batch. */
function createParquetBuffer(
  columns: Columns,
  vectors: readonly Vector[],
  batch: number,
  codec: ParquetCodec,
): Promise<Buffer> {
  const batches: Vector = {
    layout: "bigint",
    values: Array<bigint>(vectors[0]!.values.length).fill(BigInt(batch)),
    nulls: undefined,
  };
  return codec.write(fileColumns(columns), [...vectors, batches]);
}
