/** What the lake has of one batch: its manifest, and its objects as vectors. */
import { awaitedLater, concerning } from "../errors.ts";
import {
  readProcessedManifest,
  type LakeObject,
  type ProcessedManifest,
  type Read,
} from "../lake/manifest.ts";
import { getIfThere, goneError } from "../lake/objects.ts";
import type { ParquetCodec } from "../parquet/codec.ts";
import { rowsOf, type ParquetRows } from "../parquet/rows.ts";
import { BATCH_COLUMN, fileColumns } from "../parquet/schema.ts";
import { deletedColumns, getColumnNames, type Table } from "../table.ts";
import { layoutOf, type Stretch, type Vector } from "../vectors.ts";

/** How many bytes of a batch's objects are kept: bigger ones are fetched when they are read, each time. */
const KEPT_BYTES = 32 << 20;
/** How many bytes of vectors are decoded ahead of their batch's turn. */
const DECODED_BYTES = 32 << 20;
/** How many bytes of texts are read at once: strings of more would be what most of the memory goes for. */
const TEXT_BYTES = 4 << 20;
/** A value's bytes, which a file does not say of texts: those are decoded at their turn. A bigint is an object. */
const VALUE_BYTES = { int32: 4, float64: 8, boolean: 1, bigint: 40, text: Infinity } as const;

/** Gives the rows of an object that is gone, where the lake has them elsewhere. @throws ManifestError, ObjectError */
export type Instead = (of: Read<ProcessedManifest>, object: LakeObject) => Promise<ParquetRows>;

/** An object that was fetched and verified. */
type Fetched = (codec: ParquetCodec) => ParquetRows;

/** A batch whose manifest is on its way. What goes wrong is said when it is asked for. */
export class BatchFiles {
  readonly bucket: string;
  readonly batch: number;
  readonly manifest: Promise<Read<ProcessedManifest> | undefined>;
  readonly #instead: Instead | undefined;
  readonly #kept = new Map<string, Promise<Fetched>>();
  #left = KEPT_BYTES;
  /** Columns decoded ahead, by object: each until it is read. */
  readonly #decoded = new Map<string, Map<string, Vector>>();
  /** Columns that nobody has, by object: once there is none, its bytes are let go of. */
  readonly #undecoded = new Map<string, Set<string>>();
  #isRead = false;

  /** @param instead where an object's rows are looked for when it is gone; without it, that is an error */
  constructor(bucket: string, batch: number, instead?: Instead) {
    this.bucket = bucket;
    this.batch = batch;
    this.#instead = instead;
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
   * Decodes what there is room for of what was fetched ahead, while something else is at work, a column at a time. What
   * goes wrong is left to whoever reads it: it goes wrong again.
   */
  async decodeAhead(tables: readonly Table[], codec: ParquetCodec): Promise<void> {
    const found = await this.manifest.catch(() => undefined);
    let room = DECODED_BYTES;
    for (const object of found?.manifest.objects ?? []) {
      const table = tables.find(({ name }) => name === object.table);
      const fetched = await this.#kept.get(object.key)?.catch(() => undefined);
      if (!table || !fetched) continue;
      for (const column of fileColumns(table.columns)) {
        const size = object.rows * VALUE_BYTES[layoutOf(column)];
        if (!(column.name in table.columns) || size > room) continue;
        await new Promise(setImmediate);
        if (this.#isRead) return;
        let vector: Vector | undefined;
        try {
          [vector] = await fetched(codec).read([column]);
        } catch {
          return;
        }
        room -= size;
        const decoded = this.#decoded.get(object.key) ?? new Map<string, Vector>();
        this.#decoded.set(object.key, decoded.set(column.name, vector!));
        this.#letGo(object, table, [column.name]);
      }
    }
  }

  /**
   * Reads the columns of that name, in the order of `columns`; verified against the manifest. Each once: what was read is
   * the caller's alone.
   * @param stretch the rows asked for, up to the last; all of them where undefined
   * @throws ObjectError, ParquetError
   */
  async read(
    object: LakeObject,
    table: Table,
    columns: readonly string[],
    codec: ParquetCodec,
    stretch?: Stretch,
  ): Promise<Map<string, Vector>> {
    this.#isRead = true;
    const decoded = this.#decoded.get(object.key);
    const wanted = fileColumns(table.columns).filter(({ name }) => columns.includes(name));
    const missing = wanted.filter(({ name }) => !decoded?.has(name));
    const found = new Map<string, Vector>();
    if (missing.length > 0) {
      const fetched = await (this.#keep(object) ?? this.#fetch(object));
      const vectors = await fetched(codec).read(missing, stretch);
      const names = missing.map(({ name }) => name);
      for (const [at, name] of names.entries()) found.set(name, vectors[at]!);
      if (stretch === undefined || stretch.to === object.rows) this.#letGo(object, table, names);
    }
    const read = new Map(
      wanted.map(({ name }) => [name, found.get(name) ?? decoded!.get(name)!] as const),
    );
    for (const { name } of wanted) decoded?.delete(name);
    return read;
  }

  /**
   * Reads the keys of rows that are gone, and when; verified against the manifest. Undefined where they are of a key that the
   * table had before.
   * @throws ObjectError, ParquetError
   */
  async readDeleted(
    object: LakeObject,
    table: Table,
    codec: ParquetCodec,
  ): Promise<Map<string, Vector> | undefined> {
    const fetched = await this.#fetch(object);
    // A column that the file lacks is read as nulls then, and not as some value.
    const columns = fileColumns(deletedColumns(table))
      .filter(({ name }) => name !== BATCH_COLUMN)
      .map((column) => ({ ...column, key: false, nullable: true }));
    const vectors = await fetched(codec).read(columns);
    if (vectors.some(({ nulls }) => nulls !== undefined)) return undefined;
    return new Map(columns.map(({ name }, at) => [name, vectors[at]!]));
  }

  /**
   * The stretches of rows that texts of that name are read in; undefined where all are read at once.
   * @throws ObjectError, ParquetError
   */
  async stretches(
    object: LakeObject,
    table: Table,
    texts: readonly string[],
    codec: ParquetCodec,
  ): Promise<Stretch[] | undefined> {
    if (texts.length === 0) return undefined;
    const columns = fileColumns(table.columns).filter(({ name }) => texts.includes(name));
    const fetched = this.#keep(object) ?? this.#fetch(object);
    const size = (await fetched)(codec).sizeOf(columns);
    if (size <= TEXT_BYTES) return undefined;
    // Whatever its size: it is read many times now.
    this.#kept.set(object.key, fetched);
    const rows = Math.max(1, Math.floor((object.rows * TEXT_BYTES) / size));
    return Array.from({ length: Math.ceil(object.rows / rows) }, (_, i) => ({
      from: i * rows,
      to: Math.min((i + 1) * rows, object.rows),
    }));
  }

  /** @throws ObjectError */
  #fetch(object: LakeObject): Promise<Fetched> {
    return concerning({ table: object.table }, async (): Promise<Fetched> => {
      const bytes = await getIfThere(this.bucket, object);
      const where = `s3://${this.bucket}/${object.key}`;
      if (bytes) return (codec) => rowsOf(codec, bytes, { ...object, where });
      const of = await this.manifest;
      if (!of || !this.#instead) throw goneError(this.bucket, object);
      const rows = await this.#instead(of, object);
      return () => rows;
    });
  }

  /** Nobody needs an object's bytes any more once all its columns are decoded. */
  #letGo(object: LakeObject, table: Table, decoded: readonly string[]): void {
    const left = this.#undecoded.get(object.key) ?? new Set(getColumnNames(table));
    this.#undecoded.set(object.key, left);
    for (const name of decoded) left.delete(name);
    if (left.size === 0) this.#kept.delete(object.key);
  }

  /** An object's bytes, now or soon; undefined where there is no room for them. */
  #keep(object: LakeObject): Promise<Fetched> | undefined {
    const kept = this.#kept.get(object.key);
    if (kept !== undefined || object.bytes > this.#left) return kept;
    this.#left -= object.bytes;
    const fetched = awaitedLater(this.#fetch(object));
    this.#kept.set(object.key, fetched);
    return fetched;
  }
}
