/** Why the line of batches stands: found by looking at what the stages would meet, not by believing their logs. */
import {
  checkChain,
  readChained,
  readProcessedManifest,
  type LakeObject,
} from "../lake/manifest.ts";
import { getContentFromFile } from "../lake/objects.ts";
import { checkTemporary, checkWarehouse } from "../loading/warehouse.ts";
import { readCatalogue } from "../postgres/catalogue.ts";
import type { Connection } from "../postgres/connection.ts";
import type { Table } from "../table.ts";
import { nextInLine, type Line } from "./line.ts";
import type { Places } from "./places.ts";

/**
 * What keeps the next batch from its next stage, as that stage would say it; undefined where nothing is found that does.
 * Reads the batch's objects.
 */
export async function whyStands(
  { buckets, tables }: Pick<Places, "buckets" | "tables">,
  warehouse: Connection | undefined,
  line: Line,
): Promise<Error | undefined> {
  const next = nextInLine(line);
  if (!next) return undefined;
  try {
    if (next.stage === "transformation") {
      const { manifest } = await readChained(buckets.ingestion, next.batch);
      await readAll(buckets.ingestion, [...manifest.objects, ...manifest.deleted]);
    } else {
      const made = (await readProcessedManifest(buckets.processed, next.batch))?.manifest;
      if (!made) return undefined;
      const previous = line.load?.sha256 ?? null;
      if (warehouse) {
        if (next.batch === 1 || previous !== null)
          checkChain(buckets.processed, next.batch, made.previous_sha256, previous);
        await checkReady(warehouse, tables);
      }
      const { objects, deleted, rejected, driven } = made;
      await readAll(buckets.processed, [...objects, ...deleted, ...rejected, ...driven]);
    }
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

/** @throws ObjectError */
async function readAll(bucket: string, objects: readonly LakeObject[]): Promise<void> {
  for (const object of objects) await getContentFromFile(bucket, object);
}

/** Whether the loader could begin. @throws WarehouseError */
export async function checkReady(
  { db, schema }: Connection,
  tables: readonly Table[],
): Promise<void> {
  const wanted = tables.map(({ name }) => ({ schema, name }));
  checkWarehouse(tables, await readCatalogue(db, wanted));
  await checkTemporary(db);
}
