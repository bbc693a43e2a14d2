import { ignoring } from "../errors.ts";
import { HINTS } from "../lake/keys.ts";
import {
  ManifestError,
  readProcessedManifest,
  writeHint,
  type ProcessedManifest,
} from "../lake/manifest.ts";
import type { Connection } from "../postgres/connection.ts";
import { parameterised } from "../postgres/sql.ts";
import { loadsOf, prepareLedger } from "./ledger.ts";
import { lock, unlock } from "./lock.ts";
import { newestInLedger } from "./loads.ts";
import { putReceipts } from "./receipts.ts";

/**
 * Leaves out the next batch, for good: an operator's way past one that cannot be loaded. Recorded with its reason.
 * A rebuild does so again, and writes nothing to the bucket.
 * @throws Error unless `batch` is the next one
 */
export async function skipBatch(
  connection: Connection,
  bucket: string,
  { batch, why }: { readonly batch: number; readonly why: string },
  { wait = 60_000, rebuild = false }: { readonly wait?: number; readonly rebuild?: boolean } = {},
): Promise<void> {
  const { db, ledger } = connection;
  await lock(connection, wait);
  await prepareLedger(db, ledger);
  const next = ((await newestInLedger(connection))?.batch ?? 0) + 1;
  if (batch !== next)
    throw new Error(`batch ${batch} cannot be skipped: the next batch to load is ${next}`);
  const manifest = await readIfPossible(bucket, batch);
  await db.none(
    parameterised(
      `insert into ${loadsOf(ledger)} (batch, run, kind, ingestion_sha256, rows, seconds, skipped_why, receipt)
       values ($1, $2, $3, $4, 0, 0, $5, $6)`,
      [
        batch,
        manifest?.run ?? null,
        manifest?.kind ?? null,
        manifest?.ingestion_sha256 ?? null,
        why,
        JSON.stringify({ batch, skipped_why: why }),
      ],
    ),
  );
  if (!rebuild) {
    await putReceipts(connection, bucket);
    await writeHint(bucket, HINTS.loaded, batch);
  }
  await unlock(db);
}

/** A batch is skipped because something is wrong with it: its manifest may be what is. */
async function readIfPossible(
  bucket: string,
  batch: number,
): Promise<ProcessedManifest | undefined> {
  const found = await readProcessedManifest(bucket, batch).catch(ignoring(ManifestError));
  return found?.manifest;
}
