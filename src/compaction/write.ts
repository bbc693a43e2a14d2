/** The rows of many small files in few large ones: of one table, in the order of their batches. */
import { isDeepStrictEqual } from "node:util";
import { awaitedLater } from "../errors.ts";
import { getOfBatch, type CompactedObject } from "../lake/compactions.ts";
import { sha256, type LakeObject } from "../lake/manifest.ts";
import { writeFileToS3 } from "../lake/objects.ts";
import type { FileWriter, ParquetCodec } from "../parquet/codec.ts";
import { columnsIn, rowsOf } from "../parquet/rows.ts";
import { GROUP_ROWS, PARQUET, type FileColumn } from "../parquet/schema.ts";
import { append, growing, vectorTo, type Growing, type Vector } from "../vectors.ts";

/** What an object holds at most, as its batches' own objects count it: it is made in memory, and read whole. */
export interface Limits {
  readonly bytes: number;
  readonly rows: number;
}
export const LIMITS: Limits = { bytes: 32 << 20, rows: 1_000_000 };

/** Texts of a row group, in bytes, at most: more would be most of the memory. */
const GROUP_BYTES = 16 << 20;
/** Objects that are fetched ahead at a time, and their bytes. */
const AHEAD = { objects: 16, bytes: 16 << 20 } as const;

/** A batch's own object. */
export interface Piece {
  readonly batch: number;
  readonly object: LakeObject;
}

export interface Place {
  readonly bucket: string;
  readonly codec: ParquetCodec;
  /** The key of an object whose last batch is `batch`. */
  readonly keyOf: (table: string, batch: number) => string;
  readonly limits: Limits;
}

/**
 * Puts the rows of `pieces`, in order, into as few objects as the limits and their columns allow: an object holds rows of one
 * set of columns. Each piece is verified against its manifest before anything of it is used.
 * @param done told of each piece that was read
 * @throws ObjectError, ParquetError for a piece that is not what was committed; S3Error
 */
export async function writePieces(
  place: Place,
  pieces: readonly Piece[],
  done: () => void,
): Promise<CompactedObject[]> {
  const { bucket, codec, limits } = place;
  const made: CompactedObject[] = [];
  let file: Gathering | undefined;
  const finish = async (): Promise<void> => {
    if (file) made.push(await file.put(place));
    file = undefined;
  };
  for await (const [{ batch, object }, bytes] of fetchAhead(bucket, pieces)) {
    const { table, rows } = object;
    const of = { where: `s3://${bucket}/${object.key}`, table, rows };
    const columns = await columnsIn(codec, bytes, of);
    const isFull =
      file !== undefined &&
      (file.bytes + object.bytes > limits.bytes || file.rows + rows > limits.rows);
    if (isFull || (file && !isDeepStrictEqual(file.columns, columns))) await finish();
    file ??= new Gathering(table, columns, await codec.writer(columns));
    const source = rowsOf(codec, bytes, of);
    file.add(batch, object, await source.read(columns), source.sizeOf(columns));
    done();
  }
  await finish();
  return made;
}

/** The objects of `pieces`, in order, some of them fetched while those before are at work. */
async function* fetchAhead(
  bucket: string,
  pieces: readonly Piece[],
): AsyncGenerator<[Piece, Buffer]> {
  const under: [Piece, Promise<Buffer>][] = [];
  let bytes = 0;
  for (let next = 0; next < pieces.length || under.length > 0;) {
    for (; next < pieces.length && under.length < AHEAD.objects; next++) {
      const { batch, object } = pieces[next]!;
      if (under.length > 0 && bytes + object.bytes > AHEAD.bytes) break;
      bytes += object.bytes;
      under.push([pieces[next]!, awaitedLater(getOfBatch(bucket, batch, object))]);
    }
    const [piece, fetched] = under.shift()!;
    yield [piece, await fetched];
    bytes -= piece.object.bytes;
  }
}

/** An object in the making: rows wait until there are enough for a row group. */
class Gathering {
  readonly columns: readonly FileColumn[];
  rows = 0;
  /** Of the batches' own objects. */
  bytes = 0;
  readonly #table: string;
  readonly #writer: FileWriter;
  readonly #batches: { batch: number; rows: number }[] = [];
  #waiting: Growing[];
  #waitingRows = 0;
  #waitingBytes = 0;

  constructor(table: string, columns: readonly FileColumn[], writer: FileWriter) {
    this.#table = table;
    this.columns = columns;
    this.#writer = writer;
    this.#waiting = columns.map((column) => growing(column));
  }

  /** @param size bytes of the rows when nothing is compressed */
  add(batch: number, object: LakeObject, vectors: readonly Vector[], size: number): void {
    const { rows } = object;
    const isFull = this.#waitingRows + rows > GROUP_ROWS || this.#waitingBytes + size > GROUP_BYTES;
    if (isFull) this.#endGroup();
    for (const [c, column] of this.#waiting.entries())
      append(column, this.#waitingRows, vectors[c]!);
    this.#waitingRows += rows;
    this.#waitingBytes += size;
    this.#batches.push({ batch, rows });
    this.rows += rows;
    this.bytes += object.bytes;
  }

  #endGroup(): void {
    if (this.#waitingRows === 0) return;
    this.#writer.add(this.#waiting.map((column) => vectorTo(column, this.#waitingRows)));
    this.#waiting = this.columns.map((column) => growing(column));
    this.#waitingRows = 0;
    this.#waitingBytes = 0;
  }

  async put({ bucket, keyOf }: Place): Promise<CompactedObject> {
    this.#endGroup();
    const body = this.#writer.end();
    const key = keyOf(this.#table, this.#batches.at(-1)!.batch);
    await writeFileToS3(bucket, key, body, PARQUET);
    return {
      table: this.#table,
      key,
      rows: this.rows,
      bytes: body.length,
      sha256: sha256(body),
      batches: this.#batches,
    };
  }
}
