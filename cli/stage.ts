/** Which stage a command works on: where its buckets and secrets are. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import { runningStack } from "../localstack/background/state.ts";
import { getConfiguration } from "../src/aws/functions.ts";
import { nameOf } from "../src/aws/names.ts";
import type { FanOut } from "../src/rebuild/fan-out.ts";

/** serverless.yml's. */
export const REGION = "eu-west-2";

export { nameOf as functionName, SERVICE } from "../src/aws/names.ts";

/** The stage of the embedded stack. */
export const LOCAL = "local";

const ROOT = path.join(import.meta.dirname, "..");

/** A stage that is not there, or cannot be asked: says which and what to do. */
export class StageError extends Error {
  override readonly name = "StageError";
}

/** Reads `.env.STAGE`, as `sls` does; what the environment has already stays. */
export function readStageFile(stage: string): void {
  const file = path.join(ROOT, `.env.${stage}`);
  if (existsSync(file)) process.loadEnvFile(file);
}

/** The stages that this checkout knows: of serverless.yml and of `.env.STAGE`. */
export function knownStages(): readonly string[] {
  const files = readdirSync(ROOT).flatMap((file) => /^\.env\.(\w+)$/.exec(file)?.[1] ?? []);
  const [, params = ""] =
    /^params:\n((?: .*\n|\n)+)/m.exec(readFileSync(path.join(ROOT, "serverless.yml"), "utf8")) ??
    [];
  const declared = [...params.matchAll(/^ {2}(\w+):/gm)].map(([, stage]) => stage!);
  return [...new Set([...files, ...declared])].filter((stage) => stage !== "default").sort();
}

/** What the functions know of their stage, and which function has it. */
const KNOWN = {
  INGESTION_BUCKET: "ingestion",
  PROCESSED_BUCKET: "ingestion",
  SOURCE_SECRET: "ingestion",
  WAREHOUSE_SECRET: "loading",
} as const;

/**
 * Has the environment name a stage's buckets and secrets, as a function's does: those that it names already stay, the
 * others are asked of the deployed functions.
 * @throws StageError where the embedded stack is not running, or a stage's functions do not say
 */
export async function useStage({
  stage,
  region,
}: {
  readonly stage: string;
  readonly region?: string | undefined;
}): Promise<void> {
  if (stage === LOCAL) useRunning();
  readStageFile(stage);
  if (region !== undefined) process.env["AWS_REGION"] = region;
  process.env["AWS_REGION"] ??= REGION;
  if (stage === LOCAL) await checkRunning();
  const missing = Object.keys(KNOWN).filter((name) => !process.env[name]) as (keyof typeof KNOWN)[];
  if (missing.length === 0) return;
  for (const name of missing) {
    const of = nameOf(stage, KNOWN[name]);
    const { environment } = await getConfiguration(of).catch((cause: unknown) => {
      throw unasked(stage, of, cause as Error);
    });
    const value = environment[name];
    if (value === undefined)
      throw new StageError(
        `${of} does not say ${name}: deploy stage ${stage} again, or set ${name}`,
      );
    process.env[name] = value;
  }
}

/**
 * What a stage has that makes batches again, many at once.
 * @throws StageError where it was deployed without
 */
export async function fanOutOf(stage: string): Promise<FanOut> {
  const functionName = nameOf(stage, "retransformation");
  try {
    const { arn, environment } = await getConfiguration(functionName);
    return {
      bucket: environment["PROCESSED_BUCKET"]!,
      functionName,
      stateMachineArn: arn.replace(":lambda:", ":states:").replace(":function:", ":stateMachine:"),
    };
  } catch (cause) {
    const { name, message } = cause as Error;
    if (name !== "ResourceNotFoundException")
      throw new StageError(`${functionName} cannot be asked: ${name}: ${message}`, { cause });
    throw new StageError(
      `stage ${stage} has no ${functionName}: \`npx sls deploy --stage ${stage} --param "retransform=true"\` makes it`,
      { cause },
    );
  }
}

/** Has the environment open the stack that `totes up` started, unless it names another: on its port, with its keys. */
function useRunning(): void {
  const running = process.env["AWS_ENDPOINT_URL"] === undefined ? runningStack() : undefined;
  if (!running) return;
  process.env["AWS_ENDPOINT_URL"] = running.endpoint;
  process.env["AWS_ACCESS_KEY_ID"] = process.env["AWS_SECRET_ACCESS_KEY"] = "test";
  // Those of somebody who has signed in to AWS would be taken first.
  delete process.env["AWS_PROFILE"];
  delete process.env["AWS_SESSION_TOKEN"];
}

function unasked(stage: string, name: string, cause: Error): StageError {
  return cause.name === "ResourceNotFoundException"
    ? notDeployed(stage, `function ${name}`, cause)
    : new StageError(
        `stage ${stage} cannot be asked where its buckets and secrets are: ${cause.name}: ${cause.message}`,
        { cause },
      );
}

/** @param what it has not, that it would have: `function totes-warehouse-dev-loading` */
export const notDeployed = (stage: string, what: string, cause: Error): StageError =>
  new StageError(
    stage === LOCAL
      ? `the stack here has no ${what}: it is another than \`npx totes up\` starts (\`make run KEEP=1\`, LocalStack?)`
      : `stage ${stage} is not deployed in ${process.env["AWS_REGION"]} (it has no ${what}): ` +
          `\`npx sls deploy --stage ${stage}\` deploys it, --region says where else it is`,
    { cause },
  );

/** @throws StageError where nothing answers at the endpoint */
async function checkRunning(): Promise<void> {
  const endpoint = process.env["AWS_ENDPOINT_URL"];
  if (!endpoint)
    throw new StageError(
      "AWS_ENDPOINT_URL is empty: stage local would be AWS itself; unset it, and .env.local says it",
    );
  const { hostname, port } = new URL(endpoint);
  const socket = connect({ host: hostname, port: Number(port) });
  try {
    await new Promise<void>((resolve, reject) => socket.on("connect", resolve).on("error", reject));
  } catch (cause) {
    throw new StageError(
      `no stack is running here (nothing answers at ${endpoint}): \`npx totes up\` starts one`,
      { cause },
    );
  } finally {
    socket.destroy();
  }
}
