// The layout of the two buckets (the README draws it): every key is made and read here.

/** Where the manifests are. A put here is the event that starts the next stage. */
export const BATCHES = "_batches/";
/** Where the receipts are. */
export const LOADS = "_loads/";
/** Where the manifests of compactions are: in a prefix of their own, as nothing is to be woken by them. */
export const COMPACTIONS = "_compactions/";
/** Where it is written which batches a compaction that begins at a batch takes. */
export const RANGES = "_ranges/";
/**
 * What says where to begin a listing (`newest`, `loaded`), whose put asks ingestion to go on (`goOn`), and which rows are
 * worth reading first (`quarantined`). These alone are overwritten; nothing is believed because of them.
 */
export const HINTS = {
  newest: "_hints/newest.json",
  loaded: "_hints/loaded.json",
  goOn: "_hints/continue.json",
  quarantined: "_hints/quarantined.json",
} as const;

/** The list of the batches that a fan-out makes, in the bucket that it fills. */
export const fanOutKey = (run: string): string => `_hints/fan-out-${run}.json`;

/** The last batch that has a key. */
export const LAST_BATCH = 9_999_999_999;
const number = (batch: number): string => String(batch).padStart(10, "0");

export const manifestKey = (batch: number): string => `${BATCHES}${number(batch)}.json`;
export const receiptKey = (batch: number): string => `${LOADS}${number(batch)}.json`;
/** By the last batch of the compaction. */
export const compactionKey = (to: number): string => `${COMPACTIONS}${number(to)}.json`;
/** By the first. */
export const rangeKey = (from: number): string => `${RANGES}${number(from)}.json`;

/** The batch whose manifest `key` is, or undefined. */
export function batchOf(key: string): number | undefined {
  return numberIn(/^_batches\/(\d{10})\.json$/, key);
}

/** The batch whose receipt `key` is, or undefined. */
export const receiptBatchOf = (key: string): number | undefined =>
  numberIn(/^_loads\/(\d{10})\.json$/, key);

/** The last batch of the compaction whose manifest `key` is, or undefined. */
export const compactedTo = (key: string): number | undefined =>
  numberIn(/^_compactions\/(\d{10})\.json$/, key);

/** The first batch of the range that `key` says, or undefined. */
export const rangeFrom = (key: string): number | undefined =>
  numberIn(/^_ranges\/(\d{10})\.json$/, key);

function numberIn(pattern: RegExp, key: string): number | undefined {
  const batch = Number(pattern.exec(key)?.[1]);
  return batch > 0 ? batch : undefined;
}

/** A table's name as the first part of a key: not one of the lake's own, which begin with `_`, and not `..`, which S3 refuses. */
const folderOf = (table: string): string =>
  encodeURIComponent(table).replace(/^[_.]+/, (first) =>
    first.replaceAll("_", "%5F").replaceAll(".", "%2E"),
  );

/** `table/yyyy/mm/dd/batch-run.extension`, the day in UTC. No two runs make the same key. */
export function getObjectPath(
  table: string,
  { at, batch, run }: { at: Date; batch: number; run: string },
  extension: string,
): string {
  const day = at.toISOString().slice(0, 10).replaceAll("-", "/");
  return `${folderOf(table)}/${day}/${number(batch)}-${run}.${extension}`;
}

/** Where the rows that did not fit `table` go. */
export const rejectedPath = (...at: Parameters<typeof getObjectPath>): string =>
  `_rejected/${getObjectPath(...at)}`;

/** Where the keys of rows of a source go that no star row tells of. */
export const drivenPath = (...at: Parameters<typeof getObjectPath>): string =>
  `_driven/${getObjectPath(...at)}`;

/** Where the keys of rows go that a source has no more. */
export const gonePath = (...at: Parameters<typeof getObjectPath>): string =>
  `_gone/${getObjectPath(...at)}`;

/** Where the keys of rows that are gone from `table` go. */
export const deletedPath = (...at: Parameters<typeof getObjectPath>): string =>
  `_deleted/${getObjectPath(...at)}`;

/** Whether `key` is of {@link deletedPath}. */
export const isOfDeleted = (key: string): boolean => key.startsWith("_deleted/");

/** The batch and the run that a data object's key names; undefined of any other key. */
export function madeBy(key: string): { batch: number; run: string } | undefined {
  const [, batch, run] = /\/(\d{10})-([^/.]+)\.[^/]+$/.exec(key) ?? [];
  return run === undefined ? undefined : { batch: Number(batch), run };
}

/** Whether `key` is where data of `table` belongs; names with a leading `_` or `.` stood there as they are at first. */
export const isOfTable = (key: string, table: string): boolean =>
  [folderOf(table), encodeURIComponent(table)].some((folder) =>
    key.replace(/^_(rejected|deleted|driven|gone)\//, "").startsWith(`${folder}/`),
  );

/** The table that a data object's key belongs to. */
export const getTableName = (key: string): string =>
  decodeURIComponent(key.replace(/^_(rejected|driven|deleted|gone)\//, "").split("/")[0]!);
