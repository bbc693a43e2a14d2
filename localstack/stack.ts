import {
  CreateBucketCommand,
  PutBucketNotificationConfigurationCommand,
  PutBucketVersioningCommand,
  S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import {
  CreateSecretCommand,
  PutSecretValueCommand,
  ResourceExistsException,
  SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import { readFile } from "node:fs/promises";
import { BATCHES, HINTS } from "../src/lake/keys.ts";
import { startAws, type AwsServer } from "./aws/server.ts";
import { Queue, type QueueHandler, type QueueOptions } from "./events.ts";
import { startPostgres, type Postgres, type PostgresOptions } from "./postgres.ts";
import { inSession } from "./session.ts";
import { addUsers, type Users } from "./users.ts";

/** How the stack is set up. All of it may be left out. */
export interface StackOptions {
  /** Of S3, Secrets Manager, SQS and Lambda; 0 = any free one, LocalStack's is 4566. */
  readonly port?: number;
  /** Where objects and secrets are kept, and found again; the databases are new each time. A temporary one where undefined. */
  readonly folder?: string | undefined;
  /** The source's name and the warehouse's. */
  readonly databases?: readonly [source: string, warehouse: string];
  /** PostgreSQL's; a free one where undefined. */
  readonly postgresPort?: number | undefined;
  /** PostgreSQL's, beyond those that a cluster here always has; as in postgresql.conf. */
  readonly postgresSettings?: PostgresOptions["settings"];
  /** Says nothing on the way. */
  readonly quiet?: boolean;
  /** Stops the stack and ends the process on SIGINT, SIGTERM, SIGHUP and uncaught exceptions. */
  readonly handleSignals?: boolean;
  readonly queue?: Pick<QueueOptions, "visibilityDelayMs" | "maxReceiveCount">;
}

/** What the functions, the SDKs and the command line take from the environment to work on the stack. */
export interface StackEnv {
  readonly INGESTION_BUCKET: string;
  readonly PROCESSED_BUCKET: string;
  readonly SOURCE_SECRET: string;
  readonly WAREHOUSE_SECRET: string;
  readonly AWS_ENDPOINT_URL: string;
  readonly AWS_REGION: string;
  readonly AWS_ACCESS_KEY_ID: string;
  readonly AWS_SECRET_ACCESS_KEY: string;
}

/** Names of one pipeline: two databases, two buckets, two secrets, three queues. */
export interface PipelineNames {
  readonly source: string;
  readonly warehouse: string;
  readonly ingestionBucket: string;
  readonly processedBucket: string;
  readonly sourceSecret: string;
  readonly warehouseSecret: string;
  readonly ingestionQueue: string;
  readonly transformationQueue: string;
  readonly loadingQueue: string;
}

/** A queue for each function that one wakes. */
export interface PipelineQueues {
  /** Filled where CONTINUE_AT_ONCE has ingestion ask for its next invocation. */
  readonly ingestion: Queue;
  readonly transformation: Queue;
  readonly loading: Queue;
}

/** One pipeline's places, ready for its functions. */
export interface Pipeline {
  readonly env: StackEnv;
  readonly queues: PipelineQueues;
  /** As whom the functions enter the databases: what the secrets say. */
  readonly users: Users;
  /** Sends the queues' messages to these from now on. */
  readonly connectFunctions: (handlers: {
    readonly ingestion?: QueueHandler;
    readonly transformation: QueueHandler;
    readonly loading: QueueHandler;
  }) => void;
}

/** A running stack: PostgreSQL, S3, Secrets Manager, SQS, Lambda, and the pipeline of stage `local` on them. */
export interface Stack extends Pipeline {
  readonly postgres: Postgres;
  readonly aws: AwsServer;
  /** Makes the buckets, users, secrets, queues and notifications of one more pipeline, on databases that exist. */
  addPipeline(names: PipelineNames): Promise<Pipeline>;
  /** Has something stopped before all that was started before it. */
  defer(name: string, stop: () => unknown): void;
  /** Stops everything, last in first out. Later calls wait for the first. Throws what failed, after trying all. */
  readonly stop: () => Promise<void>;
}

const credentials = { accessKeyId: "test", secretAccessKey: "test" };

/** Longest that stopping waits for handlers that are at work, in milliseconds. */
const patienceMs = 5_000;

/**
 * Starts everything that stands in for AWS and the databases on one machine (1 to 2 s), with the shop's schema in the
 * source database.
 * @throws PostgresError; Error with code EADDRINUSE where something listens on the port already
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const [source, warehouse] = options.databases ?? ["totesys", "warehouse"];
  const say = (line: string): void => {
    if (!options.quiet) console.log(line);
  };
  const stops: { readonly name: string; readonly stop: () => unknown }[] = [];
  const defer: Stack["defer"] = (name, stop) => void stops.push({ name, stop });
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopping ??= stopAll(stops, say));
  if (options.handleSignals) defer("signals", handleSignals(stop, say));

  try {
    const aws = await startAws({ port: options.port ?? 0, folder: options.folder });
    defer("the local AWS", () => aws.stop());
    say(`S3, Secrets Manager, SQS and Lambda on ${aws.endpoint}`);

    const databases = [source, warehouse];
    const postgres = await startPostgres({
      databases,
      port: options.postgresPort,
      ...(options.postgresSettings ? { settings: options.postgresSettings } : {}),
    });
    defer("PostgreSQL", () => postgres.stop());
    say(`PostgreSQL on ${postgres.host}:${postgres.port}, databases ${databases.join(" and ")}`);
    await applySchema(postgres, source);

    const receivers = new Map<string, Queue>();
    aws.onEvent(({ arn }, event) => receivers.get(arn)?.send(JSON.stringify(event)));
    const addPipeline = async (names: PipelineNames): Promise<Pipeline> => {
      const queue = (name: string): Queue => {
        const { region, account } = aws;
        const added = new Queue(name, { region, account, ...options.queue });
        receivers.set(added.arn, added);
        aws.queues.add(added);
        defer(`queue ${name}`, () => stopQueue(added, receivers));
        return added;
      };
      const queues: PipelineQueues = {
        ingestion: queue(names.ingestionQueue),
        transformation: queue(names.transformationQueue),
        loading: queue(names.loadingQueue),
      };
      const users = await addUsers(postgres, names);
      await provision(aws, users, names, queues);
      return {
        env: environment(aws, names),
        queues,
        users,
        connectFunctions({ ingestion, transformation, loading }) {
          if (ingestion) queues.ingestion.connect(ingestion);
          queues.transformation.connect(transformation);
          queues.loading.connect(loading);
        },
      };
    };
    const pipeline = await addPipeline({
      source,
      warehouse,
      ingestionBucket: "totes-ingestion-local",
      processedBucket: "totes-processed-local",
      sourceSecret: "totes/local/source",
      warehouseSecret: "totes/local/warehouse",
      ingestionQueue: "totes-warehouse-local-ingestion",
      transformationQueue: "totes-warehouse-local-transformation",
      loadingQueue: "totes-warehouse-local-loading",
    });
    return { ...pipeline, postgres, aws, addPipeline, defer, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Gives a database the shop's schema, without rows. */
export async function applySchema(postgres: Postgres, database: string): Promise<void> {
  const schema = await readFile(new URL("totesys/schema.sql", import.meta.url), "utf8");
  const { host, port, user, password } = postgres;
  await inSession({ host, port, user, password, database }, (client) => client.query(schema));
}

function environment(aws: AwsServer, names: PipelineNames): StackEnv {
  return {
    INGESTION_BUCKET: names.ingestionBucket,
    PROCESSED_BUCKET: names.processedBucket,
    SOURCE_SECRET: names.sourceSecret,
    WAREHOUSE_SECRET: names.warehouseSecret,
    AWS_ENDPOINT_URL: aws.endpoint,
    AWS_REGION: aws.region,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  };
}

/** Through the SDKs, as anybody would: what they make here they make on AWS. */
async function provision(
  { endpoint, region }: AwsServer,
  { reader, loader }: Users,
  names: PipelineNames,
  { ingestion, transformation, loading }: PipelineQueues,
): Promise<void> {
  const client = { endpoint, region, credentials };
  const s3 = new S3Client({ ...client, forcePathStyle: true });
  const secrets = new SecretsManagerClient(client);
  try {
    await Promise.all([
      provisionBucket(s3, names.ingestionBucket, [
        [transformation, BATCHES],
        [ingestion, HINTS.goOn.replace(/\.json$/, "")],
      ]),
      provisionBucket(s3, names.processedBucket, [[loading, BATCHES]]),
      putSecret(secrets, names.sourceSecret, reader),
      putSecret(secrets, names.warehouseSecret, loader),
    ]);
  } finally {
    s3.destroy();
    secrets.destroy();
  }
}

/** @param told which queue is told of puts of JSON under which prefix, as infrastructure/buckets.yml has it */
async function provisionBucket(
  s3: S3Client,
  bucket: string,
  told: readonly (readonly [queue: Queue, prefix: string])[],
): Promise<void> {
  try {
    await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  } catch (error) {
    // In a folder that was used before.
    const exists = error instanceof S3ServiceException && error.name === "BucketAlreadyOwnedByYou";
    if (!exists) throw error;
  }
  const Status = "Enabled";
  await s3.send(
    new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status } }),
  );
  await s3.send(
    new PutBucketNotificationConfigurationCommand({
      Bucket: bucket,
      // No test event: the queues begin empty.
      SkipDestinationValidation: true,
      NotificationConfiguration: {
        QueueConfigurations: told.map(([queue, prefix]) => ({
          Id: queue.name,
          QueueArn: queue.arn,
          Events: ["s3:ObjectCreated:*"],
          Filter: {
            Key: {
              FilterRules: [
                { Name: "prefix", Value: prefix },
                { Name: "suffix", Value: ".json" },
              ],
            },
          },
        })),
      },
    }),
  );
}

/** What a secret says of a database: how its superuser connects. */
export const credentialsOf = (
  { host, port, user, password }: Postgres,
  database: string,
): object => ({ host, port, user, password, database });

/** Makes a secret, or gives it another value. */
export async function putSecret(
  secrets: SecretsManagerClient,
  name: string,
  value: object,
): Promise<void> {
  const SecretString = JSON.stringify(value);
  try {
    await secrets.send(new CreateSecretCommand({ Name: name, SecretString }));
  } catch (error) {
    if (!(error instanceof ResourceExistsException)) throw error;
    await secrets.send(new PutSecretValueCommand({ SecretId: name, SecretString }));
  }
}

async function stopQueue(queue: Queue, queues: Map<string, Queue>): Promise<void> {
  queues.delete(queue.arn);
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => (timer = setTimeout(resolve, patienceMs)));
  await Promise.race([queue.stop(), patience]);
  clearTimeout(timer);
}

async function stopAll(
  stops: readonly { readonly name: string; readonly stop: () => unknown }[],
  say: (line: string) => void,
): Promise<void> {
  const failures: unknown[] = [];
  for (const { name, stop } of stops.toReversed()) {
    try {
      await stop();
    } catch (error) {
      failures.push(new Error(`${name} did not stop`, { cause: error }));
    }
  }
  say("Stopped");
  if (failures.length > 0) throw new AggregateError(failures, "Not everything stopped");
}

/** Every way out goes through `stop`. A second signal does not wait for it; the watchdogs then tidy up alone. */
function handleSignals(stop: () => Promise<void>, say: (line: string) => void): () => void {
  let exitCode: number | undefined;
  const leave = async (code: number): Promise<void> => {
    exitCode = code;
    try {
      await stop();
    } catch (error) {
      console.error(error);
    }
    process.exit(exitCode);
  };
  const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (exitCode !== undefined) process.exit(exitCode);
    say(`${signal}: stopping`);
    void leave(signals[signal as keyof typeof signals]);
  };
  const onError = (error: unknown): void => {
    console.error(error);
    // What fails because everything is being stopped must not keep the rest from being stopped.
    if (exitCode === undefined) void leave(1);
  };
  for (const signal of Object.keys(signals)) process.on(signal, onSignal);
  process.on("uncaughtException", onError);
  return () => {
    // Until the process has ended, a second signal must still be heard.
    if (exitCode !== undefined) return;
    for (const signal of Object.keys(signals)) process.off(signal, onSignal);
    process.off("uncaughtException", onError);
  };
}
