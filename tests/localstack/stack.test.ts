import {
  GetBucketVersioningCommand,
  ListBucketsCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { S3Event, SQSEvent } from "aws-lambda";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { startFunction } from "../../localstack/functions.ts";
import { inSession } from "../../localstack/session.ts";
import { startStack, type StackEnv } from "../../localstack/stack.ts";
import { client, refused } from "../contracts/s3.ts";
import { expect } from "../support/chai.ts";
import {
  freshDatabases,
  getStack,
  type FreshDatabases,
  type PgCredentials,
} from "../support/stack.ts";
import { eventually, isRunning, launch } from "./support.ts";

const credentials = { accessKeyId: "test", secretAccessKey: "test" };

const tables = (database: PgCredentials): Promise<unknown[]> =>
  inSession({ ...database }, async (client) => {
    const { rows } = await client.query<{ relname: string }>(
      "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1",
    );
    return rows.map(({ relname }) => relname);
  });

const secretOf = async (env: StackEnv, SecretId: string): Promise<PgCredentials> => {
  const { AWS_ENDPOINT_URL: endpoint, AWS_REGION: region } = env;
  const secrets = new SecretsManagerClient({ endpoint, region, credentials });
  const { SecretString } = await secrets.send(new GetSecretValueCommand({ SecretId }));
  secrets.destroy();
  return JSON.parse(SecretString ?? "") as PgCredentials;
};

describe("the stack", () => {
  it("has buckets, secrets and databases, and says where in the environment", async () => {
    const { env, aws } = await getStack();
    expect(env).to.deep.equal({
      INGESTION_BUCKET: "totes-ingestion-local",
      PROCESSED_BUCKET: "totes-processed-local",
      SOURCE_SECRET: "totes/local/source",
      WAREHOUSE_SECRET: "totes/local/warehouse",
      AWS_ENDPOINT_URL: `http://127.0.0.1:${aws.port}`,
      AWS_REGION: "eu-west-2",
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
    });
    const s3 = client({ endpoint: aws.endpoint, credentials });
    const { Buckets } = await s3.send(new ListBucketsCommand());
    expect(Buckets?.map(({ Name }) => Name)).to.include(env.INGESTION_BUCKET);
    const Bucket = env.PROCESSED_BUCKET;
    const { Status } = await s3.send(new GetBucketVersioningCommand({ Bucket }));
    expect(Status).to.equal("Enabled");
    s3.destroy();
    const source = await secretOf(env, env.SOURCE_SECRET);
    expect(Object.keys(source)).to.have.members(["host", "port", "user", "password", "database"]);
    expect(await tables(source)).to.deep.equal([
      "_prisma_migrations",
      "address",
      "counterparty",
      "currency",
      "department",
      "design",
      "payment",
      "payment_type",
      "purchase_order",
      "sales_order",
      "staff",
      "transaction",
    ]);
    expect(await tables(await secretOf(env, env.WAREHOUSE_SECRET))).to.deep.equal([]);
  });

  it("wakes transformation by manifests in the ingestion bucket, loading by those in the processed one", async () => {
    const { env, queues, connectFunctions } = await freshDatabases();
    const woken: string[] = [];
    const wake = (name: string) => async (event: SQSEvent) => {
      const { Records } = JSON.parse(event.Records[0]?.body ?? "") as S3Event;
      woken.push(`${name} ${Records[0]?.s3.bucket.name} ${Records[0]?.s3.object.key}`);
    };
    connectFunctions({ transformation: wake("transformation"), loading: wake("loading") });
    const s3 = client({ endpoint: env.AWS_ENDPOINT_URL, credentials });
    const put = (Bucket: string, Key: string) =>
      s3.send(new PutObjectCommand({ Bucket, Key, Body: "{}" }));
    await put(env.INGESTION_BUCKET, "staff/2026/11/24/0000000001-a.json.gz");
    await put(env.INGESTION_BUCKET, "_hints/newest.json");
    await put(env.INGESTION_BUCKET, "_batches/0000000001.json");
    await put(env.PROCESSED_BUCKET, "_loads/0000000001.json");
    await put(env.PROCESSED_BUCKET, "_batches/0000000001.json");
    await eventually(() => expect(woken).to.have.length(2));
    await Promise.all([queues.transformation.idle(), queues.loading.idle()]);
    expect(woken).to.have.members([
      `transformation ${env.INGESTION_BUCKET} _batches/0000000001.json`,
      `loading ${env.PROCESSED_BUCKET} _batches/0000000001.json`,
    ]);
    s3.destroy();
  });

  it("delivers to functions in processes of their own", async () => {
    const { env, queues, connectFunctions } = await freshDatabases();
    const lines: string[] = [];
    const fixture = { module: "tests/localstack/fixtures/wakes.ts", env: { ...env } };
    const onLog = (line: string) => lines.push(line);
    const woken = startFunction({ name: "transformation", ...fixture, onLog });
    connectFunctions({ transformation: woken.invoke, loading: woken.invoke });
    const s3 = client({ endpoint: env.AWS_ENDPOINT_URL, credentials });
    const Key = "_batches/0000000007.json";
    await s3.send(new PutObjectCommand({ Bucket: env.INGESTION_BUCKET, Key, Body: "seven" }));
    await eventually(() => expect(lines).to.include(`${Key}: seven`));
    await queues.transformation.idle();
    s3.destroy();
    await woken.stop();
  });

  it("gives each test databases, buckets and queues of its own, in well under a second", async () => {
    await getStack();
    const took: number[] = [];
    const made: FreshDatabases[] = [];
    for (let round = 0; round < 5; round++) {
      const start = performance.now();
      made.push(await freshDatabases());
      took.push(performance.now() - start);
    }
    // The fastest: the machine may have other things to do.
    expect(Math.min(...took)).to.be.below(1_000);
    const [first, second] = made as [FreshDatabases, FreshDatabases];
    expect(first.env.INGESTION_BUCKET).not.to.equal(second.env.INGESTION_BUCKET);
    expect(first.source.database).not.to.equal(second.source.database);
    expect(await tables(first.source)).to.include("sales_order");
    expect(await tables(first.warehouse)).to.deep.equal([]);
    expect(await secretOf(first.env, first.env.SOURCE_SECRET)).to.deep.equal(first.users.reader);
    expect(await secretOf(first.env, first.env.WAREHOUSE_SECRET)).to.deep.equal(first.users.loader);
  });

  it("stops all it started, last in first out, once, and the rest though one fails", async () => {
    const stack = await startStack({ quiet: true });
    const { pid, folder } = stack.postgres;
    const stopped: string[] = [];
    stack.defer("first", () => stopped.push(`first, PostgreSQL up: ${isRunning(pid)}`));
    stack.defer("second", () => {
      stopped.push("second");
      throw new Error("does not want to");
    });
    await expect(stack.stop()).to.be.rejectedWith(AggregateError, "Not everything stopped");
    await expect(stack.stop()).to.be.rejected;
    expect(stopped).to.deep.equal(["second", "first, PostgreSQL up: true"]);
    expect(isRunning(pid)).to.equal(false);
    expect(existsSync(folder)).to.equal(false);
    await expect(fetch(stack.aws.endpoint)).to.be.rejected;
  });

  it("finds its lake again in a folder that is named, with the new databases in its secrets", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "stack-test-"));
    const object = { Bucket: "totes-ingestion-local", Key: "_batches/0000000001.json" };
    for (const round of ["first", "second"]) {
      const { aws, env, postgres, stop } = await startStack({ quiet: true, folder });
      const s3 = client({ endpoint: aws.endpoint, credentials });
      const again = s3.send(new PutObjectCommand({ ...object, Body: "{}", IfNoneMatch: "*" }));
      if (round === "first") await again;
      else await refused(again, 412, "PreconditionFailed");
      expect((await secretOf(env, env.SOURCE_SECRET)).port).to.equal(postgres.port);
      s3.destroy();
      await stop();
    }
    await rm(folder, { recursive: true });
  });

  it("starts nothing where its port is taken", async () => {
    const { aws } = await getStack();
    await expect(startStack({ quiet: true, port: aws.port })).to.be.rejectedWith("EADDRINUSE");
  });

  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
    ["throw", 1],
    ["reject", 1],
    ["SIGKILL", null],
  ] as const) {
    it(`leaves nothing behind on ${signal}, and ends with ${code}`, async () => {
      const bySignal = signal.startsWith("SIG");
      const { child, said, output } = await launch("hold-stack.ts", bySignal ? undefined : signal);
      const { pid, folder } = said as { pid: number; folder: string };
      const exit = once(child, "exit");
      if (bySignal) child.kill(signal as NodeJS.Signals);
      expect((await exit)[0]).to.equal(code);
      if (signal !== "SIGKILL") expect(output()).to.contain("stopping");
      const check = () => {
        expect(isRunning(pid)).to.equal(false);
        expect(existsSync(folder)).to.equal(false);
      };
      if (signal === "SIGKILL") await eventually(check);
      else check();
    });
  }
});
