import {
  CreateBucketCommand,
  GetObjectCommand,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Readable } from "node:stream";
import {
  startAws,
  type AwsServer,
  type Destination,
  type S3Notification,
  type S3TestNotification,
} from "../../localstack/aws/server.ts";
import { client } from "../contracts/s3.ts";

/** Whom the local AWS lets in. */
export const credentials = { accessKeyId: "test", secretAccessKey: "test" };

/** The bucket that each test begins with, empty. */
export const Bucket = "bucket";

/** The server of one test, and how to talk to it. */
export class LocalS3 {
  folder = "";
  aws!: AwsServer;
  s3!: S3Client;

  async start(): Promise<void> {
    this.aws = await startAws({ folder: this.folder });
    this.s3 = client({ endpoint: this.aws.endpoint, credentials });
  }

  async stop(): Promise<void> {
    this.s3.destroy();
    await this.aws.stop();
  }

  put(Key: string, Body: string | Buffer | Readable) {
    return this.s3.send(new PutObjectCommand({ Bucket, Key, Body }));
  }

  async read(Key: string): Promise<string | undefined> {
    const { Body } = await this.s3.send(new GetObjectCommand({ Bucket, Key }));
    return Body?.transformToString();
  }
}

/** Gives each test of a suite a server of its own, on a folder of its own. */
export function useLocalS3(): LocalS3 {
  const local = new LocalS3();
  beforeEach(async () => {
    local.folder = await mkdtemp(path.join(tmpdir(), "aws-test-"));
    await local.start();
    await local.s3.send(new CreateBucketCommand({ Bucket }));
  });
  afterEach(async () => {
    await local.stop();
    await rm(local.folder, { recursive: true });
  });
  return local;
}

/** An event, and where it went. */
export interface Collected<E> {
  readonly destination: Destination;
  readonly event: E;
}

/** Collects the events from now on. */
export function collectEvents(aws: AwsServer): Collected<S3Notification | S3TestNotification>[] {
  const events: Collected<S3Notification | S3TestNotification>[] = [];
  aws.onEvent((destination, event) => events.push({ destination, event }));
  return events;
}

/** Has the bucket send events to a queue. */
export function notifyQueue(
  s3: S3Client,
  QueueArn: string,
  prefix: string,
  suffix: string,
  event: "s3:ObjectCreated:*" | "s3:ObjectRemoved:*" = "s3:ObjectCreated:*",
  SkipDestinationValidation = true,
) {
  const FilterRules = [
    { Name: "prefix" as const, Value: prefix },
    { Name: "suffix" as const, Value: suffix },
  ];
  return s3.send(
    new PutBucketNotificationConfigurationCommand({
      Bucket,
      SkipDestinationValidation,
      NotificationConfiguration: {
        QueueConfigurations: [{ QueueArn, Events: [event], Filter: { Key: { FilterRules } } }],
      },
    }),
  );
}
