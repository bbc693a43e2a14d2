// Packages stages as `sls deploy` would, without a network or an account: for what checks the templates.
import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";

const root = path.join(import.meta.dirname, "..");

/** What is packaged to be checked, by name: a stage and its parameters. Each stage, and one that has all that can be had. */
export const STAGES: Readonly<
  Record<string, readonly [stage: string, parameters: Readonly<Record<string, string>>]>
> = {
  dev: ["dev", {}],
  test: ["test", {}],
  prod: ["prod", { mail: "team@example.org" }],
  local: ["local", {}],
  "prod with everything": [
    "prod",
    {
      subnetIds: "subnet-0a1b2c3d,subnet-1a2b3c4d",
      securityGroupIds: "sg-0a1b2c3d",
      vpcId: "vpc-0a1b2c3d",
      routeTableIds: "rtb-0a1b2c3d",
      mail: "team@example.org",
      secrets: "created",
      secretsKeyArn: "arn:aws:kms:eu-west-2:123456789012:key/1",
      permissionsBoundary: "arn:aws:iam::123456789012:policy/bound",
      reservedConcurrency: "2",
      transformationConcurrency: "50",
      retransform: "true",
      scheduleEnabled: "false",
      compaction: "true",
      compactedDays: "400",
      athena: "true",
    },
  ],
};

/**
 * Packages a stage into a folder, with parameters as `--param` takes them.
 * @returns the file of the template that a deploy hands to CloudFormation
 * @throws Error with what was printed
 */
export async function packageStage(
  stage: string,
  parameters: Readonly<Record<string, string>>,
  folder: string,
): Promise<string> {
  const given = Object.entries(parameters).flatMap(([name, value]) => [
    "--param",
    `${name}=${value}`,
  ]);
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith("AWS_")),
  );
  const serverless = "node_modules/serverless/bin/serverless.js";
  try {
    await promisify(execFile)(
      process.execPath,
      [serverless, "package", "--stage", stage, "--package", folder, ...given],
      { cwd: root, env: { ...env, NODE_NO_WARNINGS: "1" } },
    );
  } catch (error) {
    const { stdout, stderr, message } = error as Error & { stdout?: string; stderr?: string };
    throw new Error(
      `stage ${stage} cannot be packaged: ${message}\n${stdout ?? ""}${stderr ?? ""}`,
      {
        cause: error,
      },
    );
  }
  return path.join(folder, "cloudformation-template-update-stack.json");
}
