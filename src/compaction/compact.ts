/** Turns many small objects of the processed bucket into few. Nothing is deleted. */
import { randomBytes } from "node:crypto";
import { getBuild } from "../build.ts";
import {
  agreeOnRange,
  commitCompaction,
  type Compaction,
  type CompactedObject,
} from "../lake/compactions.ts";
import { deletedPath, getObjectPath } from "../lake/keys.ts";
import type { LakeObject } from "../lake/manifest.ts";
import type { ParquetCodec } from "../parquet/codec.ts";
import { unseen, type Progress } from "../progress.ts";
import {
  nextRange,
  readBatches,
  upToMost,
  USUAL,
  type Batch,
  type Range,
  type RangeOptions,
} from "./range.ts";
import { LIMITS, writePieces, type Limits, type Piece, type Place } from "./write.ts";

/** How many objects, and what is in them. */
export interface Size {
  readonly objects: number;
  readonly rows: number;
  readonly bytes: number;
}

/** What a compaction did, or would do. */
export interface CompactionSummary {
  /** The first and the last batch. */
  readonly from: number;
  readonly to: number;
  /**
   * `lost the race`: another run committed the same batches first; what this one wrote is in no manifest. `dry`: nothing was
   * written.
   */
  readonly outcome: "committed" | "lost the race" | "dry";
  /** The objects of the batches. */
  readonly before: Size;
  /** Those that stand for them; absent where none were written. */
  readonly after?: Size;
  /** Of those, each table's. */
  readonly tables: Readonly<Record<string, number>>;
  readonly seconds: number;
}

export interface CompactOptions extends Partial<RangeOptions> {
  /** Only says what it would do. */
  readonly dry?: boolean;
  /** Asked before each compaction but the first: false leaves the rest to the next run. */
  readonly goOn?: () => boolean;
  /** Told of each compaction. */
  readonly done?: (summary: CompactionSummary) => void;
  readonly progress?: Progress;
  readonly limits?: Limits;
  /** The day that the objects are filed under. */
  readonly at?: Date;
}

/**
 * Compacts all batches that are due, so many at a time. A pure function of the batches: run twice, it makes the same rows.
 * @throws CompactionError; ManifestError, ObjectError, ParquetError for a batch that is not what was committed: compactions
 *   before it stand, and nothing of this one is half-done
 */
export async function compact(
  bucket: string,
  codec: ParquetCodec,
  options: CompactOptions = {},
): Promise<CompactionSummary[]> {
  const { goOn = () => true, done = () => undefined, dry = false } = options;
  const asked = { ...USUAL, ...options };
  const all: CompactionSummary[] = [];
  for (let last: CompactionSummary | undefined; !last || goOn();) {
    const range = await nextRange(bucket, asked, dry ? last : undefined);
    // Whoever won the race for the last one has not committed it yet, and may never: what follows it is the next run's.
    const isLeft = !dry && last !== undefined && range !== undefined && range.from <= last.to;
    if (!range || isLeft) break;
    last = await (dry ? look(bucket, range) : compactRange(bucket, codec, range, options));
    all.push(last);
    done(last);
  }
  return all;
}

async function look(bucket: string, range: Range): Promise<CompactionSummary> {
  const started = performance.now();
  const batches = await readMost(bucket, range);
  const seconds = (performance.now() - started) / 1000;
  const { from } = range;
  const to = from + batches.length - 1;
  return { from, to, outcome: "dry", before: sizeOf(ownOf(batches)), tables: {}, seconds };
}

/** The batches of a range that one compaction takes. */
async function readMost(bucket: string, range: Range): Promise<readonly Batch[]> {
  const batches = await readBatches(bucket, range);
  return range.isAgreed ? batches : upToMost(batches);
}

/** The batches that all runs have agreed on. */
async function readAgreed(bucket: string, range: Range): Promise<readonly Batch[]> {
  const { from } = range;
  const batches = await readMost(bucket, range);
  const last = from + batches.length - 1;
  const to = await agreeOnRange(bucket, from, last);
  return to === last ? batches : readBatches(bucket, { from, to });
}

async function compactRange(
  bucket: string,
  codec: ParquetCodec,
  range: Range,
  { at = new Date(), limits = LIMITS, progress = unseen }: CompactOptions,
): Promise<CompactionSummary> {
  const started = performance.now();
  const { before, from } = range;
  const batches = await readAgreed(bucket, range);
  const to = from + batches.length - 1;
  const run = randomBytes(6).toString("hex");
  const own = sizeOf(ownOf(batches));
  const written = await progress(own.objects, "objects", async (done) => {
    let count = 0;
    const write = async (
      list: "objects" | "deleted",
      path: typeof getObjectPath,
    ): Promise<CompactedObject[]> => {
      const place: Place = {
        bucket,
        codec,
        limits,
        keyOf: (table, batch) => path(table, { at, batch, run }, "parquet"),
      };
      const made: CompactedObject[] = [];
      for (const pieces of byTable(batches, list))
        made.push(...(await writePieces(place, pieces, () => done(++count))));
      return made;
    };
    return {
      objects: await write("objects", getObjectPath),
      deleted: await write("deleted", deletedPath),
    };
  });
  const manifest: Compaction = {
    compaction: (before?.manifest.compaction ?? 0) + 1,
    from,
    to,
    kind: "compaction",
    run,
    previous_sha256: before?.sha256 ?? null,
    committed_at: new Date().toISOString(),
    build: getBuild(),
    manifests: batches.map(({ sha256 }) => sha256),
    ...written,
  };
  const committed = await commitCompaction(bucket, manifest);
  const objects = [...written.objects, ...written.deleted];
  const tables: Record<string, number> = {};
  for (const { table } of objects) tables[table] = (tables[table] ?? 0) + 1;
  return {
    from,
    to,
    outcome: committed ? "committed" : "lost the race",
    before: own,
    after: sizeOf(objects),
    tables,
    seconds: (performance.now() - started) / 1000,
  };
}

/** Each table's objects in the order of their batches, the tables in the order of their names. */
function byTable(batches: readonly Batch[], list: "objects" | "deleted"): Piece[][] {
  const pieces = new Map<string, Piece[]>();
  for (const { batch, [list]: objects } of batches)
    for (const object of objects) {
      const of = pieces.get(object.table) ?? [];
      of.push({ batch, object });
      pieces.set(object.table, of);
    }
  return [...pieces].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, of]) => of);
}

const ownOf = (batches: readonly Batch[]): LakeObject[] =>
  batches.flatMap(({ objects, deleted }) => [...objects, ...deleted]);

const sizeOf = (objects: readonly LakeObject[]): Size => ({
  objects: objects.length,
  rows: objects.reduce((sum, { rows }) => sum + rows, 0),
  bytes: objects.reduce((sum, { bytes }) => sum + bytes, 0),
});
