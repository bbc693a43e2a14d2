/** What is loaded is recorded in the warehouse, and told to the bucket. */
import { putOnce } from "../aws/s3.ts";
import { receiptKey } from "../lake/keys.ts";
import { getIfSmall } from "../lake/manifest.ts";
import type { Connection, Db } from "../postgres/connection.ts";
import { parameterised } from "../postgres/sql.ts";
import { loadsOf } from "./ledger.ts";
import type { LoadedBatch } from "./load-batch.ts";

/** What a batch's receipt holds. */
const RECEIPT = "receipt || jsonb_build_object('loaded_at', loaded_at) as receipt";

/**
 * In the transaction of the rows themselves: this is what makes a batch loaded exactly once.
 * @returns its receipt
 */
export async function recordLoad(
  db: Db,
  ledger: string,
  { ingestion_sha256, ...receipt }: LoadedBatch & { ingestion_sha256: string },
): Promise<object> {
  const rows = Object.values(receipt.tables).reduce((sum, table) => sum + table.rows, 0);
  const recorded = await db.one<{ receipt: object }>(
    parameterised(
      `insert into ${loadsOf(ledger)} (batch, run, kind, ingestion_sha256, rows, seconds, receipt)
       values ($1, $2, $3, $4, $5, $6, $7) returning ${RECEIPT}`,
      [
        receipt.batch,
        receipt.run,
        receipt.kind,
        ingestion_sha256,
        rows,
        receipt.seconds,
        JSON.stringify(receipt),
      ],
    ),
  );
  return recorded.receipt;
}

/** Puts the receipts that are due, those of a loader that died before it could among them. They are for people. */
export async function putReceipts(connection: Connection, bucket: string): Promise<void> {
  const { db, ledger } = connection;
  const due = await db.any<{ batch: string; receipt: object }>(
    `select batch, ${RECEIPT} from ${loadsOf(ledger)} where not receipt_put order by batch`,
  );
  for (const { batch, receipt } of due)
    await markPut(connection, putReceipt(bucket, Number(batch), receipt));
}

/** @returns the batch; undefined where its receipt is still due: S3 was busy with another put of it, which came to nothing */
export async function putReceipt(
  bucket: string,
  batch: number,
  receipt: object,
): Promise<number | undefined> {
  const key = receiptKey(batch);
  const body = Buffer.from(`${JSON.stringify(receipt)}\n`);
  const isThere =
    (await putOnce(bucket, key, body, "application/json")) ||
    (await getIfSmall(bucket, key)) !== undefined;
  return isThere ? batch : undefined;
}

/** Marks the receipt of a batch, if there is one, once it is put. */
export async function markPut(
  { db, ledger }: Connection,
  receipt: Promise<number | undefined> | undefined,
): Promise<void> {
  const batch = await receipt;
  if (batch === undefined) return;
  await db.none(
    parameterised(`update ${loadsOf(ledger)} set receipt_put = true where batch = $1`, [batch]),
  );
}
