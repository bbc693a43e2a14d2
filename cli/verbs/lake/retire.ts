// Objects of batches, once compactions stand for them.
import { retire as retireLake } from "../../../src/compaction/retire.ts";
import { codecNamed } from "../../../src/parquet/codec.ts";
import { getSettings } from "../../../src/settings.ts";
import { counted, size, whole } from "../../../src/words.ts";
import type { Say } from "../../verb.ts";

/** Marks what compactions stand for; the environment names the bucket. Gives the exit code. */
export async function retire(
  { dryRun: dry }: { readonly dryRun: boolean },
  { terminal, answer }: Say,
): Promise<number> {
  const { PROCESSED_BUCKET: bucket, PARQUET_CODEC } = getSettings(
    "PROCESSED_BUCKET",
    "PARQUET_CODEC",
  );
  const codec = await codecNamed(PARQUET_CODEC);
  const retired = await retireLake(bucket, codec, {
    dry,
    progress: (...of) => terminal.progress(...of),
  });
  answer({ ...retired, dry });
  const { to, compactions, objects, bytes, gone } = retired;
  if (compactions === 0) {
    terminal.paragraph("There is no compaction: nothing is marked.");
    return 0;
  }
  terminal.heading(`Batches 1 to ${whole(to)}`);
  terminal.field(
    "compared",
    `${counted(compactions, "compaction")}, row by row with those of the batches' own objects that are there, ${whole(objects)} of ${whole(objects + gone)}: they are the same`,
  );
  terminal.field(
    dry ? "to mark" : "marked",
    `${counted(objects, "object")}, ${size(bytes)}, those of earlier runs among them; a stage with compactedDays has S3 delete what is marked, no other does`,
  );
  return 0;
}
