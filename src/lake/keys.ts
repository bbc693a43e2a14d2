// The layout of the two buckets (the README draws it): every key is made and read here.

/** Where the manifests are. A put here is the event that starts the next stage. */
export const BATCHES = "_batches/";
/** Where the receipts are. */
export const LOADS = "_loads/";
/**
 * What says where to begin a listing (`newest`, `loaded`), and whose put asks ingestion to go on (`goOn`). These alone are
 * overwritten; nothing is believed because of them.
 */
export const HINTS = {
  newest: "_hints/newest.json",
  loaded: "_hints/loaded.json",
  goOn: "_hints/continue.json",
} as const;

const number = (batch: number): string => String(batch).padStart(10, "0");

export const manifestKey = (batch: number): string => `${BATCHES}${number(batch)}.json`;
export const receiptKey = (batch: number): string => `${LOADS}${number(batch)}.json`;

/** The batch whose manifest `key` is, or undefined. */
export function batchOf(key: string): number | undefined {
  const found = /^_batches\/(\d{10})\.json$/.exec(key);
  const batch = Number(found?.[1]);
  return batch > 0 ? batch : undefined;
}

/** `table/yyyy/mm/dd/batch-run.extension`, the day in UTC. No two runs make the same key. */
export function getObjectPath(
  table: string,
  { at, batch, run }: { at: Date; batch: number; run: string },
  extension: string,
): string {
  const day = at.toISOString().slice(0, 10).replaceAll("-", "/");
  return `${encodeURIComponent(table)}/${day}/${number(batch)}-${run}.${extension}`;
}

/** Where the rows that did not fit `table` go. */
export const rejectedPath = (...at: Parameters<typeof getObjectPath>): string =>
  `_rejected/${getObjectPath(...at)}`;

/** Where the keys of rows that are gone from `table` go. */
export const deletedPath = (...at: Parameters<typeof getObjectPath>): string =>
  `_deleted/${getObjectPath(...at)}`;

/** The table that a data object's key belongs to. */
export const getTableName = (key: string): string =>
  decodeURIComponent(key.replace(/^_(rejected|deleted)\//, "").split("/")[0]!);
