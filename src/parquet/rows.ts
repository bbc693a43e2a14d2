/** Rows of a table in the lake: a whole file's, or a stretch of one that holds others' too. */
import { noted } from "../errors.ts";
import type { Stretch, Vector } from "../vectors.ts";
import type { ParquetCodec } from "./codec.ts";
import { ParquetError } from "./error.ts";
import type { FileColumn } from "./schema.ts";

export interface ParquetRows {
  /** How many there are. */
  readonly rows: number;
  /**
   * The columns asked for, as the codec reads them.
   * @param stretch of these rows; all of them where undefined
   * @throws ParquetError that says of which object and table
   */
  read(columns: readonly FileColumn[], stretch?: Stretch): Promise<Vector[]>;
  /** As the codec's `sizeOf`, of these rows; about, where a file holds others' too. @throws ParquetError */
  sizeOf(columns: readonly FileColumn[]): number;
}

/** What is known of a file besides its bytes. */
export interface FileOf {
  /** For messages: `s3://bucket/key`. */
  readonly where: string;
  readonly table: string;
  readonly rows: number;
}

/** All rows of a file. */
export function rowsOf(codec: ParquetCodec, bytes: Buffer, of: FileOf): ParquetRows {
  const { rows } = of;
  return {
    rows,
    read: async (columns, stretch) => {
      const vectors = await told(of, () => codec.read(bytes, columns, stretch));
      const expected = stretch === undefined ? rows : stretch.to - stretch.from;
      const found = vectors[0]?.values.length ?? expected;
      if (found !== expected) throw damaged(of, `expected ${expected} rows, found ${found}`);
      return vectors;
    },
    sizeOf: (columns) => {
      try {
        return codec.sizeOf(bytes, columns);
      } catch (cause) {
        throw damaged(of, (cause as Error).message, cause);
      }
    },
  };
}

/** The columns that a file says it has. @throws ParquetError that says of which object and table */
export const columnsIn = (codec: ParquetCodec, bytes: Buffer, of: FileOf): Promise<FileColumn[]> =>
  told(of, () => codec.columnsOf(bytes));

async function told<T>(of: FileOf, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw damaged(of, (cause as Error).message, cause);
  }
}

const damaged = ({ where, table }: FileOf, why: string, cause?: unknown): ParquetError =>
  noted(new ParquetError(`${where}: ${why}`, { cause }), { table });
