/** Are the compactions whole, and do they hold the rows that they stand for? */
import { isDeepStrictEqual } from "node:util";
import { eachOf } from "../at-once.ts";
import { ignoring } from "../errors.ts";
import {
  agreedRange,
  checkStandsFor,
  contentOf,
  goneOfBatch,
  listCompactions,
  objectsIn,
  readCompaction,
  type CompactedObject,
  type Compaction,
  type OfBatch,
  type Part,
} from "../lake/compactions.ts";
import { compactionKey } from "../lake/keys.ts";
import { ManifestError, RESTORE, type LakeObject } from "../lake/manifest.ts";
import { getContentFromFile } from "../lake/objects.ts";
import { ParquetError, type ParquetCodec } from "../parquet/codec.ts";
import { columnsIn, rowsOf, type ParquetRows } from "../parquet/rows.ts";
import { fileColumns } from "../parquet/schema.ts";
import { storedAt } from "../vectors.ts";
import type { Compacted } from "./compacted.ts";

/** Compacted objects that are read at a time. */
const AT_ONCE = 2;

/** Notes what the work finds wrong with a compaction, by its last batch; what else goes wrong it throws. */
export type Trying = (to: number, work: () => Promise<void>) => Promise<void>;

/** What is kept of a compaction that is what it says. */
interface Link {
  readonly from: number;
  readonly to: number;
}

export class CompactionsCheck {
  objects = 0;
  bytes = 0;
  /** Compactions that there are. */
  count = 0;
  /** The batches of one that was begun and is not there: it is at work, or has died, or its manifest is lost. */
  begun: Link | undefined;
  readonly keys = new Set<string>();
  readonly #bucket: string;
  readonly #codec: ParquetCodec;
  readonly #compacted: Compacted;
  readonly #trying: Trying;
  /** Compactions that follow one another, and can be read. */
  readonly whole: Link[] = [];
  readonly #damaged = new Set<string>();

  constructor(bucket: string, codec: ParquetCodec, compacted: Compacted, trying: Trying) {
    this.#bucket = bucket;
    this.#codec = codec;
    this.#compacted = compacted;
    this.#trying = trying;
  }

  /** Reads each compaction, and its objects: follow they one another, and is each what was committed? */
  async read(): Promise<void> {
    let before: { sha256: string; manifest: Compaction } | undefined;
    const ends = await listCompactions(this.#bucket);
    this.count = ends.length;
    const from = (ends.at(-1) ?? 0) + 1;
    const agreed = await agreedRange(this.#bucket, from).catch(ignoring(ManifestError));
    if (agreed !== undefined) this.begun = { from, to: agreed };
    for (const to of ends)
      await this.#trying(to, async () => {
        const found = await readCompaction(this.#bucket, to);
        for (const { key } of objectsIn(found.manifest)) this.keys.add(key);
        const last = before;
        before = found;
        checkIsListed(this.#bucket, found.manifest, ends);
        checkFollows(this.#bucket, found.manifest, last);
        this.whole.push({ from: found.manifest.from, to });
        await eachOf(objectsIn(found.manifest), AT_ONCE, (object) =>
          this.#trying(to, () => this.#readObject(object)),
        );
      });
  }

  async #readObject(object: CompactedObject): Promise<void> {
    this.objects++;
    this.bytes += object.bytes;
    this.#damaged.add(object.key);
    const where = `s3://${this.#bucket}/${object.key}`;
    const bytes = await getContentFromFile(this.#bucket, object);
    const [vector] = await rowsOf(this.#codec, bytes, { ...object, where }).read(fileColumns({}));
    let row = 0;
    for (const { batch, rows } of object.batches)
      for (const to = row + rows; row < to; row++) {
        const found = row < object.rows ? storedAt(vector!, row) : "none";
        if (found !== BigInt(batch))
          throw new ParquetError(
            `${where}: row ${row} is of batch ${found}, expected of ${batch} as the compaction's manifest says`,
          );
      }
    if (row !== object.rows)
      throw new ParquetError(`${where}: expected rows of ${row}, found ${object.rows}`);
    this.#damaged.delete(object.key);
  }

  /**
   * Where a compaction that is whole has the rows of a batch's object; undefined where none does. What is wrong with the
   * compaction is told of the compaction. Nobody is to ask for a batch that was skipped: it is in none.
   */
  async partOf(of: OfBatch, object: LakeObject): Promise<Part | undefined> {
    const compaction = this.whole.find(({ from, to }) => from <= of.batch && of.batch <= to);
    if (!compaction) return undefined;
    let part: Part | undefined;
    await this.#trying(compaction.to, async () => {
      part = await this.#compacted.find(of, object);
      if (!part)
        throw new ManifestError(
          `s3://${this.#bucket}/${compactionKey(compaction.to)} has none of the ${object.rows} rows of ${object.table} of batch ${of.batch}`,
        );
    });
    return part && !this.#damaged.has(part.compacted.key) ? part : undefined;
  }

  /** Notes where a batch's own object has other rows than the compaction. @returns whether there is one that could be compared */
  async compare(of: OfBatch, object: LakeObject, bytes: Buffer): Promise<boolean> {
    const part = await this.partOf(of, object);
    const to = this.whole.find((one) => of.batch <= one.to)?.to;
    if (!part || to === undefined) return false;
    await this.#trying(to, async () => {
      const where = `s3://${this.#bucket}/${object.key}`;
      const columns = await columnsIn(this.#codec, bytes, { ...object, where });
      const differs = (what: string): ParquetError =>
        new ParquetError(
          `s3://${this.#bucket}/${part.compacted.key} does not hold the rows of ${where}: ${what}`,
        );
      if (!isDeepStrictEqual(columns, await this.#compacted.columnsOf(part)))
        throw differs("its columns are others");
      const own = rowsOf(this.#codec, bytes, { ...object, where });
      const theirs = await this.#compacted.rowsIn(part);
      for (const column of columns) {
        const [ours, compacted] = await Promise.all([own.read([column]), theirs.read([column])]);
        for (let row = 0; row < object.rows; row++) {
          const [expected, found] = [storedAt(ours[0]!, row), storedAt(compacted[0]!, row)];
          if (expected !== found)
            throw differs(
              `row ${row} of batch ${of.batch}, ${column.name}: expected ${shown(expected)}, found ${shown(found)}`,
            );
        }
      }
    });
    return true;
  }

  /** The rows of a batch's object that is gone. @throws ObjectError where no compaction has them */
  async rowsOf(of: OfBatch, object: LakeObject): Promise<ParquetRows> {
    // One that does not follow those before it has them all the same. What is wrong with a compaction is told of the compaction.
    const part =
      (await this.partOf(of, object)) ??
      (await this.#compacted.find(of, object).catch(ignoring(ManifestError)));
    if (!part || this.#damaged.has(part.compacted.key))
      throw await goneOfBatch(this.#bucket, of.batch, object);
    return this.#compacted.rowsIn(part);
  }

  /** Holds each compaction against the manifests that there are. @param find undefined where a batch's cannot be read */
  async checkManifests(find: (batch: number) => Expected | undefined): Promise<void> {
    for (const { to } of this.whole)
      await this.#trying(to, async () => {
        const { manifest } = await readCompaction(this.#bucket, to);
        await this.checkManifest(manifest, find);
      });
  }

  /** Holds one against the manifests: does it stand for those, and is nothing in it that they do not have? */
  async checkManifest(
    manifest: Compaction,
    find: (batch: number) => Expected | undefined,
  ): Promise<void> {
    const { from, to } = manifest;
    const where = `s3://${this.#bucket}/${compactionKey(to)}`;
    for (let batch = from; batch <= to; batch++) {
      const sha256 = find(batch)?.sha256;
      if (sha256 === undefined) continue;
      await this.#trying(to, async () => checkStandsFor(this.#bucket, manifest, { batch, sha256 }));
    }
    const last = new Map<string, number>();
    for (const object of objectsIn(manifest))
      for (const { batch, rows } of object.batches) {
        const content = contentOf(object);
        const before = last.get(content) ?? from - 1;
        last.set(content, batch);
        await this.#trying(to, async () => {
          if (batch <= before || batch > to)
            throw new ManifestError(
              `${where}: ${content} has batch ${batch} after ${before}, expected each of ${from} to ${to} once, in order; ${RESTORE}`,
            );
          const known = find(batch);
          const expected = known?.rows.get(content) ?? 0;
          if (known && expected !== rows)
            throw new ManifestError(
              `${where}: expected ${expected} rows of ${content} of batch ${batch}, found ${rows}; ${RESTORE}`,
            );
        });
      }
  }
}

/** What a compaction is to have of a batch. */
export interface Expected {
  /** Of its manifest; undefined where that does not matter. */
  readonly sha256: string | undefined;
  /** Rows, by {@link contentOf}. */
  readonly rows: ReadonlyMap<string, number>;
}

/** Of a batch that was skipped: nobody wanted it, whatever manifest it had. */
export const NONE: Expected = { sha256: undefined, rows: new Map() };

export const expectedOf = (
  sha256: string,
  {
    objects,
    deleted,
  }: { readonly objects: readonly LakeObject[]; readonly deleted: readonly LakeObject[] },
): Expected => ({
  sha256,
  rows: new Map([...objects, ...deleted].map((object) => [contentOf(object), object.rows])),
});

const shown = (value: unknown): string =>
  typeof value === "string" ? JSON.stringify(value.slice(0, 60)) : String(value);

/** @throws ManifestError unless the compaction before is there, whatever may be in it */
function checkIsListed(bucket: string, { from, to }: Compaction, ends: readonly number[]): void {
  if (from > 1 && !ends.includes(from - 1))
    throw new ManifestError(
      `s3://${bucket}/${compactionKey(from - 1)} is not there, and s3://${bucket}/${compactionKey(to)} was made after it; ${RESTORE}`,
    );
}

/** @throws ManifestError unless the compaction follows the one before */
function checkFollows(
  bucket: string,
  { compaction, from, to, previous_sha256 }: Compaction,
  before: { readonly sha256: string; readonly manifest: Compaction } | undefined,
): void {
  const where = `s3://${bucket}/${compactionKey(to)}`;
  const number = (before?.manifest.compaction ?? 0) + 1;
  const first = (before?.manifest.to ?? 0) + 1;
  if (from !== first || compaction !== number)
    throw new ManifestError(
      `${where} is compaction ${compaction} from batch ${from}, expected ${number} from batch ${first}: one before it is gone, or altered`,
    );
  const sha256 = before?.sha256 ?? null;
  if (previous_sha256 !== sha256)
    throw new ManifestError(
      `the chain of compactions is broken at ${where}: it was made after one with SHA-256 ${previous_sha256}, found ${sha256}`,
    );
}
