/** What the lake has ever made of a record. */
import {
  readProcessedManifest,
  type LakeObject,
  type ProcessedManifest,
} from "../lake/manifest.ts";
import { getContentFromFile } from "../lake/objects.ts";
import { ParquetError, type ParquetCodec } from "../parquet/codec.ts";
import { fileColumns } from "../parquet/schema.ts";
import { getColumnNames, keyOf, type Table } from "../table.ts";
import { storedAt, type Vector } from "../vectors.ts";
import { idOf } from "./source-rows.ts";
import { textOf, type Texts } from "./texts.ts";

/** Manifests that are read at once. */
const AT_ONCE = 16;

/** Told of a record's states, the newest first; true: it has seen what it wanted to. */
export type Seen = (state: Texts, batch: number) => boolean;

/** The processed bucket up to a batch. */
export class History {
  readonly #bucket: string;
  readonly #codec: ParquetCodec;
  /** The newest batch whose manifest was not read yet. */
  #next: number;
  /** The manifests that were read, from the newest on. */
  readonly #manifests: ProcessedManifest[] = [];
  /** By object, the ids that it is known to have at least and at most, where its key is a number. */
  readonly #spans = new Map<string, Span>();

  constructor(bucket: string, codec: ParquetCodec, newest: number) {
    this.#bucket = bucket;
    this.#codec = codec;
    this.#next = newest;
  }

  /**
   * Goes back through the batches until each record's `Seen` is content, or there are no more.
   * @param wanted by the record's id
   * @throws ManifestError, ObjectError, ParquetError where the lake is not what was committed
   */
  async walk(table: Table, wanted: ReadonlyMap<string, Seen>): Promise<void> {
    const left = new Map(wanted);
    const keys = spanOf(table, left.keys());
    for await (const { batch, objects } of this.#back()) {
      if (left.size === 0) return;
      for (const object of objects.filter((one) => one.table === table.name)) {
        const span = this.#spans.get(object.key);
        if (span && keys && (span.highest < keys.lowest || span.lowest > keys.highest)) continue;
        await this.#look(table, object, batch, left);
      }
    }
  }

  async #look(
    table: Table,
    object: LakeObject,
    batch: number,
    left: Map<string, Seen>,
  ): Promise<void> {
    const bytes = await getContentFromFile(this.#bucket, object);
    const key = keyOf(table);
    const keys = await this.#decode(table, object, bytes, key);
    const ids = Array.from({ length: object.rows }, (_, row) =>
      idOf(key.map((column) => textOf(table.columns[column]!, storedAt(keys.get(column)!, row)))),
    );
    const span = spanOf(table, ids);
    if (span) this.#spans.set(object.key, span);
    if (!ids.some((id) => left.has(id))) return;
    const names = getColumnNames(table);
    const others = names.filter((column) => !key.includes(column));
    const columns = new Map([...keys, ...(await this.#decode(table, object, bytes, others))]);
    for (const [row, id] of ids.entries()) {
      const seen = left.get(id);
      const state = (): Texts =>
        names.map((column) => textOf(table.columns[column]!, storedAt(columns.get(column)!, row)));
      if (seen?.(state(), batch) === true) left.delete(id);
    }
  }

  async #decode(
    table: Table,
    object: LakeObject,
    bytes: Buffer,
    names: readonly string[],
  ): Promise<Map<string, Vector>> {
    if (names.length === 0) return new Map();
    const columns = fileColumns(table.columns).filter((column) => names.includes(column.name));
    try {
      const vectors = await this.#codec.read(bytes, columns);
      return new Map(columns.map((column, at) => [column.name, vectors[at]!]));
    } catch (cause) {
      throw new ParquetError(`s3://${this.#bucket}/${object.key}: ${(cause as Error).message}`, {
        cause,
      });
    }
  }

  /** The manifests, from the newest on. A batch that was skipped before it was transformed has none. */
  async *#back(): AsyncGenerator<ProcessedManifest> {
    for (let at = 0; ; at++) {
      if (at === this.#manifests.length && !(await this.#readMore())) return;
      const manifest = this.#manifests[at];
      if (manifest) yield manifest;
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
      const found = read.flatMap((one) => one?.manifest ?? []);
      this.#manifests.push(...found);
      if (found.length > 0) return true;
    }
    return false;
  }
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
