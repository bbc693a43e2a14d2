import { GetObjectCommand, paginateListObjectsV2, S3Client } from "@aws-sdk/client-s3";
import type { StackEnv } from "../localstack/stack.ts";

/** Rows and bytes of the data objects that a bucket's manifests name. */
export interface Written {
  /** By table. */
  readonly rows: Readonly<Record<string, number>>;
  readonly bytes: number;
  readonly rejected: number;
}

/** What of a manifest is looked at. */
interface Manifest {
  readonly objects: readonly {
    readonly table: string;
    readonly rows: number;
    readonly driving_rows?: number;
    readonly bytes: number;
  }[];
  readonly rejected_rows?: number;
}

/** A client for the stack's S3. */
export const openLake = (env: StackEnv): S3Client =>
  new S3Client({
    endpoint: env.AWS_ENDPOINT_URL,
    region: env.AWS_REGION,
    forcePathStyle: true,
    credentials: { accessKeyId: env.AWS_ACCESS_KEY_ID, secretAccessKey: env.AWS_SECRET_ACCESS_KEY },
  });

/** What the manifests of a bucket name that come after batch `after`, driving rows alone. */
export async function writtenSince(
  lake: S3Client,
  bucket: string,
  after: number,
): Promise<Written> {
  const rows: Record<string, number> = {};
  let [bytes, rejected] = [0, 0];
  for (const { objects, rejected_rows = 0 } of await manifestsAfter(lake, bucket, after)) {
    rejected += rejected_rows;
    for (const { table, driving_rows, rows: all, bytes: size } of objects) {
      rows[table] = (rows[table] ?? 0) + (driving_rows ?? all);
      bytes += size;
    }
  }
  return { rows, bytes, rejected };
}

async function manifestsAfter(lake: S3Client, Bucket: string, after: number): Promise<Manifest[]> {
  const manifests: Manifest[] = [];
  const listing = { Bucket, Prefix: "_batches/", StartAfter: manifestKey(after) };
  for await (const { Contents = [] } of paginateListObjectsV2({ client: lake }, listing))
    for (const { Key } of Contents) {
      const { Body } = await lake.send(new GetObjectCommand({ Bucket, Key: Key! }));
      manifests.push(JSON.parse(await Body!.transformToString()) as Manifest);
    }
  return manifests;
}

const manifestKey = (batch: number): string => `_batches/${String(batch).padStart(10, "0")}.json`;
