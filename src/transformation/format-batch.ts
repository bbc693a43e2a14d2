/** The driving rows of one batch, through the formatters, into columns. */
import type { IngestionManifest, LakeObject } from "../lake/manifest.ts";
import { JsonLines, readS3Json } from "../lake/objects.ts";
import {
  getColumnNames,
  keyedBySource,
  keyOf,
  type Lookup,
  type Source,
  type SourceRow,
  type Table,
} from "../table.ts";
import { StarRows, type Found } from "./star-rows.ts";

/** What a batch makes of one table. */
export interface Made {
  readonly table: Table;
  readonly stars: StarRows;
  readonly rejected: JsonLines;
  /** Keys of driving rows that no star row tells of, by source: of those that this table is to tell of. */
  readonly driven: ReadonlyMap<string, JsonLines>;
}

/** Bytes that the rows of tables which are made at the same time may take, about. */
const GROUP_BYTES = 48 << 20;
/** Bytes that a value takes in its column, about: a float, or what points to a text. */
const VALUE_BYTES = 8;

/**
 * The rows of each of `tables` that the batch has driving rows for, in turn. Tables are made in groups, so that no
 * more are in memory than fit: each group reads its sources again. Whoever is handed a table holds it alone.
 */
export async function* formatBatch(
  bucket: string,
  manifest: Pick<IngestionManifest, "objects">,
  tables: readonly Table[],
  groupBytes: number = GROUP_BYTES,
): AsyncGenerator<Made> {
  const objectOf = new Map(manifest.objects.map((object) => [object.table, object]));
  const drivingRows = ({ name }: Source): number => objectOf.get(name)?.driving_rows ?? 0;
  const driven = tables.filter(({ sources }) => sources.some((source) => drivingRows(source) > 0));
  // In declared order, so that the same batch always makes the same rows.
  const sources = new Map(
    driven.flatMap((table) => table.sources).map((source) => [source.name, source]),
  );
  const witnesses = witnessesOf(driven);
  const rowsOf = (table: Table): number =>
    table.sources.reduce((sum, source) => sum + drivingRows(source), 0);
  const bytesOf = (table: Table): number =>
    rowsOf(table) * (getColumnNames(table).length + 1) * VALUE_BYTES;

  let found: Found = new Map();
  for (const group of groupsOf(driven, bytesOf, groupBytes)) {
    found = await lookUpAll(bucket, objectOf, group, found);
    const made = group.map((table): Made => {
      const rejected = new JsonLines();
      const untold = new Map(
        table.sources
          .filter(({ name }) => witnesses.get(name) === table)
          .map(({ name }) => [name, new JsonLines()]),
      );
      // Of a table that is keyed by its source, star rows tell of all the others.
      const source = keyedBySource(table);
      const madeNone = source && untold.get(source.name);
      const stars = new StarRows(
        table,
        (row) => rejected.add(row),
        rowsOf(table),
        (row) => madeNone?.add(keyIn(source!, row)),
      );
      return { table, rejected, stars, driven: untold };
    });
    for (const source of sources.values()) {
      const targets = made.filter(({ table }) =>
        table.sources.some(({ name }) => name === source.name),
      );
      if (targets.length === 0 || drivingRows(source) === 0) continue;
      await formatSource(bucket, objectOf.get(source.name)!, source, targets, found);
    }
    for (let next = made.shift(); next; next = made.shift()) yield next;
  }
}

/** Cuts `tables` where the next one would not fit any more; each group has one at least. */
export function groupsOf<T>(
  tables: readonly T[],
  bytesOf: (table: T) => number,
  groupBytes: number,
): T[][] {
  const groups: T[][] = [];
  let left = 0;
  for (const table of tables) {
    const bytes = bytesOf(table);
    if (bytes > left || groups.length === 0) {
      groups.push([]);
      left = groupBytes;
    }
    groups.at(-1)!.push(table);
    left -= bytes;
  }
  return groups;
}

/** The rows that `tables` look up, by source and key; of those at hand, what they need no more is left out. */
async function lookUpAll(
  bucket: string,
  objectOf: ReadonlyMap<string, LakeObject>,
  tables: readonly Table[],
  atHand: Found,
): Promise<Found> {
  const lookups = tables.flatMap((table): Lookup[] => Object.values(table.lookups));
  const found = new Map<string, ReadonlyMap<string, SourceRow>>();
  for (const { source } of lookups) {
    const object = objectOf.get(source.name);
    if (!object || found.has(source.name)) continue;
    const there = atHand.get(source.name);
    found.set(source.name, there ?? (await byKey(bucket, object, keyOf(source)[0]!)));
  }
  return found;
}

async function byKey(
  bucket: string,
  object: LakeObject,
  key: string,
): Promise<Map<string, SourceRow>> {
  const found = new Map<string, SourceRow>();
  for await (const rows of readS3Json(bucket, object))
    for (const row of rows) found.set(String(row[key]), row);
  return found;
}

async function formatSource(
  bucket: string,
  object: IngestionManifest["objects"][number],
  source: Source,
  targets: readonly Made[],
  found: Found,
): Promise<void> {
  let left = object.driving_rows;
  for await (const rows of readS3Json(bucket, object)) {
    const driving = rows.slice(0, left);
    left -= driving.length;
    for (const { table, stars, driven } of targets) {
      stars.add(source, driving, found);
      const untold = keyedBySource(table) ? undefined : driven.get(source.name);
      if (untold) for (const row of driving) untold.add(keyIn(source, row));
    }
  }
}

const keyIn = (source: Source, row: SourceRow): SourceRow =>
  Object.fromEntries(keyOf(source).map((column) => [column, row[column]]));

/**
 * The table by which one knows, of each source, which of its rows a batch was made from: the first that is keyed by it,
 * whose star rows say so; else any, and then all their keys are written down.
 */
function witnessesOf(tables: readonly Table[]): ReadonlyMap<string, Table> {
  const found = new Map<string, Table>();
  for (const table of tables) {
    const source = keyedBySource(table);
    if (source && !found.has(source.name)) found.set(source.name, table);
  }
  for (const table of tables)
    for (const { name } of table.sources) if (!found.has(name)) found.set(name, table);
  return found;
}
