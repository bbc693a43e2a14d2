// The service deployed to an AWS on this machine, with real databases: what the deployment's tests need.
import { CloudFormationClient } from "@aws-sdk/client-cloudformation";
import { IAMClient } from "@aws-sdk/client-iam";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { ListBucketsCommand, S3Client } from "@aws-sdk/client-s3";
import { SFNClient } from "@aws-sdk/client-sfn";
import { GetQueueAttributesCommand, GetQueueUrlCommand, SQSClient } from "@aws-sdk/client-sqs";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { text } from "node:stream/consumers";
import { startCloud, type Cloud } from "../../localstack/cloud.ts";
import { freePort } from "../../localstack/postgres.ts";
import { copyProject } from "../support/project.ts";

const root = path.join(import.meta.dirname, "..", "..");
export const REGION = "eu-west-2";

/** What a command printed, and how it ended. */
export interface Ended {
  readonly code: number | null;
  readonly output: string;
}

export interface DeployedCloud extends Cloud {
  /** A copy of the project, to deploy from and to edit. */
  readonly project: string;
  readonly s3: S3Client;
  readonly sqs: SQSClient;
  readonly lambda: LambdaClient;
  readonly iam: IAMClient;
  readonly cloudFormation: CloudFormationClient;
  readonly steps: SFNClient;
  /** Runs `sls … --stage local` in the copy. */
  sls(args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Ended>;
  /** Invokes a deployed function and waits for its answer. */
  invoke(name: string, event?: object): Promise<{ failed: boolean; answer: unknown }>;
  /** Messages that wait in a queue, are with a function, or wait to be delivered again. */
  depth(queue: string): Promise<number>;
  queueUrl(queue: string): Promise<string>;
  /** The hosts beyond this machine that sls connected to, or tried to. */
  elsewhere(): string[];
}

/** Starts the emulator and PostgreSQL, with an empty shop; deploys nothing. */
export async function openCloud(): Promise<DeployedCloud> {
  const cloud = await startCloud({ port: await freePort() });
  const { client, emulator } = cloud;
  const project = mkdtempSync(path.join(root, ".local-deploy-"));
  copyProject(project);

  const sqs = new SQSClient(client);
  const lambda = new LambdaClient({ ...client, requestHandler: { requestTimeout: 60_000 } });
  const queueUrl = async (queue: string): Promise<string> => {
    const QueueName = `totes-warehouse-local-${queue}`;
    return (await sqs.send(new GetQueueUrlCommand({ QueueName }))).QueueUrl!;
  };
  return {
    ...cloud,
    project,
    s3: new S3Client({ ...client, forcePathStyle: true }),
    sqs,
    lambda,
    iam: new IAMClient(client),
    cloudFormation: new CloudFormationClient(client),
    steps: new SFNClient(client),
    sls: (args, env = {}) => run(project, args, { AWS_ENDPOINT_URL: emulator.endpoint, ...env }),
    async invoke(name, event = {}) {
      const { FunctionError, Payload } = await lambda.send(
        new InvokeCommand({
          FunctionName: `totes-warehouse-local-${name}`,
          Payload: JSON.stringify(event),
        }),
      );
      const answer: unknown = JSON.parse(Buffer.from(Payload ?? []).toString() || "null");
      return { failed: FunctionError !== undefined, answer };
    },
    queueUrl,
    async depth(queue) {
      const { Attributes = {} } = await sqs.send(
        new GetQueueAttributesCommand({ QueueUrl: await queueUrl(queue), AttributeNames: ["All"] }),
      );
      return (
        Number(Attributes["ApproximateNumberOfMessages"]) +
        Number(Attributes["ApproximateNumberOfMessagesNotVisible"])
      );
    },
    elsewhere: () =>
      existsSync(connections(project))
        ? readFileSync(connections(project), "utf8").trim().split("\n")
        : [],
    async stop() {
      rmSync(project, { recursive: true, force: true });
      await cloud.stop();
    },
  };
}

/** Where tests/deploy/connections.cjs notes what sls connects to beyond this machine. */
const connections = (project: string): string => path.join(project, "connections");

async function run(
  cwd: string,
  args: readonly string[],
  change: NodeJS.ProcessEnv,
): Promise<Ended> {
  // Nothing of the shell's AWS: what .env.local says, and the port.
  const env = Object.fromEntries(
    Object.entries({ ...process.env, NODE_NO_WARNINGS: "1" }).filter(
      ([name]) => !name.startsWith("AWS_") || name in change,
    ),
  );
  const noted = {
    NODE_OPTIONS: `--require=${JSON.stringify(path.join(import.meta.dirname, "connections.cjs"))}`,
    CONNECTIONS: connections(cwd),
  };
  const child = spawn(
    process.execPath,
    [
      path.join(root, "node_modules", "serverless", "bin", "serverless.js"),
      ...args,
      "--stage",
      "local",
    ],
    { cwd, env: { ...env, ...change, ...noted }, stdio: ["ignore", "pipe", "pipe"] },
  );
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await ended, output: out + err };
}

/** What is there: bucket names. */
export async function bucketsOf(cloud: DeployedCloud): Promise<string[]> {
  const { Buckets = [] } = await cloud.s3.send(new ListBucketsCommand({}));
  return Buckets.map(({ Name }) => Name!);
}
