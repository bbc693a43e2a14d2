import { DeleteObjectCommand, paginateListObjectsV2, type S3Client } from "@aws-sdk/client-s3";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { openDatabase } from "../localstack/demo/databases.ts";
import { credentialsOf, putSecret, type Pipeline, type Stack } from "../localstack/stack.ts";
import type { Database } from "../localstack/totesys/shop.ts";
import { openLake } from "./lake.ts";

/** One pipeline with buckets and a warehouse of its own, all empty at first. */
export interface BenchPipeline extends Pipeline {
  readonly warehouse: Database;
  /** The warehouse's name. */
  readonly name: string;
  readonly lake: S3Client;
  /** The newest batch that the warehouse has; 0 where there is none. */
  newest(): Promise<number>;
  /** Empties the buckets and the warehouse, and has the functions read another shop from now on. */
  startOver(source: string): Promise<void>;
  /** Drops the warehouse. The buckets go with the stack. */
  drop(): Promise<void>;
}

let count = 0;

/** Makes a pipeline that reads `source`. */
export async function openPipeline(stack: Stack, source: string): Promise<BenchPipeline> {
  const number = ++count;
  const names = {
    source,
    warehouse: `warehouse_${number}`,
    ingestionBucket: `bench-ingestion-${number}`,
    processedBucket: `bench-processed-${number}`,
    sourceSecret: `bench/${number}/source`,
    warehouseSecret: `bench/${number}/warehouse`,
    ingestionQueue: `bench-ingestion-${number}`,
    transformationQueue: `bench-transformation-${number}`,
    loadingQueue: `bench-loading-${number}`,
  };
  await stack.postgres.createDatabase(names.warehouse);
  const pipeline = await stack.addPipeline(names);
  const warehouse = openDatabase(stack, names.warehouse);
  const lake = openLake(pipeline.env);
  return {
    ...pipeline,
    warehouse,
    name: names.warehouse,
    lake,
    newest: () => newestIn(warehouse),
    async startOver(next) {
      for (const bucket of [names.ingestionBucket, names.processedBucket])
        await empty(lake, bucket);
      await warehouse.multi(
        "drop schema public cascade; create schema public; drop schema if exists etl cascade",
      );
      const { aws, postgres } = stack;
      const { env } = pipeline;
      const secrets = new SecretsManagerClient({
        endpoint: aws.endpoint,
        region: aws.region,
        credentials: {
          accessKeyId: env.AWS_ACCESS_KEY_ID,
          secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
        },
      });
      await putSecret(secrets, names.sourceSecret, credentialsOf(postgres, next));
      secrets.destroy();
    },
    async drop() {
      lake.destroy();
      // Its pool ends with the stack, and takes the loss of its connections until then.
      await stack.postgres.dropDatabase(names.warehouse);
    },
  };
}

async function newestIn(warehouse: Database): Promise<number> {
  const { there } = await warehouse.one<{ there: boolean }>(
    "select to_regclass('etl.batch_load') is not null as there",
  );
  if (!there) return 0;
  const { newest } = await warehouse.one<{ newest: string }>(
    "select coalesce(max(batch), 0) as newest from etl.batch_load",
  );
  return Number(newest);
}

async function empty(lake: S3Client, Bucket: string): Promise<void> {
  for await (const { Contents = [] } of paginateListObjectsV2({ client: lake }, { Bucket }))
    for (const { Key } of Contents) await lake.send(new DeleteObjectCommand({ Bucket, Key }));
}
