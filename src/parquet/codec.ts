import type { Stored } from "../values.ts";
import { hyparquet } from "./hyparquet.ts";
import { parquets } from "./parquets.ts";
import type { FileColumn } from "./schema.ts";

export { ParquetError } from "./error.ts";

/**
 * Writes and reads Parquet files, a column at a time: `data[c][r]` is row r of `columns[c]`, as
 * `src/values.ts` stores it.
 */
export interface ParquetCodec {
  readonly name: string;
  /**
   * A whole file. Typed arrays (Int32Array, BigInt64Array) are welcome in `data`. Throws ParquetError for
   * a value that its column cannot hold and for columns of different lengths.
   */
  write(columns: readonly FileColumn[], data: readonly ArrayLike<Stored>[]): Promise<Buffer>;
  /**
   * The columns asked for, found by name, in the order asked for; others in the file are left alone. A
   * column that the file does not have (it was declared later) is null in every row, or the placeholder
   * where it is not nullable. Throws ParquetError for a differently typed column, a null where none may be,
   * and a damaged file.
   * Not every flipped bit shows: verify the file's hash first.
   */
  read(bytes: Buffer, columns: readonly FileColumn[]): Promise<Stored[][]>;
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
