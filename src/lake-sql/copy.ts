/** A copy of the lake on this machine: what an engine reads that cannot reach the bucket. */
import { randomUUID } from "node:crypto";
import { access, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import {
  getOfBatch,
  listCompactions,
  objectsIn,
  readCompaction,
  type Compaction,
} from "../lake/compactions.ts";
import {
  BATCHES,
  compactionKey,
  COMPACTIONS,
  LOADS,
  manifestKey,
  receiptKey,
} from "../lake/keys.ts";
import {
  getIfSmall,
  listBatches,
  ManifestError,
  readProcessedManifest,
  type LakeObject,
  type ProcessedManifest,
} from "../lake/manifest.ts";
import { listReceipts, readReceipt, type Receipt } from "../lake/receipts.ts";
import { eachOf } from "../at-once.ts";

/** A lake that cannot be asked: says what is missing. */
export class LakeError extends Error {
  override readonly name = "LakeError";
}

export interface CopiedLake {
  /** The last batch that is there with all before it: the views end with it. */
  readonly newest: number;
  /** Why there are others behind it that are not shown; absent where there are none. */
  readonly why?: string;
  /** Whether that is damage, rather than a matter of minutes. */
  readonly isDamaged: boolean;
  /** Objects that were not there before. */
  readonly copied: number;
}

/** Requests that are under way at a time. */
const AT_ONCE = 8;
/** Where files are written until they are whole. */
const PARTS = ".parts";

/**
 * Makes a folder a copy of what the manifests of a processed bucket name, of the manifests and the receipts. What is there
 * already is not read again: nothing of it is ever overwritten. Two at once do no harm to who asks up to `newest` alone: the
 * other may have copied what is newer.
 * @param asOf the last batch whose objects are wanted
 * @throws LakeError where there is no such batch; what reading throws where an object is gone, or not what was committed
 */
export async function copyLake(bucket: string, folder: string, asOf?: number): Promise<CopiedLake> {
  const numbers = await listBatches(bucket, 0);
  const last = numbers.at(-1);
  if (last === undefined)
    throw new LakeError(
      `s3://${bucket} has no batch yet: run the pipeline first (npx totes run), or name the processed bucket`,
    );
  await discardOther(bucket, folder, numbers[0]!);
  const copy = <T>(kind: Kind<T>, all: readonly number[]): Promise<T[]> =>
    copyAll(bucket, folder, kind, all);
  const lake: Lake = {
    manifests: await copy(MANIFESTS, numbers),
    compactions: await copy(OF_COMPACTIONS, await listCompactions(bucket)),
    receipts: await copy(RECEIPTS, await listReceipts(bucket)),
  };
  const newest = lastOf(lake);
  // What has a receipt was loaded, and so was transformed.
  const wasLoaded = lake.receipts.some(({ batch }) => batch === newest + 1);
  const why = wasLoaded
    ? `the manifest of batch ${newest + 1} is gone: restore s3://${bucket}/${manifestKey(newest + 1)} from its version`
    : last > newest
      ? `batch ${newest + 1} is not transformed yet`
      : undefined;
  if (asOf !== undefined && asOf > newest)
    throw new LakeError(
      `there is no batch ${asOf}: the newest of s3://${bucket} is ${newest}${why === undefined ? "" : `, as ${why}`}`,
    );
  let copied = 0;
  await eachOf(committed(lake, asOf ?? newest), AT_ONCE, async ({ batch, object }) => {
    const file = path.join(folder, object.key);
    if (await isThere(file)) return;
    await put(folder, file, await getOfBatch(bucket, batch, object));
    copied++;
  });
  return { newest, ...(why === undefined ? {} : { why }), isDamaged: wasLoaded, copied };
}

/** What a bucket says of its objects. */
interface Lake {
  readonly manifests: readonly ProcessedManifest[];
  readonly compactions: readonly Compaction[];
  readonly receipts: readonly Receipt[];
}

/** The last batch that is there with all before it, as the view etl_batch has it. */
function lastOf({ manifests, receipts }: Omit<Lake, "compactions">): number {
  const known = new Set(manifests.map(({ batch }) => batch));
  for (const { batch, skipped_why } of receipts) if (skipped_why !== undefined) known.add(batch);
  let last = 0;
  while (known.has(last + 1)) last++;
  return last;
}

/** The objects that are there up to a batch, as the view etl_object has them. */
function committed(
  { manifests, compactions, receipts }: Lake,
  newest: number,
): { readonly batch: number; readonly object: LakeObject }[] {
  const ofBatch = new Map(receipts.map((receipt) => [receipt.batch, receipt]));
  const isLoaded = (batch: number, table: string): boolean => {
    const receipt = ofBatch.get(batch);
    return receipt?.skipped_why === undefined && !receipt?.left.includes(table);
  };
  return [
    ...manifests
      .filter(({ batch }) => batch <= newest)
      .filter(({ batch }) => !compactions.some(({ from, to }) => from <= batch && batch <= to))
      .flatMap(({ batch, objects, deleted }) =>
        [...objects, ...deleted]
          .filter(({ table }) => isLoaded(batch, table))
          .map((object) => ({ batch, object })),
      ),
    ...compactions
      .filter(({ from }) => from <= newest)
      .flatMap((one) => objectsIn(one).map((object) => ({ batch: one.to, object }))),
  ];
}

/** Of another bucket of that name, say: of a stack that was made anew. */
async function discardOther(bucket: string, folder: string, first: number): Promise<void> {
  const kept = await readFile(path.join(folder, manifestKey(first)), "utf8").catch(() => undefined);
  if (kept === undefined) return;
  const found = await readProcessedManifest(bucket, first);
  if (JSON.stringify(found?.manifest) !== kept) await rm(folder, { recursive: true, force: true });
}

/** The files of one of the lake's folders: what they are called, and how one is read in the bucket. */
interface Kind<T> {
  readonly prefix: string;
  readonly key: (number: number) => string;
  readonly read: (bucket: string, number: number) => Promise<T>;
}

const MANIFESTS: Kind<ProcessedManifest> = {
  prefix: BATCHES,
  key: manifestKey,
  read: async (bucket, batch) => {
    const found = await readProcessedManifest(bucket, batch);
    if (!found) throw new ManifestError(`s3://${bucket}/${manifestKey(batch)} is gone`);
    return found.manifest;
  },
};
const OF_COMPACTIONS: Kind<Compaction> = {
  prefix: COMPACTIONS,
  key: compactionKey,
  read: async (bucket, to) => (await readCompaction(bucket, to)).manifest,
};
const RECEIPTS: Kind<Receipt> = { prefix: LOADS, key: receiptKey, read: readReceipt };

/** Copies the files that a bucket has, and removes those that it has no more. @returns what is in them, in order */
async function copyAll<T>(
  bucket: string,
  folder: string,
  { prefix, key, read }: Kind<T>,
  numbers: readonly number[],
): Promise<T[]> {
  const names = new Set(numbers.map((number) => path.basename(key(number))));
  const there = await readdir(path.join(folder, prefix)).catch(() => []);
  // What is not listed may have come since, and been copied by another.
  for (const name of there)
    if (!names.has(name) && !(await getIfSmall(bucket, `${prefix}${name}`)))
      await rm(path.join(folder, prefix, name), { force: true });
  const found = new Map<number, T>();
  await eachOf(numbers, AT_ONCE, async (number) => {
    const file = path.join(folder, key(number));
    const kept = await readFile(file, "utf8").catch(() => undefined);
    const content = kept === undefined ? await read(bucket, number) : (JSON.parse(kept) as T);
    if (kept === undefined) await put(folder, file, JSON.stringify(content));
    found.set(number, content);
  });
  return numbers.map((number) => found.get(number)!);
}

const isThere = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

/** By renaming: whoever finds the file finds all of it, and two that copy the same do not meet. */
async function put(folder: string, file: string, body: Buffer | string): Promise<void> {
  const part = path.join(folder, PARTS, randomUUID());
  await mkdir(path.dirname(part), { recursive: true });
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(part, body);
  await rename(part, file);
}
