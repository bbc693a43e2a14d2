/** What manifests and receipts say of each other: gaps, broken chains, receipts of other runs. */
import { manifestKey, receiptKey } from "../lake/keys.ts";
import { listBatches, RESTORE } from "../lake/manifest.ts";
import { listReceipts, type Receipt } from "../lake/receipts.ts";
import type { Buckets } from "../transformation/transform.ts";
import type { LakeProblem } from "./verify.ts";

/** What is kept of a manifest: its objects apart, these are a few hundred bytes. */
export interface Link {
  readonly sha256: string;
  readonly previous: string | null;
  readonly run: string;
  /** Of a processed manifest: the ingestion manifest that it was made from. */
  readonly madeFrom?: string;
}

/** Batches that have a receipt, and a manifest in either bucket, in order. */
export interface Listed {
  readonly receipted: readonly number[];
  readonly transformed: readonly number[];
  readonly ingested: readonly number[];
}

/** In this order: what is committed meanwhile is in no list that says it should be in another. */
export async function listManifests({ ingestion, processed }: Buckets): Promise<Listed> {
  const receipted = await listReceipts(processed);
  const transformed = await listBatches(processed, 0);
  return { receipted, transformed, ingested: await listBatches(ingestion, 0) };
}

/** Those that could be read, by batch. */
export interface Found {
  readonly ingested: ReadonlyMap<number, Link>;
  readonly processed: ReadonlyMap<number, Link>;
  readonly receipts: ReadonlyMap<number, Receipt>;
}

export function checkManifests(
  buckets: Buckets,
  listed: Listed,
  found: Found,
): readonly LakeProblem[] {
  const problems = gapsOf(buckets, listed);
  checkIngested(found, tellInto(problems, buckets.ingestion));
  checkProcessed(buckets, found, tellInto(problems, buckets.processed));
  return problems;
}

type Tell = (kind: LakeProblem["kind"], batch: number, message: string) => void;

const tellInto =
  (problems: LakeProblem[], bucket: string): Tell =>
  (kind, batch, message) =>
    problems.push({ kind, bucket, batch, message });

/** Manifests that are missing, by what is listed. One of a batch that was skipped need not be there: its receipt says so. */
export function gapsOf({ ingestion, processed }: Buckets, listed: Listed): LakeProblem[] {
  const problems: LakeProblem[] = [];
  const tellOfIngested = tellInto(problems, ingestion);
  const tellOfProcessed = tellInto(problems, processed);
  const ingested = new Set(listed.ingested);
  const transformed = new Set(listed.transformed);
  const receipted = new Set(listed.receipted);
  const newestTransformed = listed.transformed.at(-1) ?? 0;
  const newest = Math.max(listed.ingested.at(-1) ?? 0, newestTransformed);
  for (let batch = 1; batch <= newest; batch++)
    if (!ingested.has(batch))
      tellOfIngested(
        "gap",
        batch,
        `s3://${ingestion}/${manifestKey(batch)} is not there, and later ones, or what was made of it, are`,
      );
  const loaded = listed.receipted.at(-1) ?? 0;
  for (let batch = 1; batch < loaded && batch < newestTransformed; batch++)
    if (!transformed.has(batch) && !receipted.has(batch))
      tellOfProcessed(
        "gap",
        batch,
        `s3://${processed}/${manifestKey(batch)} is not there, and batch ${loaded} was loaded after it`,
      );
  for (const batch of receipted)
    if (!transformed.has(batch))
      tellOfProcessed(
        "receipt",
        batch,
        `s3://${processed}/${manifestKey(batch)} is not there, though ${receiptKey(batch)} is a receipt of it; ${RESTORE}`,
      );
  return problems;
}

function checkIngested({ ingested }: Found, tell: Tell): void {
  for (const [batch, { previous }] of ingested) {
    const before = ingested.get(batch - 1)?.sha256;
    if (batch === 1 ? previous !== null : before !== undefined && previous !== before)
      tell(
        "chain",
        batch,
        `the chain of manifests is broken at batch ${batch}: it was made after a batch ${batch - 1} with SHA-256 ${previous}, found ${before ?? "that it is the first"}`,
      );
  }
}

function checkProcessed(
  { processed: bucket }: Buckets,
  { ingested, processed, receipts }: Found,
  tell: Tell,
): void {
  for (const [batch, { previous, madeFrom, run }] of processed) {
    const from = ingested.get(batch);
    if (from && (madeFrom !== from.sha256 || previous !== from.previous))
      tell(
        "chain",
        batch,
        `s3://${bucket}/${manifestKey(batch)} was made from an ingestion manifest with SHA-256 ${madeFrom} after ${previous}, found ${from.sha256} after ${from.previous}`,
      );
    const receipt = receipts.get(batch);
    if (receipt?.run !== undefined && receipt.run !== run)
      tell(
        "receipt",
        batch,
        `s3://${bucket}/${receiptKey(batch)} says that run ${receipt.run} was loaded, found run ${run}`,
      );
  }
}
