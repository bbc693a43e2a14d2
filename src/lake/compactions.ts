/** Compactions of the processed bucket: what each says that it stands for, and where the objects are that hold it. */
import * as v from "valibot";
import { listKeys } from "../aws/s3.ts";
import { awaitedLater, concerning, ignoring } from "../errors.ts";
import type { Stretch } from "../vectors.ts";
import {
  COMPACTIONS,
  compactedTo,
  compactionKey,
  isOfDeleted,
  rangeFrom,
  rangeKey,
  RANGES,
} from "./keys.ts";
import {
  count,
  lakeObject,
  ManifestError,
  putJsonOnce,
  readJson,
  RESTORE,
  sha256Shape,
  type LakeObject,
  type Read,
} from "./manifest.ts";
import { getIfThere, goneError, type ObjectError } from "./objects.ts";

const batchNumber = v.pipe(v.number(), v.integer(), v.minValue(1));

const compactedObject = v.object({
  ...lakeObject.entries,
  /** Whose rows it holds, in this order, one batch's after the other's. */
  batches: v.array(v.object({ batch: batchNumber, rows: count })),
});
/** A data object that holds the rows of many batches. */
export type CompactedObject = v.InferOutput<typeof compactedObject>;

const compaction = v.object({
  /** 1, 2, 3 … */
  compaction: batchNumber,
  /** The batches that it stands for: they follow those of the compaction before. */
  from: batchNumber,
  to: batchNumber,
  kind: v.literal("compaction"),
  run: v.string(),
  /** Of the bytes of the compaction's manifest before; null for the first. */
  previous_sha256: v.nullable(sha256Shape),
  committed_at: v.string(),
  build: v.optional(count, 0),
  /** SHA-256 of each batch's processed manifest; null of a batch that was skipped before it was transformed. */
  manifests: v.array(v.nullable(sha256Shape)),
  /** Those of a table in the order of their batches; more than one where there is much, and where its columns changed. */
  objects: v.array(compactedObject),
  deleted: v.array(compactedObject),
});
export type Compaction = v.InferOutput<typeof compaction>;

/** All objects of a compaction. */
export const objectsIn = ({ objects, deleted }: Compaction): CompactedObject[] => [
  ...objects,
  ...deleted,
];

/** The last batch of each compaction, in order. */
export async function listCompactions(bucket: string): Promise<number[]> {
  const keys = await listKeys(bucket, COMPACTIONS, "");
  return keys.flatMap((key) => compactedTo(key) ?? []);
}

/** @throws ManifestError where the compaction that ends at batch `to` is gone, or is none */
export async function readCompaction(bucket: string, to: number): Promise<Read<Compaction>> {
  const where = `s3://${bucket}/${compactionKey(to)}`;
  const found = await readJson(bucket, compactionKey(to), compaction);
  if (!found) throw new ManifestError(`${where} is not there; ${RESTORE}`);
  const { manifest } = found;
  if (manifest.to !== to)
    throw new ManifestError(`${where} says that it ends at batch ${manifest.to}; ${RESTORE}`);
  if (manifest.manifests.length !== to - manifest.from + 1)
    throw new ManifestError(
      `${where} stands for batches ${manifest.from} to ${to}, and names ${manifest.manifests.length} manifests; ${RESTORE}`,
    );
  return found;
}

/** The newest compaction; undefined where there is none. */
export async function newestCompaction(bucket: string): Promise<Read<Compaction> | undefined> {
  const newest = (await listCompactions(bucket)).at(-1);
  return newest === undefined ? undefined : readCompaction(bucket, newest);
}

/**
 * Commits a compaction, once its objects are there: compare-and-swap on its last batch.
 * @returns undefined where another run's is there
 */
export const commitCompaction = (
  bucket: string,
  manifest: Compaction,
): Promise<Read<Compaction> | undefined> =>
  putJsonOnce(bucket, compactionKey(manifest.to), manifest);

const range = v.object({ from: batchNumber, to: batchNumber });

/**
 * Agrees on the last batch of the compaction that begins at batch `from`: what the first run says goes for all of them. Without
 * that, two runs that want to end at different batches would both commit, and batches would be in two compactions.
 * @returns the last batch
 * @throws ManifestError where what was agreed on cannot be read
 */
export async function agreeOnRange(bucket: string, from: number, to: number): Promise<number> {
  const key = rangeKey(from);
  if (await putJsonOnce(bucket, key, { from, to })) return to;
  const agreed = await readJson(bucket, key, range);
  if (agreed?.manifest.from !== from || agreed.manifest.to < from)
    throw new ManifestError(
      `s3://${bucket}/${key} does not say where the compaction from batch ${from} ends; ${RESTORE}`,
    );
  return agreed.manifest.to;
}

/** What was agreed on before, by a run that may have died since; undefined where nothing was. */
export async function agreedRange(bucket: string, from: number): Promise<number | undefined> {
  const agreed = await readJson(bucket, rangeKey(from), range);
  return agreed?.manifest.to;
}

/**
 * What is said of an object of a batch that is gone, and that no compaction has: where the batch was to be compacted and that
 * compaction is not there, it is what is missed. What was agreed on is a hint here: a damaged one says nothing.
 */
export async function goneOfBatch(
  bucket: string,
  batch: number,
  object: LakeObject,
): Promise<ObjectError> {
  const firsts = (await listKeys(bucket, RANGES, "")).flatMap((key) => rangeFrom(key) ?? []);
  const from = firsts.findLast((first) => first <= batch);
  const to = from && (await agreedRange(bucket, from).catch(ignoring(ManifestError)));
  if (!to || to < batch || (await listCompactions(bucket)).includes(to))
    return goneError(bucket, object);
  return goneError(
    bucket,
    object,
    `batches ${from} to ${to} were to be compacted, and s3://${bucket}/${compactionKey(to)} is not there: ` +
      "restore that where it was there once, else the object, from its version",
  );
}

/** A batch's own object, whole. @throws ObjectError where it is not what was committed, or gone: as {@link goneOfBatch} says */
export const getOfBatch = (bucket: string, batch: number, object: LakeObject): Promise<Buffer> =>
  concerning({ batch, table: object.table }, async () => {
    const bytes = await getIfThere(bucket, object);
    if (!bytes) throw await goneOfBatch(bucket, batch, object);
    return bytes;
  });

/** Compactions whose manifests are kept: batches are asked for in their order. */
const KEPT = 2;

/** A processed manifest, or what is left of it: which batch it is of, and what it was. */
export interface OfBatch {
  readonly batch: number;
  readonly sha256: string;
}

/** Which rows of a batch an object has: of which table, those that came or the keys of those that went. */
export const contentOf = ({ table, key }: Pick<LakeObject, "table" | "key">): string =>
  `${isOfDeleted(key) ? "deleted" : "objects"}/${table}`;

/** Where a batch's rows are in a compacted object. */
export interface Part {
  readonly compacted: CompactedObject;
  readonly stretch: Stretch;
}

/** Finds the rows of a batch's object in the compaction that stands for the batch. */
export class Compactions {
  readonly #bucket: string;
  #ends: Promise<number[]> | undefined;
  /** By last batch, those first that were asked for least recently. */
  readonly #manifests = new Map<number, Promise<Index>>();

  constructor(bucket: string) {
    this.#bucket = bucket;
  }

  /**
   * Where the rows of a batch's object are; undefined where no compaction stands for the batch, or the batch was skipped.
   * @throws ManifestError where the compaction is not what was committed, or stands for another batch
   */
  async find(of: OfBatch, object: LakeObject): Promise<Part | undefined> {
    const { batch } = of;
    const to = await this.#endFor(batch);
    if (to === undefined) return undefined;
    const index = await this.#index(to);
    if (batch < index.manifest.from) return undefined;
    checkStandsFor(this.#bucket, index.manifest, of);
    const part = index.find(batch, object);
    if (!part) return undefined;
    const found = part.stretch.to - part.stretch.from;
    if (found === object.rows) return part;
    throw new ManifestError(
      `s3://${this.#bucket}/${compactionKey(to)}: expected ${object.rows} rows of ${object.table} of batch ${batch}, found ${found}; ${RESTORE}`,
    );
  }

  /** The last batch of the first compaction that may stand for `batch`. Those that came since the last look are seen. */
  async #endFor(batch: number): Promise<number | undefined> {
    const ends = await (this.#ends ??= listCompactions(this.#bucket));
    if (batch <= (ends.at(-1) ?? 0)) return ends.find((to) => to >= batch);
    this.#ends = listCompactions(this.#bucket);
    return (await this.#ends).find((to) => to >= batch);
  }

  #index(to: number): Promise<Index> {
    const known =
      this.#manifests.get(to) ??
      awaitedLater(readCompaction(this.#bucket, to).then(({ manifest }) => new Index(manifest)));
    this.#manifests.delete(to);
    this.#manifests.set(to, known);
    for (const oldest of this.#manifests.keys()) {
      if (this.#manifests.size <= KEPT) break;
      this.#manifests.delete(oldest);
    }
    return known;
  }
}

/** A compaction's manifest, made ready to be asked. */
class Index {
  readonly manifest: Compaction;
  /** Of each content, by batch: made once somebody asks for it. */
  readonly #parts = new Map<string, Map<number, Part>>();

  constructor(manifest: Compaction) {
    this.manifest = manifest;
  }

  find(batch: number, object: LakeObject): Part | undefined {
    const content = contentOf(object);
    let parts = this.#parts.get(content);
    if (!parts) {
      parts = new Map();
      for (const compacted of objectsIn(this.manifest).filter(
        (one) => contentOf(one) === content,
      )) {
        let from = 0;
        for (const { batch: of, rows } of compacted.batches) {
          parts.set(of, { compacted, stretch: { from, to: from + rows } });
          from += rows;
        }
      }
      this.#parts.set(content, parts);
    }
    return parts.get(batch);
  }
}

/** @throws ManifestError unless the compaction stands for that very manifest of the batch */
export function checkStandsFor(
  bucket: string,
  { from, to, manifests }: Pick<Compaction, "from" | "to" | "manifests">,
  { batch, sha256 }: OfBatch,
): void {
  const standsFor = manifests[batch - from];
  if (standsFor !== sha256)
    throw new ManifestError(
      `s3://${bucket}/${compactionKey(to)} stands for a batch ${batch} with SHA-256 ${standsFor}, found ${sha256}; ${RESTORE}`,
    );
}
