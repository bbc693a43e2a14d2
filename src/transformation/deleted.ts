/** The keys that a batch says to be gone from its sources, as keys of the star tables that are keyed by those. */
import type { IngestionManifest } from "../lake/manifest.ts";
import { readS3Json } from "../lake/objects.ts";
import {
  deletedColumns,
  keyedBySource,
  keyOf,
  timestamptz,
  type SourceRow,
  type Table,
} from "../table.ts";
import { BadValue, store, type Stored } from "../values.ts";
import { vectorOf, type Vector } from "../vectors.ts";

/** Keys that no row of a star table should have any more. */
export interface DeletedKeys {
  readonly table: Table;
  readonly rows: number;
  /** One a column of `deletedColumns`, in order. */
  readonly vectors: readonly Vector[];
}

/**
 * Of each table of `tables` that the batch has gone keys for, those, whatever the table does with them: the lake knows each.
 * They are gone by the moment at which ingestion committed the batch.
 * @throws ObjectError
 */
export async function readDeleted(
  bucket: string,
  manifest: IngestionManifest,
  tables: readonly Table[],
): Promise<DeletedKeys[]> {
  const made: DeletedKeys[] = [];
  for (const object of manifest.deleted) {
    const keyed = tables.filter((table) => keyedBySource(table)?.name === object.table);
    if (keyed.length === 0) continue;
    const gone: SourceRow[] = [];
    for await (const rows of readS3Json(bucket, object)) gone.push(...rows);
    for (const table of keyed) {
      const rows = starKeys(table, gone).map((key) => [
        ...key,
        store(timestamptz, manifest.committed_at),
      ]);
      if (rows.length === 0) continue;
      const columns = Object.values(deletedColumns(table));
      const vectors = columns.map((column, i) =>
        vectorOf(
          column,
          rows.map((row) => row[i]!),
        ),
      );
      made.push({ table, rows: rows.length, vectors });
    }
  }
  return made;
}

/** Source keys as the table stores its own. One that does not fit is left out: no row can have it. */
function starKeys(table: Table, gone: readonly SourceRow[]): Stored[][] {
  const theirs = keyOf(keyedBySource(table)!);
  const ours = keyOf(table).map((column) => table.columns[column]!);
  return gone.flatMap((row) => {
    try {
      return [ours.map((column, i) => store(column, row[theirs[i]!]))];
    } catch (error) {
      if (error instanceof BadValue) return [];
      throw error;
    }
  });
}
