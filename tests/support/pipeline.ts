import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import pgPromise from "pg-promise";
import { gunzipSync } from "node:zlib";
import { openShop, type Database } from "../../localstack/totesys/shop.ts";
import {
  compare,
  latestOf,
  problems,
  starOf,
  type CompareOptions,
} from "../../localstack/totesys/star.ts";
import { handler as ingestion } from "../../src/handlers/ingestion.ts";
import { handler as loading } from "../../src/handlers/loading.ts";
import { handler as transformation } from "../../src/handlers/transformation.ts";
import type { IngestionManifest, ProcessedManifest } from "../../src/lake/manifest.ts";
import { manifestKey } from "../../src/lake/keys.ts";
import type { Rejected } from "../../src/transformation/star-rows.ts";
import { freshDatabases, type FreshDatabases, type PgCredentials } from "./stack.ts";
import { expect } from "./chai.ts";

const pgp = pgPromise<Record<never, never>>({ noWarnings: true });
export type { Database };

const pools: Database[] = [];
/** Opens a pool that is closed with the test file. */
export function connectTo(credentials: PgCredentials): Database {
  const db = pgp({ ...credentials, allowExitOnIdle: true });
  db.$pool.on("error", () => undefined);
  pools.push(db);
  return db;
}

/** Closes what a test file opened: call it in its `after`. */
export async function closeAll(): Promise<void> {
  await Promise.all(pools.splice(0).map((db) => db.$pool.end()));
}

const FACTS = [
  ["fact_sales_order", "sales_record_id", "sales_order_id"],
  ["fact_purchase_order", "purchase_record_id", "purchase_order_id"],
  ["fact_payment", "payment_record_id", "payment_id"],
];

/**
 * Where the warehouse is not the star of the source as it is now, by SQL that shares nothing with src/, and where a fact has
 * two versions in a row that are the same. One text a difference.
 */
export async function untruths(
  shop: Database,
  star: Database,
  options?: CompareOptions,
): Promise<string[]> {
  const found = problems(compare(await starOf(shop), await latestOf(star), options));
  for (const [fact, recordId, key] of FACTS) {
    const { doubled } = await star.one<{ doubled: string }>(
      `select count(*) as doubled from (
         select to_jsonb(f) - $2 as state,
                lag(to_jsonb(f) - $2) over (partition by $3:name order by $2:name) as before from $1:name f) v
        where state = before`,
      [fact, recordId, key],
    );
    if (doubled !== "0") found.push(`${fact}: ${doubled} versions are doubled`);
  }
  return found;
}

/** A pipeline of a test's own, its three handlers called in this process. */
export interface TestPipeline extends FreshDatabases {
  readonly shop: Database;
  readonly star: Database;
  readonly s3: S3Client;
  ingest(event?: Parameters<typeof ingestion>[0]): ReturnType<typeof ingestion>;
  transform(event?: unknown): ReturnType<typeof transformation>;
  load(event?: unknown): ReturnType<typeof loading>;
  /** What a tick of the schedule does, one function after the other. */
  run(): Promise<void>;
  keys(bucket: "ingestion" | "processed", prefix?: string): Promise<string[]>;
  get(bucket: "ingestion" | "processed", key: string): Promise<Buffer>;
  put(bucket: "ingestion" | "processed", key: string, body: Buffer | string): Promise<void>;
  remove(bucket: "ingestion" | "processed", key: string): Promise<void>;
  ingested(batch: number): Promise<IngestionManifest>;
  processed(batch: number): Promise<ProcessedManifest>;
  /** The rows of a source table in a batch, driving rows first. */
  lines(batch: number, table: string): Promise<Record<string, unknown>[]>;
  /** Every quarantined row, batch by batch. */
  rejected(): Promise<Rejected[]>;
  /** Fails where {@link untruths} finds something. */
  expectTrue(options?: CompareOptions): Promise<void>;
}

export interface PipelineOptions {
  /** Sales orders of the generated shop; 0 = an empty one. 40 unless said otherwise. */
  readonly orders?: number;
}

/** Opens a pipeline on databases, buckets and secrets of its own. */
export async function openPipeline({ orders = 40 }: PipelineOptions = {}): Promise<TestPipeline> {
  const fresh = await freshDatabases();
  const { env } = fresh;
  const shop = connectTo(fresh.source);
  const star = connectTo(fresh.warehouse);
  if (orders > 0) await openShop(shop, { seed: 7, salesOrders: orders });
  const s3 = new S3Client({
    endpoint: env.AWS_ENDPOINT_URL,
    region: env.AWS_REGION,
    forcePathStyle: true,
    credentials: {
      accessKeyId: env.AWS_ACCESS_KEY_ID,
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
    },
  });
  const bucketOf = { ingestion: env.INGESTION_BUCKET, processed: env.PROCESSED_BUCKET };
  // The handlers read the environment at each call, as each Lambda has its own.
  const as =
    <A extends unknown[], R>(handler: (...args: A) => Promise<R>) =>
    (...args: A): Promise<R> => {
      Object.assign(process.env, env);
      return handler(...args);
    };
  const get: TestPipeline["get"] = async (bucket, key) => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucketOf[bucket], Key: key }));
    return Buffer.from(await Body!.transformToByteArray());
  };
  const json = async <T>(bucket: "ingestion" | "processed", batch: number): Promise<T> =>
    JSON.parse((await get(bucket, manifestKey(batch))).toString()) as T;
  const parse = <T>(gzipped: Buffer): T[] =>
    gunzipSync(gzipped)
      .toString()
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as T);

  const pipeline: TestPipeline = {
    ...fresh,
    shop,
    star,
    s3,
    ingest: as(ingestion),
    transform: as(transformation),
    load: as(loading),
    async run() {
      await pipeline.ingest();
      await pipeline.transform();
      await pipeline.load();
    },
    async keys(bucket, prefix = "") {
      const listed = await s3.send(
        new ListObjectsV2Command({ Bucket: bucketOf[bucket], Prefix: prefix }),
      );
      return (listed.Contents ?? []).map(({ Key }) => Key!);
    },
    get,
    async put(bucket, key, body) {
      await s3.send(new PutObjectCommand({ Bucket: bucketOf[bucket], Key: key, Body: body }));
    },
    async remove(bucket, key) {
      await s3.send(new DeleteObjectCommand({ Bucket: bucketOf[bucket], Key: key }));
    },
    ingested: (batch) => json<IngestionManifest>("ingestion", batch),
    processed: (batch) => json<ProcessedManifest>("processed", batch),
    async lines(batch, table) {
      const { objects } = await pipeline.ingested(batch);
      const object = objects.find((one) => one.table === table);
      return object ? parse(await get("ingestion", object.key)) : [];
    },
    async rejected() {
      const rows: Rejected[] = [];
      for (const key of await pipeline.keys("processed", "_batches/")) {
        const { rejected } = JSON.parse(
          (await get("processed", key)).toString(),
        ) as ProcessedManifest;
        for (const object of rejected)
          rows.push(...parse<Rejected>(await get("processed", object.key)));
      }
      return rows;
    },
    async expectTrue(options) {
      expect(await untruths(shop, star, options)).to.deep.equal([]);
    },
  };
  return pipeline;
}

/** Empties both buckets and the warehouse. */
export async function startAnew(p: TestPipeline): Promise<void> {
  await p.star.none(
    "drop schema if exists etl cascade; drop schema public cascade; create schema public",
  );
  for (const bucket of ["ingestion", "processed"] as const)
    for (const found of await p.keys(bucket)) await p.remove(bucket, found);
}

/** The S3 event of a manifest, as a queue hands it over. */
export function queued(bucket: string, batch: number, messageId = `m${batch}`): object {
  const event = {
    Records: [{ s3: { bucket: { name: bucket }, object: { key: manifestKey(batch) } } }],
  };
  return { Records: [{ messageId, body: JSON.stringify(event), eventSource: "aws:sqs" }] };
}
