/** What two sides that do not agree mean: a difference, and of which kind, or none. */
import type { Key } from "../ingestion/keyset.ts";
import { getColumnNames, keyOf, type ChangeDetection, type Source, type Table } from "../table.ts";
import type { Difference, Discrepancy } from "./difference.ts";
import type { History, Seen } from "./history.ts";
import { idOf, keyPlaces } from "./source-rows.ts";
import { placeholderText, type Texts } from "./texts.ts";
import type { WarehouseReader } from "./warehouse-rows.ts";

/** A star row that the two sides do not agree about. */
export interface Candidate {
  /** What the source makes; undefined where it makes no such row. */
  readonly expected: Texts | undefined;
  /** What the warehouse has; undefined where it has no such row. */
  readonly found: Texts | undefined;
  /** Of the table that is keyed by its source: what the source has under that key. */
  readonly atSource: "a row" | "a row in quarantine" | "nothing" | "not known";
  readonly source?: { readonly table: string; readonly key: Key } | undefined;
}

/** What some candidates come to. */
export interface Settled {
  readonly differences: readonly Difference[];
  readonly inferred: number;
  readonly pending: number;
}

export interface Evidence {
  readonly tables: readonly Table[];
  readonly warehouse: WarehouseReader;
  readonly history: History;
}

/** Texts are the same. */
export const same = (a: Texts, b: Texts): boolean => a.every((text, at) => text === b[at]);

/** Whether a change of a row of the table may have come after the batch without a trace: a source is read in full. */
export function isReadInFull({ sources, lookups }: Table): boolean {
  const read: readonly Source[] = [...sources, ...Object.values(lookups).map((one) => one.source)];
  const inFull: ChangeDetection["by"] = "full";
  return read.some(({ changes }) => changes.by === inFull);
}

/**
 * Says what candidates of one table come to, by what the lake has of their records.
 * @throws ManifestError, ObjectError, ParquetError where the lake is not what was committed
 */
export async function settle(
  table: Table,
  candidates: readonly Candidate[],
  { tables, warehouse, history }: Evidence,
): Promise<Settled> {
  const places = keyPlaces(table);
  const keyTexts = ({ expected, found }: Candidate): string[] =>
    places.map((at) => (found ?? expected)![at]!);
  const inferred = await inferredOf(table, candidates, { tables, warehouse });
  const inFull = isReadInFull(table);
  const left = candidates.filter((candidate) => !inferred.has(candidate));

  const states = new Map<Candidate, States>();
  const wanted = new Map<string, Seen>();
  for (const candidate of left) {
    if (candidate.found === undefined && !inFull) continue;
    const of: States = { isGone: undefined, newest: undefined, equal: undefined };
    states.set(candidate, of);
    wanted.set(idOf(keyTexts(candidate)), (state, batch) => {
      of.isGone ??= typeof state === "string" && state;
      if (typeof state !== "string") {
        of.newest ??= state;
        if (candidate.found && same(state, candidate.found)) of.equal = batch;
      }
      // Of what the source does not make, or the warehouse lacks, the newest is enough.
      const isEnough = candidate.found === undefined || isExtra(candidate);
      return isEnough || of.equal !== undefined;
    });
  }
  await history.walk(table, wanted);

  const differences: Difference[] = [];
  let pending = 0;
  for (const candidate of left) {
    const difference = judge(table, candidate, states.get(candidate), inFull);
    if (difference === "pending") pending++;
    else if (difference !== "none") differences.push(difference);
  }
  return { differences, inferred: inferred.size, pending };
}

/** What the lake has of a record. */
interface States {
  /** Whether the newest thing that the lake says of it is that it is gone; undefined where the lake does not know it. */
  isGone: "gone" | "removed" | false | undefined;
  newest: Texts | undefined;
  /** The newest batch whose state is what the warehouse has. */
  equal: number | undefined;
}

/** A row that is in quarantine keeps its last good state: it has to be seen which that is. */
const isExtra = ({ expected, atSource }: Candidate): boolean =>
  expected === undefined && atSource !== "a row in quarantine";

function judge(
  table: Table,
  { expected, found, atSource, source }: Candidate,
  states: States | undefined,
  inFull: boolean,
): Difference | "none" | "pending" {
  const make = (
    kind: Difference["kind"],
    of: { expected?: Texts; found?: Texts },
    more: Pick<Difference, "batch" | "note" | "isGone"> = {},
  ): Difference => ({
    table: table.name,
    kind,
    ...describe(table, of),
    ...more,
    ...(source ? { source } : {}),
  });
  const newest = states?.newest;
  const equal = states?.equal;
  if (found === undefined) {
    if (inFull && newest === undefined) return "pending";
    return make("missing", { expected: expected! });
  }
  if (expected !== undefined) {
    const isNewest = newest !== undefined && same(newest, found);
    // What is read in full at each run changed after the batch: else the lake would have it.
    if (inFull && isNewest) return "pending";
    if (equal !== undefined) return make("stale", { expected, found }, { batch: equal });
    const note = isPlaceholder(table, found) ? { note: "an inferred member stands for it" } : {};
    return make("different", { expected, found }, note);
  }
  if (atSource === "a row in quarantine" && newest !== undefined) {
    if (same(newest, found)) return "none";
    const note = "its source row is in quarantine: expected is its last good state";
    if (equal !== undefined)
      return make("stale", { expected: newest, found }, { batch: equal, note });
    return make("different", { expected: newest, found }, { note });
  }
  // A derived row that the lake made once stays: versions may refer to it that are there still.
  if (newest !== undefined && atSource === "not known") return "none";
  if (states?.isGone === "gone" && table.deleted === "keep") return "none";
  return make(
    "extra",
    { found },
    {
      note: whyExtra(table, atSource, states?.isGone),
      ...(atSource === "nothing" ? { isGone: true } : {}),
    },
  );
}

function whyExtra(
  { sources }: Table,
  atSource: Candidate["atSource"],
  isGone: States["isGone"],
): string {
  if (isGone === undefined) return "the lake never made it";
  if (isGone !== false) return "the lake says that it is gone";
  if (atSource !== "nothing") return "the source row makes none any more";
  const detects = sources.some(({ deletes }) => deletes === "detect");
  return detects
    ? "the source no longer has it, which no batch says yet"
    : "the source no longer has it, and its deletes are ignored";
}

/** The columns that differ; all but the key where there is one side alone. */
export function describe(
  table: Table,
  { expected, found }: { expected?: Texts; found?: Texts },
): Pick<Difference, "key" | "columns"> {
  const key: Record<string, string> = {};
  const columns: Discrepancy[] = [];
  const keys = keyOf(table);
  for (const [at, column] of getColumnNames(table).entries()) {
    if (keys.includes(column)) key[column] = (found ?? expected)![at]!;
    else if (!expected || !found || expected[at] !== found[at])
      columns.push({
        column,
        ...(expected ? { expected: expected[at]! } : {}),
        ...(found ? { found: found[at]! } : {}),
      });
  }
  return { key, columns };
}

/** Whether a row has placeholders alone, as an inferred member has. */
function isPlaceholder(table: Table, texts: Texts): boolean {
  const keys = keyOf(table);
  return getColumnNames(table).every(
    (column, at) => keys.includes(column) || texts[at] === placeholderText(table.columns[column]!),
  );
}

/** The inferred members among candidates: the source makes no such row, and a row of the warehouse refers to it. */
async function inferredOf(
  table: Table,
  candidates: readonly Candidate[],
  { tables, warehouse }: Pick<Evidence, "tables" | "warehouse">,
): Promise<ReadonlySet<Candidate>> {
  const [place, ...others] = keyPlaces(table);
  const standing = candidates.filter(
    ({ expected, found }) => expected === undefined && found && isPlaceholder(table, found),
  );
  if (standing.length === 0 || others.length > 0) return new Set();
  const keyOfOne = ({ found }: Candidate): string => found![place!]!;
  const referred = await warehouse.referredTo(table, standing.map(keyOfOne), tables);
  return new Set(standing.filter((candidate) => referred.has(keyOfOne(candidate))));
}
