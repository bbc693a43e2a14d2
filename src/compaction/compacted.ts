/** Rows of batches whose own objects are gone, from the compactions that stand for those. */
import { awaitedLater } from "../errors.ts";
import {
  Compactions,
  goneOfBatch,
  type CompactedObject,
  type OfBatch,
  type Part,
} from "../lake/compactions.ts";
import type { LakeObject, ProcessedManifest, Read } from "../lake/manifest.ts";
import { getContentFromFile } from "../lake/objects.ts";
import type { ParquetCodec } from "../parquet/codec.ts";
import { columnsIn, rowsOf, type ParquetRows } from "../parquet/rows.ts";
import type { FileColumn } from "../parquet/schema.ts";
import { cut, type Stretch, type Vector } from "../vectors.ts";

/** Bytes of compacted objects that are kept. */
const KEPT_BYTES = 128 << 20;
/** Rows that are decoded at a time, or fewer where they are large: the batches that come next lie there. */
const WINDOW = { rows: 16_384, bytes: 4 << 20 } as const;

export const ofManifest = ({ manifest, sha256 }: Read<ProcessedManifest>): OfBatch => ({
  batch: manifest.batch,
  sha256,
});

/**
 * The compactions of a processed bucket. A batch's own objects go before them: the batch's manifest proves those, whoever made
 * a compaction. Who finds one of them gone asks here.
 */
export class Compacted {
  /** The batches that were read from compactions. */
  readonly read = new Set<number>();
  readonly #bucket: string;
  readonly #codec: ParquetCodec;
  readonly #compactions: Compactions;
  /** By key, those first that were asked for least recently. */
  readonly #files = new Map<string, Promise<CompactedFile>>();

  constructor(bucket: string, codec: ParquetCodec) {
    this.#bucket = bucket;
    this.#codec = codec;
    this.#compactions = new Compactions(bucket);
  }

  /**
   * The rows of a batch's object that is gone, from the compaction that stands for the batch.
   * @throws ObjectError where none does; ManifestError, ObjectError where it is not what was committed, or stands for another
   *   batch
   */
  async rowsOf(of: OfBatch, object: LakeObject): Promise<ParquetRows> {
    const part = await this.find(of, object);
    if (!part) throw await goneOfBatch(this.#bucket, of.batch, object);
    const rows = await this.rowsIn(part);
    this.read.add(of.batch);
    return rows;
  }

  /** @throws ManifestError */
  find(of: OfBatch, object: LakeObject): Promise<Part | undefined> {
    return this.#compactions.find(of, object);
  }

  /** @throws ObjectError */
  async rowsIn({ compacted, stretch }: Part): Promise<ParquetRows> {
    return (await this.#open(compacted)).rows(stretch);
  }

  /** The columns that a part's object has. @throws ObjectError, ParquetError */
  async columnsOf({ compacted }: Part): Promise<FileColumn[]> {
    return (await this.#open(compacted)).columns();
  }

  #open(object: CompactedObject): Promise<CompactedFile> {
    const known =
      this.#files.get(object.key) ??
      awaitedLater(
        getContentFromFile(this.#bucket, object).then(
          (bytes) => new CompactedFile(this.#bucket, object, bytes, this.#codec),
        ),
      );
    this.#files.delete(object.key);
    this.#files.set(object.key, known);
    void this.#forget();
    return known;
  }

  async #forget(): Promise<void> {
    let room = KEPT_BYTES;
    for (const [key, file] of [...this.#files].toReversed()) {
      room -= (await file.catch(() => undefined))?.bytes ?? 0;
      if (room < 0) this.#files.delete(key);
    }
  }
}

/** A compacted object in memory. Batches ask for a few rows each, one after the other: more are decoded than are asked for. */
class CompactedFile {
  readonly bytes: number;
  readonly #where: string;
  readonly #object: CompactedObject;
  readonly #codec: ParquetCodec;
  readonly #content: Buffer;
  readonly #all: ParquetRows;
  readonly #windows = new Map<string, { readonly stretch: Stretch; readonly vector: Vector }>();

  constructor(bucket: string, object: CompactedObject, content: Buffer, codec: ParquetCodec) {
    this.bytes = object.bytes;
    this.#where = `s3://${bucket}/${object.key}`;
    this.#object = object;
    this.#codec = codec;
    this.#content = content;
    this.#all = rowsOf(codec, content, { ...object, where: this.#where });
  }

  columns(): Promise<FileColumn[]> {
    return columnsIn(this.#codec, this.#content, { ...this.#object, where: this.#where });
  }

  rows({ from, to }: Stretch): ParquetRows {
    const rows = to - from;
    return {
      rows,
      read: (columns, stretch = { from: 0, to: rows }) =>
        this.#read(columns, { from: from + stretch.from, to: from + stretch.to }),
      sizeOf: (columns) => Math.ceil((this.#all.sizeOf(columns) * rows) / this.#object.rows),
    };
  }

  async #read(columns: readonly FileColumn[], { from, to }: Stretch): Promise<Vector[]> {
    /** The windows as they are now: another call may move them while this one waits. */
    const windows = new Map(columns.map(({ name }) => [name, this.#windows.get(name)]));
    const missing = columns.filter(({ name }) => {
      const stretch = windows.get(name)?.stretch;
      return stretch === undefined || from < stretch.from || stretch.to < to;
    });
    if (missing.length > 0) {
      const size = this.#all.sizeOf(missing);
      const room = size === 0 ? Infinity : Math.floor((WINDOW.bytes * this.#object.rows) / size);
      // Some go through the batches backwards.
      const rows = Math.max(1, Math.min(WINDOW.rows, room));
      const begin = from - (from % rows);
      const stretch = { from: begin, to: Math.min(Math.max(to, begin + rows), this.#object.rows) };
      const vectors = await this.#all.read(missing, stretch);
      for (const [i, { name }] of missing.entries()) {
        const window = { stretch, vector: vectors[i]! };
        windows.set(name, window);
        this.#windows.set(name, window);
      }
    }
    return columns.map(({ name }) => {
      const { stretch, vector } = windows.get(name)!;
      return cut(vector, { from: from - stretch.from, to: to - stretch.from });
    });
  }
}
