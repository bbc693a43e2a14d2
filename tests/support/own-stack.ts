// A checkout of its own with a stack in the background: its verbs, called in this process; its functions and databases, to be broken.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import pg from "pg";
import { inSession } from "../../localstack/session.ts";
import { invokeFunction } from "../../src/aws/functions.ts";
import { nameOf } from "../../src/aws/names.ts";
import type { StackState } from "../../localstack/background/state.ts";
import { putSecret } from "../../localstack/stack.ts";
import { withEnvironment } from "./environment.ts";
import { copyProject } from "./project.ts";
import { Paper, type Ran } from "./totes.ts";

export const BUCKETS = {
  ingestion: "totes-ingestion-local",
  processed: "totes-processed-local",
} as const;

/** The environment of somebody who has said nothing: .env.local does, and the stack that is up. */
const NOTHING_SAID = Object.fromEntries(
  [
    "INGESTION_BUCKET",
    "PROCESSED_BUCKET",
    "SOURCE_SECRET",
    "WAREHOUSE_SECRET",
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "AWS_PROFILE",
    "AWS_SESSION_TOKEN",
  ].map((name) => [name, undefined]),
);

/** As wide as the documentation's blocks are. */
const COLUMNS = 100;

export class OwnStack {
  readonly folder: string;
  readonly #totes: (typeof import("../../cli/totes.ts"))["totes"];
  readonly #running: (typeof import("../../localstack/background/state.ts"))["runningStack"];
  #aws: { readonly s3: S3Client; readonly secrets: SecretsManagerClient } | undefined;

  private constructor(
    folder: string,
    { totes }: typeof import("../../cli/totes.ts"),
    { runningStack }: typeof import("../../localstack/background/state.ts"),
  ) {
    this.folder = folder;
    this.#totes = totes;
    this.#running = runningStack;
  }

  /**
   * Copies the project, with changes to its files, each a text and what stands in its place.
   * @throws Error where a text is not there
   */
  static async make(
    changes: Readonly<Record<string, readonly (readonly [string, string])[]>>,
  ): Promise<OwnStack> {
    // The real path: processes are found by it.
    const folder = realpathSync(mkdtempSync(path.join(tmpdir(), "own-stack-")));
    copyProject(folder);
    for (const [file, pairs] of Object.entries(changes)) {
      let text = readFileSync(path.join(folder, file), "utf8");
      for (const [was, is] of pairs) {
        if (!text.includes(was)) throw new Error(`${file} has no ${was}`);
        text = text.replace(was, is);
      }
      writeFileSync(path.join(folder, file), text);
    }
    const moduleOf = (file: string): string => pathToFileURL(path.join(folder, file)).href;
    return new OwnStack(
      folder,
      (await import(moduleOf("cli/totes.ts"))) as typeof import("../../cli/totes.ts"),
      (await import(
        moduleOf("localstack/background/state.ts")
      )) as typeof import("../../localstack/background/state.ts"),
    );
  }

  /** Runs `totes` as somebody in that checkout does, into a pipe that is as wide as the documentation. */
  async totes(...args: readonly string[]): Promise<Ran> {
    const [out, err] = [new Paper(COLUMNS), new Paper(COLUMNS)];
    const code = await withEnvironment(NOTHING_SAID, () =>
      this.#totes([...args, "--no-color"], { out, err, isAnswered: false }),
    );
    return { code, out: out.text, err: err.text };
  }

  get state(): StackState {
    const running = this.#running(path.join(this.folder, ".local"));
    if (!running) throw new Error("no stack is up");
    return running;
  }

  get aws(): { readonly s3: S3Client; readonly secrets: SecretsManagerClient } {
    const options = {
      endpoint: this.state.endpoint,
      region: "eu-west-2",
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
    };
    return (this.#aws ??= {
      s3: new S3Client({ ...options, forcePathStyle: true }),
      secrets: new SecretsManagerClient(options),
    });
  }

  /** Rows of a query, made as the superuser. */
  async query<T extends object>(side: "source" | "warehouse", sql: string): Promise<T[]> {
    return inSession({ ...this.state[side] }, async (client) => (await client.query<T>(sql)).rows);
  }

  /** A session of the superuser, which whoever opens it ends. */
  async connect(side: "source" | "warehouse", application = "psql"): Promise<pg.Client> {
    const client = new pg.Client({ ...this.state[side], application_name: application });
    // One that is ended from the other side is no accident here.
    client.on("error", () => undefined);
    await client.connect();
    return client;
  }

  async read(bucket: keyof typeof BUCKETS, key: string): Promise<Uint8Array> {
    const { Body } = await this.aws.s3.send(
      new GetObjectCommand({ Bucket: BUCKETS[bucket], Key: key }),
    );
    return Body!.transformToByteArray();
  }

  async write(bucket: keyof typeof BUCKETS, key: string, body: Uint8Array | string): Promise<void> {
    await this.aws.s3.send(new PutObjectCommand({ Bucket: BUCKETS[bucket], Key: key, Body: body }));
  }

  putSecret(side: "source" | "warehouse", value: object): Promise<void> {
    return putSecret(this.aws.secrets, `totes/local/${side}`, value);
  }

  async secret(side: "source" | "warehouse"): Promise<object> {
    const { SecretString = "" } = await this.aws.secrets.send(
      new GetSecretValueCommand({ SecretId: `totes/local/${side}` }),
    );
    return JSON.parse(SecretString) as object;
  }

  /** Has a function take an event, as the AWS CLI would. @throws FunctionError */
  invoke(of: string, event: object): Promise<unknown> {
    const env = {
      AWS_ENDPOINT_URL: this.state.endpoint,
      AWS_REGION: "eu-west-2",
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
    };
    return withEnvironment(env, () => invokeFunction(nameOf("local", of), event));
  }

  /** Sends a signal to the process that a function runs in. */
  signal(of: string, signal: NodeJS.Signals): void {
    const module = path.join(this.folder, "src", "handlers", `${of}.ts`);
    const found = execFileSync("ps", ["-A", "-ww", "-o", "pid=,command="], { encoding: "utf8" })
      .split("\n")
      .filter((line) => line.includes(module));
    if (found.length === 0) throw new Error(`${of} has no process`);
    for (const line of found) process.kill(Number.parseInt(line, 10), signal);
  }

  async remove(): Promise<void> {
    await this.totes("down");
    this.#aws?.s3.destroy();
    this.#aws?.secrets.destroy();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
