// One batch, from the source to the warehouse.
import { batch as find } from "../../src/operations/batch.ts";
import { command } from "../../src/operations/verdict.ts";
import type { Batch } from "../../src/operations/types.ts";
import { getLastUpload } from "../../src/lake/manifest.ts";
import { counted, duration, size, whole } from "../../src/words.ts";
import { batchNumber, UsageError } from "../options.ts";
import { placesOf } from "../places.ts";
import type { Terminal } from "../terminal.ts";
import { defineVerb, stageOptions } from "../verb.ts";

const BAR = 30;

export const batch = defineVerb({
  command: "batch <number>",
  describe: "one batch: what it held, where its objects are, how long each stage took, what it did",
  about:
    "Reads every object of the batch and holds it against its hash, and the manifest before against the chain. Exit code 1 where something does not hold or is gone, or the batch failed.",
  examples: [
    ["batch 42", "from the source to the warehouse"],
    ["batch 42 --json", "keys and hashes of all its objects"],
  ],
  build: (args) =>
    stageOptions(args).positional("number", {
      type: "string",
      demandOption: true,
      describe: "of the batch",
      coerce: (text: string) => batchNumber("number", text),
    }),
  run: async ({ number, ...stage }, { terminal, answer }) => {
    const places = await placesOf(stage);
    const found = await terminal.working("Reading its objects", () => find(places, number));
    if (!found) {
      const newest = (await getLastUpload(places.buckets.ingestion))?.manifest.batch ?? 0;
      throw new UsageError(
        newest === 0
          ? `there is no batch ${number}: none has been made yet`
          : `there is no batch ${number}: the newest is ${newest}`,
      );
    }
    answer(found);
    show(terminal, found, command(places, "rebuild --verify"));
    return isWell(found) ? 0 : 1;
  },
});

export function isWell({ chain, objects, status, error }: Batch): boolean {
  const isWhole = chain === "equal" && objects.every(({ verified }) => verified);
  // The error of a batch that was skipped is why it was.
  return isWhole && (status === "skipped" || (status !== "failed" && error === undefined));
}

/** @param verify what to type to have the whole lake looked at */
function show(terminal: Terminal, found: Batch, verify: string): void {
  terminal.heading(`Batch ${whole(found.batch)}: ${found.status}`);
  if (found.error !== undefined) terminal.alarm(found.error);
  terminal.field(
    "read",
    `${found.committed_at}, ${counted(found.rows, "row")} of ${counted(found.tables, "table")}, kind ${found.kind}`,
  );
  terminal.field("snapshot", `${found.snapshot}, fence ${found.fence}`);
  terminal.field("run", found.run);
  const chain =
    found.previous_sha256 === null
      ? "the first"
      : found.chain === "equal"
        ? "follows the batch before, byte for byte"
        : "BROKEN: the manifest before is not the one that this was made after; " +
          `\`${verify}\` names all`;
  terminal.field("chain", chain);
  terminal.heading("Time");
  const width = Math.max(8, Math.min(BAR, terminal.width - 50));
  const end = Math.max(1, ...found.steps.map(({ end_ms }) => end_ms));
  for (const { name, start_ms, end_ms } of found.steps) {
    const from = Math.min(width - 1, Math.floor((start_ms / end) * width));
    const length = Math.max(1, Math.round(((end_ms - start_ms) / end) * width));
    const bar = " ".repeat(from) + "█".repeat(Math.min(length, width - from));
    terminal.item(name, `${bar.padEnd(width)} ${duration(end_ms - start_ms).padStart(9)}  `);
  }
  terminal.heading("Objects");
  for (const { bucket, key, rows, bytes, verified, damage, compacted } of found.objects)
    terminal.field(
      !verified ? "DAMAGED" : compacted === undefined ? "whole" : "compacted",
      `${key} (${bucket} bucket; ${counted(rows, "row")}, ${size(bytes)})` +
        (damage === undefined ? "" : `: ${damage}`) +
        (compacted === undefined ? "" : `: it is gone, its rows are in ${compacted}`),
    );
  if (found.effects.length === 0) return;
  terminal.heading("What it did to the warehouse");
  terminal.table(
    ["", "appended", "put or changed", "there already", "quarantined"],
    found.effects.map(({ table, added, changed, equal, quarantined }) => [
      table,
      ...[added, changed, equal, quarantined].map(whole),
    ]),
  );
}
