/** Which stage a command works on: where its buckets and secrets are. */
import { existsSync } from "node:fs";
import path from "node:path";
import { GetFunctionConfigurationCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { nameOf } from "../src/aws/names.ts";
import { UsageError } from "./options.ts";

/** serverless.yml's. */
export const REGION = "eu-west-2";

export { nameOf as functionName, SERVICE } from "../src/aws/names.ts";

/** Reads `.env.STAGE`, as `sls` does; what the environment has already stays. */
export function readStageFile(stage: string): void {
  const file = path.join(import.meta.dirname, "..", `.env.${stage}`);
  if (existsSync(file)) process.loadEnvFile(file);
}

/** What the functions know of their stage, and which function has it. */
const KNOWN = {
  INGESTION_BUCKET: "ingestion",
  PROCESSED_BUCKET: "ingestion",
  SOURCE_SECRET: "ingestion",
  WAREHOUSE_SECRET: "loading",
} as const;

/** The arguments that say which stage, for `parseOptions`. */
export const STAGE_ARGUMENTS = {
  stage: { type: "string" },
  region: { type: "string" },
} as const;

/** What `--help` says of them. */
export const STAGE_HELP = `  --stage STAGE    the stage: its buckets and secrets are those of its deployed functions, or
                   of .env.STAGE; left out: INGESTION_BUCKET, PROCESSED_BUCKET,
                   SOURCE_SECRET and WAREHOUSE_SECRET of the environment
  --region REGION  where it is (default AWS_REGION, or ${REGION})`;

/**
 * Has the environment name a stage's buckets and secrets, as a function's does: those that it names already stay, the
 * others are asked of the deployed functions.
 * @throws UsageError where neither knows
 */
export async function useStage({
  stage,
  region,
}: {
  readonly stage?: string | undefined;
  readonly region?: string | undefined;
}): Promise<void> {
  if (stage !== undefined) readStageFile(stage);
  if (region !== undefined) process.env["AWS_REGION"] = region;
  process.env["AWS_REGION"] ??= REGION;
  const missing = Object.keys(KNOWN).filter((name) => !process.env[name]) as (keyof typeof KNOWN)[];
  if (missing.length === 0) return;
  if (stage === undefined)
    throw new UsageError(`say which stage: --stage dev (or set ${missing.join(", ")})`);
  const lambda = new LambdaClient({});
  try {
    for (const name of missing) {
      const FunctionName = nameOf(stage, KNOWN[name]);
      const { Environment } = await lambda
        .send(new GetFunctionConfigurationCommand({ FunctionName }))
        .catch((cause: unknown) => {
          const why = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
          throw new UsageError(
            `${name} is not set, and ${FunctionName} in ${process.env["AWS_REGION"]} cannot be asked for it: ${why}`,
            { cause },
          );
        });
      const value = Environment?.Variables?.[name];
      if (value === undefined) throw new UsageError(`${FunctionName} does not say ${name}: set it`);
      process.env[name] = value;
    }
  } finally {
    lambda.destroy();
  }
}
