/** What the lake has ever made of a record. */
import {
  readProcessedManifest,
  type LakeObject,
  type ProcessedManifest,
  type Read,
} from "../lake/manifest.ts";
import { Compacted } from "../compaction/compacted.ts";
import type { OfBatch } from "../lake/compactions.ts";
import { openObject } from "../compaction/open.ts";
import type { ParquetCodec } from "../parquet/codec.ts";
import type { ParquetRows } from "../parquet/rows.ts";
import { ObjectError } from "../lake/objects.ts";
import { fileColumns } from "../parquet/schema.ts";
import { deletedColumns, getColumnNames, keyOf, type Columns, type Table } from "../table.ts";
import { storedAt, type Vector } from "../vectors.ts";
import { idOf } from "./source-rows.ts";
import { textOf, type Texts } from "./texts.ts";

/** Manifests that are read at once. */
const AT_ONCE = 16;

/** What a batch says of a record: its state; or that its source row is gone, or is to leave the warehouse. */
export type State = Texts | "gone" | "removed";

/** What is kept of a batch's manifest: there may be years of them. */
interface Batch extends OfBatch {
  readonly gone: "gone" | "removed";
  readonly objects: readonly LakeObject[];
  readonly deleted: readonly LakeObject[];
}

/** Told of a record's states, the newest first; true: it has seen what it wanted to. */
export type Seen = (state: State, batch: number) => boolean;

/** The processed bucket up to a batch. */
export class History {
  readonly #bucket: string;
  readonly #open: (of: OfBatch, object: LakeObject) => Promise<ParquetRows>;
  /** The newest batch whose manifest was not read yet. */
  #next: number;
  /** Those that were read, from the newest on. */
  readonly #batches: Batch[] = [];
  /** Each table's name once. */
  readonly #names = new Map<string, string>();
  /** By object, the ids that it is known to have at least and at most, where its key is a number. */
  readonly #spans = new Map<string, Span>();

  /** The object that was read last: records come in the order of their keys, as its rows do, some at a time. */
  #last: Rows | undefined;

  /** Batches that were left out, whose objects may be why: what of them cannot be read is passed over. */
  readonly #skipped: ReadonlySet<number>;

  constructor(
    bucket: string,
    codec: ParquetCodec,
    { newest, skipped }: { readonly newest: number; readonly skipped: ReadonlySet<number> },
  ) {
    this.#bucket = bucket;
    const compacted = new Compacted(bucket, codec);
    this.#open = (of, object) => openObject({ bucket, codec, compacted }, of, object);
    this.#skipped = skipped;
    this.#next = newest;
  }

  /**
   * Goes back through the batches until each record's `Seen` is content, or there are no more.
   * @param wanted by the record's id
   * @throws ManifestError, ObjectError, ParquetError where the lake is not what was committed, but for a batch that was skipped
   */
  async walk(table: Table, wanted: ReadonlyMap<string, Seen>): Promise<void> {
    const left = new Map(wanted);
    const keys = spanOf(table, left.keys());
    for await (const batch of this.#back()) {
      if (left.size === 0) return;
      try {
        // A batch's rows are loaded first, and what is gone goes then.
        for (const object of batch.deleted.filter((one) => one.table === table.name))
          await this.#lookGone(table, object, batch, left);
        for (const object of batch.objects.filter((one) => one.table === table.name)) {
          const span = this.#spans.get(object.key);
          if (span && keys && (span.highest < keys.lowest || span.lowest > keys.highest)) continue;
          await this.#look(table, object, batch, left);
        }
      } catch (error) {
        if (!(error instanceof ObjectError && this.#skipped.has(batch.batch))) throw error;
      }
    }
  }

  async #look(
    table: Table,
    object: LakeObject,
    of: OfBatch,
    left: Map<string, Seen>,
  ): Promise<void> {
    const rows = await this.#rowsOf(table, object, of, left);
    if (rows === undefined) return;
    const names = getColumnNames(table);
    const state = (row: number): Texts =>
      names.map((column) =>
        textOf(table.columns[column]!, storedAt(rows.columns.get(column)!, row)),
      );
    for (const [id, seen] of left) {
      const row = rows.rowOf.get(id);
      if (row !== undefined && seen(state(row), of.batch)) left.delete(id);
    }
  }

  /** An object's rows; undefined where it has none of those that are wanted. */
  async #rowsOf(
    table: Table,
    object: LakeObject,
    of: OfBatch,
    wanted: ReadonlyMap<string, Seen>,
  ): Promise<Rows | undefined> {
    if (this.#last?.key === object.key) return this.#last;
    const opened = await this.#open(of, object);
    const key = keyOf(table);
    const keys = await decode(table.columns, opened, key);
    const rowOf = new Map(idsOf(table, keys, object.rows).map((id, row) => [id, row] as const));
    const span = spanOf(table, rowOf.keys());
    if (span) this.#spans.set(object.key, span);
    if (![...wanted.keys()].some((id) => rowOf.has(id))) return undefined;
    const others = getColumnNames(table).filter((column) => !key.includes(column));
    const rest = await decode(table.columns, opened, others);
    this.#last = { key: object.key, rowOf, columns: new Map([...keys, ...rest]) };
    return this.#last;
  }

  async #lookGone(
    table: Table,
    object: LakeObject,
    of: Batch,
    left: Map<string, Seen>,
  ): Promise<void> {
    const keys = await decode(deletedColumns(table), await this.#open(of, object), keyOf(table));
    for (const id of idsOf(table, keys, object.rows))
      if (left.get(id)?.(of.gone, of.batch) === true) left.delete(id);
  }

  /** The batches, from the newest on. One that was skipped before it was transformed has no manifest. */
  async *#back(): AsyncGenerator<Batch> {
    for (let at = 0; ; at++) {
      if (at === this.#batches.length && !(await this.#readMore())) return;
      yield this.#batches[at]!;
    }
  }

  async #readMore(): Promise<boolean> {
    while (this.#next > 0) {
      const batches = Array.from(
        { length: Math.min(AT_ONCE, this.#next) },
        (_, i) => this.#next - i,
      );
      this.#next -= batches.length;
      const read = await Promise.all(
        batches.map((batch) => readProcessedManifest(this.#bucket, batch)),
      );
      const found = read.filter((one) => one !== undefined);
      for (const one of found) this.#batches.push(this.#keep(one));
      if (found.length > 0) return true;
    }
    return false;
  }

  #keep({ manifest, sha256 }: Read<ProcessedManifest>): Batch {
    const { batch, kind, objects, deleted } = manifest;
    const kept = (all: readonly LakeObject[]): LakeObject[] =>
      all.map((object) => ({ ...object, table: this.#nameOf(object.table) }));
    const gone = kind === "resync" ? "removed" : "gone";
    return { batch, sha256, gone, objects: kept(objects), deleted: kept(deleted) };
  }

  #nameOf(table: string): string {
    const name = this.#names.get(table);
    if (name === undefined) this.#names.set(table, table);
    return name ?? table;
  }
}

/** An object's rows: a batch has one a record. */
interface Rows {
  readonly key: string;
  readonly rowOf: ReadonlyMap<string, number>;
  readonly columns: ReadonlyMap<string, Vector>;
}

/** Columns of an object, by name. */
async function decode(
  declared: Columns,
  rows: ParquetRows,
  names: readonly string[],
): Promise<Map<string, Vector>> {
  if (names.length === 0) return new Map();
  const columns = fileColumns(declared).filter((column) => names.includes(column.name));
  const vectors = await rows.read(columns);
  return new Map(columns.map((column, at) => [column.name, vectors[at]!]));
}

/** The ids of an object's rows. */
function idsOf(table: Table, keys: ReadonlyMap<string, Vector>, rows: number): string[] {
  const columns = keyOf(table).map(
    (column) => [table.columns[column]!, keys.get(column)!] as const,
  );
  return Array.from({ length: rows }, (_, row) =>
    idOf(columns.map(([column, vector]) => textOf(column, storedAt(vector, row)))),
  );
}

interface Span {
  readonly lowest: number;
  readonly highest: number;
}

/** The lowest and the highest of keys that are numbers; undefined of others. */
function spanOf(table: Table, ids: Iterable<string>): Span | undefined {
  const [key, ...more] = keyOf(table);
  const { type } = table.columns[key!]!;
  if (more.length > 0 || (type !== "integer" && type !== "bigint")) return undefined;
  let lowest = Infinity;
  let highest = -Infinity;
  for (const id of ids) {
    const number = Number(id);
    if (number < lowest) lowest = number;
    if (number > highest) highest = number;
  }
  return { lowest, highest };
}
