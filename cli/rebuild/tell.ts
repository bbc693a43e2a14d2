/** What was rebuilt, compared or verified, in words. */
import { compactionKey } from "../../src/lake/keys.ts";
import type { BatchDifference } from "../../src/rebuild/compare-processed.ts";
import type { RowDifference } from "../../src/rebuild/compare-warehouses.ts";
import type { Verification } from "../../src/rebuild/verify.ts";
import type { Skipped } from "../../src/rebuild/warehouse.ts";
import { counted, size, whole, type Terminal } from "../terminal.ts";

/** Differences that are shown, and that an answer in JSON holds; all are counted. */
const SHOWN = 20;
const HELD = 1_000;

/** Differences: the first ones themselves, and how many there are. */
export class Differences<D> {
  count = 0;
  readonly first: D[] = [];

  readonly add = (difference: D): void => {
    this.count++;
    if (this.first.length < HELD) this.first.push(difference);
  };
}

export function tellSkipped(skipped: readonly Skipped[], terminal: Terminal): void {
  for (const { batch, why } of skipped)
    terminal.field("Left out", `batch ${batch}, as an operator did: ${why}`);
}

export function tellDifferences(
  { count, first }: Pick<Differences<RowDifference | BatchDifference>, "count" | "first">,
  terminal: Terminal,
  same = "The same",
): void {
  terminal.line();
  if (count === 0) return terminal.paragraph(`${same}, row for row.`);
  terminal.alarm(`${counted(count, "difference")}:`);
  for (const difference of first.slice(0, SHOWN)) terminal.item(inWords(difference));
  if (count > SHOWN)
    terminal.paragraph(`and ${whole(count - SHOWN)} more; --json gives the first ${whole(HELD)}.`);
}

function inWords(difference: RowDifference & { readonly batch?: number }): string {
  const { table, key, version, kind, column, rebuilt, live, batch } = difference;
  const keys = Object.entries(key).map(([name, value]) => `${name} ${value}`);
  const where = [
    ...(batch === undefined ? [] : [`batch ${batch}`]),
    table,
    ...keys,
    ...(version === undefined ? [] : [`version ${version}`]),
  ].join(", ");
  const of =
    column === "_rejected" ? " in quarantine" : column === "_driven" ? " without a star row" : "";
  if (kind !== "different") return `${where}: ${kind}${of} in what was rebuilt`;
  return `${where}: ${column} rebuilt ${JSON.stringify(rebuilt)}, live ${JSON.stringify(live)}`;
}

/** A batch that an operator skipped is known to lack something. */
const unknownProblems = ({ problems }: Verification): Verification["problems"] =>
  problems.filter(({ skipped }) => skipped === undefined);

export const isWhole = (verified: Verification): boolean => unknownProblems(verified).length === 0;

export function tellVerified(verified: Verification, terminal: Terminal): void {
  const { batches, processed, objects, bytes, orphans, compactions, begun, compacted, problems } =
    verified;
  const known = problems.filter(({ skipped }) => skipped !== undefined);
  const unknown = unknownProblems(verified);
  terminal.heading("Is the lake whole?");
  terminal.field(
    "Read",
    `${counted(batches, "batch", "batches")}, ${whole(processed)} of them transformed; ` +
      `${counted(objects, "object")}, ${size(bytes)}`,
  );
  if (orphans > 0)
    terminal.field(
      "Orphans",
      `${counted(orphans, "object")} that no manifest names: no harm, unless a manifest is lost`,
    );
  if (compactions > 0)
    terminal.field(
      "Compactions",
      `${whole(compactions)}` +
        (compacted > 0
          ? `; ${counted(compacted, "object")} of the batches ${compacted === 1 ? "is" : "are"} gone, and read there`
          : ""),
    );
  if (begun)
    terminal.field(
      "Begun",
      `a compaction of batches ${whole(begun.from)} to ${whole(begun.to)} that is not there: it is at work, or died and the next one ends it; ` +
        `or ${compactionKey(begun.to)} is lost: restore it from its version, where it has one`,
    );
  for (const { batch, message, skipped } of known)
    terminal.field("Known", `batch ${batch} was skipped (${skipped}): ${message}`);
  terminal.line();
  if (unknown.length === 0) terminal.paragraph("It is whole: each hash is what its manifest says.");
  else terminal.alarm(`${counted(unknown.length, "problem")}:`);
  for (const { batch, kind, message } of unknown)
    terminal.field(kind === "compaction" ? `compaction to ${batch}` : `batch ${batch}`, message);
}
