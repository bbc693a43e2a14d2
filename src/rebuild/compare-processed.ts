/** A rebuilt processed bucket against the one that was: the rows of each batch, whatever the bytes. */
import { Compacted, ofManifest } from "../compaction/compacted.ts";
import { openObject } from "../compaction/open.ts";
import {
  listBatches,
  readProcessedManifest,
  type LakeObject,
  type ProcessedManifest,
  type Read,
} from "../lake/manifest.ts";
import { readS3Json } from "../lake/objects.ts";
import { listReceipts, readReceipt } from "../lake/receipts.ts";
import type { ParquetCodec } from "../parquet/codec.ts";
import type { ParquetRows } from "../parquet/rows.ts";
import { fileColumns } from "../parquet/schema.ts";
import { deletedColumns, getColumnNames, keyOf, type SourceRow, type Table } from "../table.ts";
import { toText, type Stored } from "../values.ts";
import { storedAt, type Vector } from "../vectors.ts";
import { RebuildError } from "./error.ts";
import { isWithin, type BatchRange } from "./processed.ts";
import type { RowDifference } from "./compare-warehouses.ts";

/** What differs in one batch; `live` is the bucket that was. Of a row in quarantine the column is `_rejected`; of a row that no
 *  star row tells of, `_driven`; a batch that one bucket lacks is a key of the table `_batches`. */
export type BatchDifference = RowDifference & { readonly batch: number };

export interface ProcessedComparison {
  /** Batches that both buckets have. */
  readonly batches: number;
  /** Rows that were compared, by table. */
  readonly rows: Readonly<Record<string, number>>;
  /** Batches whose rows an earlier module made, by table: they may rightly differ, and were not compared. */
  readonly earlier: Readonly<Record<string, number>>;
}

/** The two buckets, and which of their batches. */
interface Sides extends BatchRange {
  readonly rebuilt: string;
  readonly live: string;
}

/**
 * Holds a rebuilt processed bucket against the one that was. Every object is read, and its hash verified.
 * @param found told of each difference
 * @param done told how many batches were compared
 * @throws ManifestError, ObjectError, ParquetError for a batch that is not what was committed
 */
export async function compareProcessed(
  sides: Sides,
  tables: readonly Table[],
  codec: ParquetCodec,
  found: (difference: BatchDifference) => void,
  done: (batches: number) => void = () => undefined,
): Promise<ProcessedComparison> {
  const batches = await batchesOfBoth(sides, found);
  const rows: Record<string, number> = {};
  const earlier: Record<string, number> = {};
  const openIn = (bucket: string) => {
    const compacted = new Compacted(bucket, codec);
    return (of: Read<ProcessedManifest>) => (object: LakeObject) =>
      openObject({ bucket, codec, compacted }, ofManifest(of), object);
  };
  const [openRebuilt, openLive] = [openIn(sides.rebuilt), openIn(sides.live)];
  for (const [i, batch] of batches.entries()) {
    const [ours, theirs] = [
      await manifestOf(sides.rebuilt, batch),
      await manifestOf(sides.live, batch),
    ];
    const { manifest: rebuilt } = ours;
    const { manifest: live } = theirs;
    const byName = new Map(tables.map((table) => [table.name, table]));
    for (const name of namesIn(rebuilt, live)) {
      const table = byName.get(name);
      if (!table || rebuilt.fingerprints[name] !== live.fingerprints[name]) {
        earlier[name] = (earlier[name] ?? 0) + 1;
        continue;
      }
      const of = (list: readonly LakeObject[]) => list.find((object) => object.table === name);
      const tell = (difference: RowDifference): void => found({ ...difference, batch });
      const compared = await compareRows(
        { open: openRebuilt(ours), object: of(rebuilt.objects) },
        { open: openLive(theirs), object: of(live.objects) },
        table,
        tell,
      );
      rows[name] = (rows[name] ?? 0) + compared;
      await compareRows(
        { open: openRebuilt(ours), object: of(rebuilt.deleted) },
        { open: openLive(theirs), object: of(live.deleted) },
        { ...table, columns: deletedColumns(table) },
        tell,
      );
      await compareRejected(
        { bucket: sides.rebuilt, object: of(rebuilt.rejected) },
        { bucket: sides.live, object: of(live.rejected) },
        name,
        tell,
      );
    }
    for (const source of new Set([...rebuilt.driven, ...live.driven].map(({ table }) => table))) {
      // An earlier module may rightly have made other rows of it.
      const made = tables.filter(({ sources }) => sources.some(({ name }) => name === source));
      if (made.some(({ name }) => rebuilt.fingerprints[name] !== live.fingerprints[name])) continue;
      const of = ({ driven }: ProcessedManifest) => driven.find(({ table }) => table === source);
      const ours = await linesOf({ bucket: sides.rebuilt, object: of(rebuilt) });
      const theirs = await linesOf({ bucket: sides.live, object: of(live) });
      compareLines(ours, theirs, ({ line, ...difference }) =>
        found({
          table: source,
          key: Object.fromEntries(
            Object.entries(JSON.parse(line) as SourceRow).map(([name, value]) => [
              name,
              keyText(value),
            ]),
          ),
          column: "_driven",
          ...difference,
          batch,
        }),
      );
    }
    done(i + 1);
  }
  return { batches: batches.length, rows, earlier };
}

/**
 * The batches that both buckets have. One that only one of them has, where the other has a newer, is a difference, unless an
 * operator left it out: then it may be in the bucket that was.
 */
async function batchesOfBoth(
  { rebuilt, live, ...range }: Sides,
  found: (difference: BatchDifference) => void,
): Promise<number[]> {
  const isAsked = isWithin(range);
  const [ours, theirs] = [await listBatches(rebuilt, 0), await listBatches(live, 0)];
  const tell = (batch: number, kind: "missing" | "extra"): void =>
    found({ table: "_batches", key: { batch: String(batch) }, kind, batch });
  for (const batch of ours.filter(isAsked))
    if (batch < (theirs.at(-1) ?? 0) && !theirs.includes(batch)) tell(batch, "extra");
  const receipts = await listReceipts(rebuilt);
  for (const batch of theirs.filter(isAsked)) {
    if (batch >= (ours.at(-1) ?? 0) || ours.includes(batch)) continue;
    const isSkipped =
      receipts.includes(batch) && (await readReceipt(rebuilt, batch)).skipped_why !== undefined;
    if (!isSkipped) tell(batch, "missing");
  }
  return ours.filter((batch) => isAsked(batch) && theirs.includes(batch));
}

async function manifestOf(bucket: string, batch: number): Promise<Read<ProcessedManifest>> {
  const read = await readProcessedManifest(bucket, batch);
  if (!read) throw new RebuildError(`the manifest of batch ${batch} is gone from ${bucket}`);
  return read;
}

/** The tables that either manifest has rows of, or was asked for. */
const namesIn = (...manifests: readonly ProcessedManifest[]): Set<string> =>
  new Set(
    manifests.flatMap(({ fingerprints, objects, rejected, deleted }) => [
      ...Object.keys(fingerprints),
      ...[...objects, ...rejected, ...deleted].map(({ table }) => table),
    ]),
  );

/** An object of one side; undefined where its batch has no such rows. */
interface Side {
  readonly bucket: string;
  readonly object: LakeObject | undefined;
}

/** The same, of Parquet. */
interface Opened {
  readonly object: LakeObject | undefined;
  readonly open: (object: LakeObject) => Promise<ParquetRows>;
}

/** The rows of one object, a column at a time. */
class Columns {
  readonly rows: number;
  readonly #read: (column: string) => Promise<Vector>;
  readonly #table: Table;

  constructor({ object, open }: Opened, table: Table) {
    this.#table = table;
    this.rows = object?.rows ?? 0;
    const columns = fileColumns(table.columns);
    let opened: Promise<ParquetRows> | undefined;
    this.#read = async (column) => {
      opened ??= open(object!);
      const wanted = columns.filter(({ name }) => name === column);
      const [vector] = await (await opened).read(wanted);
      return vector!;
    };
  }

  async texts(column: string): Promise<(string | null)[]> {
    if (this.rows === 0) return [];
    const vector = await this.#read(column);
    const declared = this.#table.columns[column]!;
    const text = (stored: Stored): string | null =>
      stored === null ? null : toText(declared, stored);
    return Array.from({ length: this.rows }, (_, row) => text(storedAt(vector, row)));
  }
}

/** Rows of one key are one in a batch: they are met by key, whatever their order. @returns how many were rebuilt */
async function compareRows(
  rebuilt: Opened,
  live: Opened,
  table: Table,
  found: (difference: RowDifference) => void,
): Promise<number> {
  const [ours, theirs] = [rebuilt, live].map((side) => new Columns(side, table));
  const key = keyOf(table);
  const keysOf = async (side: Columns): Promise<string[]> => {
    const columns: (string | null)[][] = [];
    for (const column of key) columns.push(await side.texts(column));
    return Array.from({ length: side.rows }, (_, row) =>
      JSON.stringify(columns.map((texts) => texts[row])),
    );
  };
  const ourKeys = await keysOf(ours!);
  const theirKeys = await keysOf(theirs!);
  const about = (texts: string): Pick<RowDifference, "table" | "key"> => {
    const values = JSON.parse(texts) as (string | null)[];
    return {
      table: table.name,
      key: Object.fromEntries(key.map((column, at) => [column, values[at]!])),
    };
  };
  const placeOf = new Map(theirKeys.map((texts, row) => [texts, row]));
  const pairs: [ours: number, theirs: number][] = [];
  for (const [row, texts] of ourKeys.entries()) {
    const there = placeOf.get(texts);
    placeOf.delete(texts);
    if (there === undefined) found({ ...about(texts), kind: "extra" });
    else pairs.push([row, there]);
  }
  for (const texts of placeOf.keys()) found({ ...about(texts), kind: "missing" });
  for (const column of getColumnNames(table).filter((one) => !key.includes(one))) {
    const a = await ours!.texts(column);
    const b = await theirs!.texts(column);
    for (const [row, there] of pairs)
      if (a[row] !== b[there])
        found({
          ...about(ourKeys[row]!),
          kind: "different",
          column,
          rebuilt: a[row]!,
          live: b[there]!,
        });
  }
  return ours!.rows;
}

const keyText = (value: unknown): string =>
  typeof value === "string" ? value : JSON.stringify(value);

async function compareRejected(
  rebuilt: Side,
  live: Side,
  table: string,
  found: (difference: RowDifference) => void,
): Promise<void> {
  const [ours, theirs] = await Promise.all([rebuilt, live].map(linesOf));
  compareLines(ours!, theirs!, ({ line, ...difference }) => {
    const { key } = JSON.parse(line) as SourceRow;
    found({
      table,
      key: { key: keyText(key) },
      column: "_rejected",
      ...difference,
    });
  });
}

type LineDifference = Required<Pick<RowDifference, "kind" | "rebuilt" | "live">> & {
  readonly line: string;
};

/** Lines come in the order of their source rows. */
function compareLines(
  rebuilt: readonly string[],
  live: readonly string[],
  found: (difference: LineDifference) => void,
): void {
  for (let at = 0; at < Math.max(rebuilt.length, live.length); at++) {
    const [a = null, b = null] = [rebuilt[at], live[at]];
    if (a === b) continue;
    const kind = a === null ? "missing" : b === null ? "extra" : "different";
    found({ kind, rebuilt: a, live: b, line: (a ?? b)! });
  }
}

async function linesOf({ bucket, object }: Side): Promise<string[]> {
  const lines: string[] = [];
  if (object)
    for await (const rows of readS3Json(bucket, object))
      for (const row of rows) lines.push(JSON.stringify(row));
  return lines;
}
