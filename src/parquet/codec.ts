import type { Stretch, Vector } from "../vectors.ts";
import { hyparquet } from "./hyparquet.ts";
import { parquets } from "./parquets.ts";
import type { FileColumn } from "./schema.ts";

export { ParquetError } from "./error.ts";

/** Writes and reads Parquet files, a column at a time: `vectors[c]` is what `columns[c]` holds. */
export interface ParquetCodec {
  readonly name: string;
  /**
   * A whole file. Throws ParquetError for a value that its column cannot hold, for a vector of another layout
   * than its column's, and for columns of different lengths.
   */
  write(columns: readonly FileColumn[], vectors: readonly Vector[]): Promise<Buffer>;
  /**
   * The columns asked for, found by name, in the order asked for; others in the file are left alone. A
   * column that the file does not have (it was declared later) is null in every row, or the placeholder
   * where it is not nullable. Throws ParquetError for a differently typed column, a null where none may be,
   * and a damaged file.
   * Not every flipped bit shows: verify the file's hash first.
   * @param stretch the rows asked for; all of them where undefined
   */
  read(bytes: Buffer, columns: readonly FileColumn[], stretch?: Stretch): Promise<Vector[]>;
  /**
   * How many bytes the columns asked for take when nothing is compressed; 0 where this codec reads a column whole in any
   * case. Throws ParquetError for a damaged file.
   */
  sizeOf(bytes: Buffer, columns: readonly FileColumn[]): number;
  /** A file that is written some rows at a time. Throws ParquetError as `write` does, once the rows come. */
  writer(columns: readonly FileColumn[]): Promise<FileWriter>;
  /**
   * The columns that a file says it has, in its order; none is part of a key, as a file does not tell. Where the codec's files
   * do not tell a time from a text, it is a text. Throws ParquetError for a damaged file, and for a type that no column has.
   */
  columnsOf(bytes: Buffer): Promise<FileColumn[]>;
}

/** A file in the making. */
export interface FileWriter {
  /** Adds rows, as row groups of their own: readers like those of many rows. */
  add(vectors: readonly Vector[]): void;
  /** The whole file. */
  end(): Buffer;
}

const CODECS: ReadonlyMap<string, ParquetCodec> = new Map(
  [hyparquet, parquets].map((codec) => [codec.name, codec]),
);

/**
 * The codec of that name: `hyparquet` (the default) or `parquets`, whose package is loaded only when that one
 * is used. Throws for any other name.
 */
export async function codecNamed(name: string = hyparquet.name): Promise<ParquetCodec> {
  const codec = CODECS.get(name);
  if (codec !== undefined) return codec;
  throw new Error(`no Parquet codec "${name}": choose from ${[...CODECS.keys()].join(", ")}`);
}
