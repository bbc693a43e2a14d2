// Many small objects of the processed bucket as few.
import type { Argv } from "yargs";
import { compact as compactLake, type CompactionSummary } from "../../../src/compaction/compact.ts";
import { USUAL } from "../../../src/compaction/range.ts";
import { LAST_BATCH } from "../../../src/lake/keys.ts";
import { codecNamed } from "../../../src/parquet/codec.ts";
import { getSettings } from "../../../src/settings.ts";
import { counted, size, whole } from "../../../src/words.ts";
import { batchNumber, UsageError, wholeNumber } from "../../options.ts";
import { seconds, type Terminal } from "../../terminal.ts";
import type { Say } from "../../verb.ts";

export const compactOptions = <T>(args: Argv<T>) =>
  args
    .option("to", {
      type: "string",
      describe: "compact: the last batch; else as far as --keep allows, once there are enough",
      coerce: (text: string) => batchNumber("to", text),
    })
    .option("keep", {
      type: "string",
      describe: `compact: leaves so many of the newest loaded batches as they are (${USUAL.keep} unless said otherwise)`,
      coerce: (text: string) => wholeNumber("keep", text, 0, LAST_BATCH),
    })
    .option("dry-run", {
      type: "boolean",
      default: false,
      describe: "says what it would do, and writes nothing",
    })
    .check(({ to, keep }) => {
      if (to !== undefined && keep !== undefined)
        throw new UsageError("--to and --keep say the same in two ways: one of them");
      return true;
    });

/** What is asked for. */
export interface CompactAsked {
  readonly to: number | undefined;
  readonly keep: number | undefined;
  readonly dryRun: boolean;
}

/** Compacts what is due; the environment names the bucket. Gives the exit code. */
export async function compact(
  { to, keep = USUAL.keep, dryRun: dry }: CompactAsked,
  { terminal, answer }: Say,
): Promise<number> {
  const { PROCESSED_BUCKET: bucket, PARQUET_CODEC } = getSettings(
    "PROCESSED_BUCKET",
    "PARQUET_CODEC",
  );
  const done = await compactLake(bucket, await codecNamed(PARQUET_CODEC), {
    to,
    keep,
    dry,
    // Who asks wants it now, however few there are; two are the least that can be made one.
    least: 2,
    progress: (...of) => terminal.progress(...of),
    done: (summary) => tell(summary, terminal),
  });
  answer(done);
  if (done.length === 0)
    terminal.paragraph(
      to === undefined
        ? `Nothing to compact: the newest ${whole(keep)} batches are left as they are (--keep), and of those before them fewer than two are loaded and in no compaction. --to takes all up to a batch, however new.`
        : `Nothing to compact: a compaction has batch ${whole(to)} already.`,
    );
  return 0;
}

function tell(summary: CompactionSummary, terminal: Terminal): void {
  const { from, to, outcome, before, after, tables } = summary;
  terminal.heading(
    `Batches ${whole(from)} to ${whole(to)}: ${outcome === "dry" ? "would be compacted" : outcome}`,
  );
  terminal.field(
    "before",
    `${counted(before.objects, "object")}, ${counted(before.rows, "row")}, ${size(before.bytes)}`,
  );
  if (after)
    terminal.field(
      "after",
      `${counted(after.objects, "object")} of ${counted(Object.keys(tables).length, "table")}, ${size(after.bytes)}, in ${seconds(summary.seconds * 1000)}`,
    );
  if (outcome === "lost the race")
    terminal.field(
      "",
      "another run compacted the same batches first; what this one wrote is in no manifest",
    );
}
