/** What the lake has of one batch: its manifest, and its objects as vectors. */
import {
  readProcessedManifest,
  type LakeObject,
  type ProcessedManifest,
  type Read,
} from "../lake/manifest.ts";
import { getContentFromFile } from "../lake/objects.ts";
import { ParquetError, type ParquetCodec } from "../parquet/codec.ts";
import { fileColumns } from "../parquet/schema.ts";
import type { Table } from "../table.ts";
import type { Vector } from "../vectors.ts";

/** How many bytes of a batch's objects are kept: bigger ones are fetched when they are read, each time. */
const KEPT_BYTES = 32 << 20;

/** A batch whose manifest is on its way. What goes wrong is said when it is asked for. */
export class BatchFiles {
  readonly bucket: string;
  readonly batch: number;
  readonly manifest: Promise<Read<ProcessedManifest> | undefined>;
  readonly #kept = new Map<string, Promise<Buffer>>();
  #left = KEPT_BYTES;

  constructor(bucket: string, batch: number) {
    this.bucket = bucket;
    this.batch = batch;
    this.manifest = awaitedLater(readProcessedManifest(bucket, batch));
  }

  /** Fetches and verifies what of these tables can be kept, while something else is at work. */
  async fetchAhead(tables: readonly Table[]): Promise<void> {
    const found = await this.manifest.catch(() => undefined);
    const names = new Set(tables.map(({ name }) => name));
    for (const object of found?.manifest.objects ?? [])
      if (names.has(object.table)) void this.#keep(object);
  }

  /**
   * Reads the columns of that name, in the order of `columns`; verified against the manifest.
   * @throws ObjectError, ParquetError
   */
  async read(
    object: LakeObject,
    table: Table,
    columns: readonly string[],
    codec: ParquetCodec,
  ): Promise<Map<string, Vector>> {
    const where = `s3://${this.bucket}/${object.key}`;
    const bytes = await (this.#keep(object) ?? getContentFromFile(this.bucket, object));
    const wanted = fileColumns(table.columns).filter((column) => columns.includes(column.name));
    let vectors: Vector[];
    try {
      vectors = await codec.read(bytes, wanted);
    } catch (cause) {
      throw new ParquetError(`${where}: ${(cause as Error).message}`, { cause });
    }
    const found = vectors[0]?.values.length ?? object.rows;
    if (found !== object.rows)
      throw new ParquetError(`${where}: expected ${object.rows} rows, found ${found}`);
    return new Map(wanted.map(({ name }, at) => [name, vectors[at]!]));
  }

  /** An object's bytes, now or soon; undefined where there is no room for them. */
  #keep(object: LakeObject): Promise<Buffer> | undefined {
    const kept = this.#kept.get(object.key);
    if (kept !== undefined || object.bytes > this.#left) return kept;
    this.#left -= object.bytes;
    const fetched = awaitedLater(getContentFromFile(this.bucket, object));
    this.#kept.set(object.key, fetched);
    return fetched;
  }
}

/** Nobody may be waiting yet when it fails. */
function awaitedLater<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
