/** A copy of the lake on this machine: what an engine reads that cannot reach the bucket. */
import { access, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { listCompactions, readCompaction, type Compaction } from "../lake/compactions.ts";
import { BATCHES, compactionKey, manifestKey, receiptKey } from "../lake/keys.ts";
import {
  listBatches,
  ManifestError,
  readProcessedManifest,
  type LakeObject,
  type ProcessedManifest,
} from "../lake/manifest.ts";
import { getContentFromFile } from "../lake/objects.ts";
import { listReceipts, readReceipt, type Receipt } from "../lake/receipts.ts";
import { eachOf } from "../at-once.ts";
import type { LeftOut } from "./dialect.ts";

/** A lake that cannot be asked: says what is missing. */
export class LakeError extends Error {
  override readonly name = "LakeError";
}

export interface CopiedLake {
  readonly newest: number;
  /** Objects that were not there before. */
  readonly copied: number;
  readonly leftOut: readonly LeftOut[];
}

/** Requests that are under way at a time. */
const AT_ONCE = 8;

/**
 * Makes a folder a copy of what the manifests of a processed bucket name, of the manifests and the receipts. What is there
 * already is not read again: nothing of it is ever overwritten.
 * @param asOf the last batch whose objects are wanted
 * @throws LakeError where there is no such batch; what reading throws where an object is gone, or not what was committed
 */
export async function copyLake(bucket: string, folder: string, asOf?: number): Promise<CopiedLake> {
  const batches = await listBatches(bucket, 0);
  const newest = batches.at(-1);
  if (newest === undefined)
    throw new LakeError(
      `s3://${bucket} has no batch yet: run the pipeline first (npx totes run), or name the processed bucket`,
    );
  if (asOf !== undefined && asOf > newest)
    throw new LakeError(`there is no batch ${asOf}: the newest of s3://${bucket} is ${newest}`);
  const manifests = await copyManifests(bucket, folder, batches);
  const compactions = await copyCompactions(bucket, folder);
  const leftOut = leftOutOf(await copyReceipts(bucket, folder));
  let copied = 0;
  const wanted = committed(manifests, compactions, leftOut, asOf);
  await eachOf(wanted, AT_ONCE, async (object) => {
    const file = path.join(folder, object.key);
    if (await isThere(file)) return;
    const body = await getContentFromFile(bucket, object);
    await put(`${file}.part`, body);
    await rename(`${file}.part`, file);
    copied++;
  });
  return { newest, copied, leftOut };
}

/** The objects that are there: of a batch that was compacted those of the compaction alone. */
function committed(
  manifests: readonly ProcessedManifest[],
  compactions: readonly Compaction[],
  leftOut: readonly LeftOut[],
  asOf = Infinity,
): LakeObject[] {
  const compacted = Math.max(0, ...compactions.map(({ to }) => to));
  const isLeftOut = (batch: number, table: string): boolean =>
    leftOut.some((one) => one.batch === batch && (one.table ?? table) === table);
  return [
    ...manifests
      .filter(({ batch }) => batch > compacted && batch <= asOf)
      .flatMap(({ batch, objects, deleted }) =>
        [...objects, ...deleted].filter(({ table }) => !isLeftOut(batch, table)),
      ),
    ...compactions
      .filter(({ from }) => from <= asOf)
      .flatMap(({ objects, deleted }) => [...objects, ...deleted]),
  ];
}

/** What the warehouse did not load, as receipts say. */
const leftOutOf = (receipts: readonly Receipt[]): LeftOut[] =>
  receipts.flatMap(({ batch, skipped_why, left }) =>
    skipped_why === undefined ? left.map((table) => ({ batch, table })) : [{ batch }],
  );

async function copyManifests(
  bucket: string,
  folder: string,
  batches: readonly number[],
): Promise<ProcessedManifest[]> {
  await discardOther(bucket, folder, batches[0]!);
  const names = new Set(batches.map((batch) => path.basename(manifestKey(batch))));
  const there = await readdir(path.join(folder, BATCHES)).catch(() => []);
  for (const name of there) if (!names.has(name)) await rm(path.join(folder, BATCHES, name));
  const manifests = new Map<number, ProcessedManifest>();
  await eachOf(batches, AT_ONCE, async (batch) => {
    const file = path.join(folder, manifestKey(batch));
    const kept = await readJson<ProcessedManifest>(file);
    const manifest = kept ?? (await readProcessedManifest(bucket, batch))?.manifest;
    if (!manifest) throw new ManifestError(`s3://${bucket}/${manifestKey(batch)} is gone`);
    if (!kept) await put(file, JSON.stringify(manifest));
    manifests.set(batch, manifest);
  });
  return batches.map((batch) => manifests.get(batch)!);
}

/** Of another bucket of that name, say: of a stack that was made anew. */
async function discardOther(bucket: string, folder: string, first: number): Promise<void> {
  const kept = await readFile(path.join(folder, manifestKey(first)), "utf8").catch(() => undefined);
  if (kept === undefined) return;
  const found = await readProcessedManifest(bucket, first);
  if (JSON.stringify(found?.manifest) !== kept) await rm(folder, { recursive: true });
}

async function copyCompactions(bucket: string, folder: string): Promise<Compaction[]> {
  const found: Compaction[] = [];
  for (const to of await listCompactions(bucket)) {
    const { manifest } = await readCompaction(bucket, to);
    await put(path.join(folder, compactionKey(to)), JSON.stringify(manifest));
    found.push(manifest);
  }
  return found;
}

async function copyReceipts(bucket: string, folder: string): Promise<Receipt[]> {
  const receipts: Receipt[] = [];
  await eachOf(await listReceipts(bucket), AT_ONCE, async (batch) => {
    const file = path.join(folder, receiptKey(batch));
    const kept = await readJson<Receipt>(file);
    const receipt = kept ?? (await readReceipt(bucket, batch));
    if (!kept) await put(file, JSON.stringify(receipt));
    receipts.push(receipt);
  });
  return receipts;
}

const isThere = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

const readJson = async <T>(file: string): Promise<T | undefined> => {
  const text = await readFile(file, "utf8").catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as T);
};

async function put(file: string, body: Buffer | string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, body);
}
