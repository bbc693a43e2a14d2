// `npm run check:templates`: what AWS would be told to make, of every stage, by cfn-lint (AWS's rules) and checkov (security).
// What this project asserts of its templates itself is in tests/infrastructure/, which needs no Python.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { runPythonTools } from "./python-tools.ts";

/** Findings that are no fault, and why. Each goes for all templates. */
const EXCUSED = {
  cfnLint: {
    W1028:
      "a stage's conditions are decided when it is packaged: one branch of each Fn::If is never taken",
    W3005: "serverless writes DependsOn beside Fn::GetAtt for a function's role",
    W8003: "the same: a condition compares two texts that are known",
  },
  checkov: {
    CKV_AWS_18:
      "no access logs: CloudTrail's data events are the account's choice, and a log bucket needs one of its own",
    CKV_AWS_115:
      "no reserved concurrency by default: a new account has none to reserve; the parameter is there",
    CKV_AWS_116:
      "no dead letters of the functions: the next tick does the same work, and the queues have theirs",
    CKV_AWS_117: "no VPC by default: databases may be reachable without; the parameters are there",
    CKV_AWS_173: "the environment holds names alone",
  },
};

/** Stages, with the parameters that they want: alone, and with all that can be had. */
const everything = [
  "mail=team@example.org",
  "secrets=created",
  "kmsKey=own",
  "secretsKeyArn=arn:aws:kms:eu-west-2:123456789012:key/1",
  "permissionsBoundary=arn:aws:iam::123456789012:policy/bound",
  "reservedConcurrency=1",
  "subnetIds=subnet-0a1b2c3d,subnet-1a2b3c4d",
  "securityGroupIds=sg-0a1b2c3d",
  "vpcId=vpc-0a1b2c3d",
  "routeTableIds=rtb-0a1b2c3d",
];
const PACKAGES: readonly (readonly [name: string, stage: string, parameters: readonly string[]])[] =
  [
    ["dev", "dev", []],
    ["test", "test", []],
    ["prod", "prod", ["mail=team@example.org"]],
    ["local", "local", []],
    ["everything", "test", everything],
  ];

const root = path.join(import.meta.dirname, "..");
const folder = mkdtempSync(path.join(tmpdir(), "templates-"));
try {
  const templates = PACKAGES.map(([name, stage, parameters]) => {
    const to = path.join(folder, name);
    const given = parameters.flatMap((parameter) => ["--param", parameter]);
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [
        "node_modules/serverless/bin/serverless.js",
        "package",
        "--stage",
        stage,
        "--package",
        to,
        ...given,
      ],
      { cwd: root, encoding: "utf8" },
    );
    if (status !== 0) throw new Error(`stage ${stage} cannot be packaged:\n${stdout}${stderr}`);
    return path.join(to, "cloudformation-template-update-stack.json");
  });
  const skipped = Object.keys(EXCUSED.checkov).join(",");
  process.exitCode = runPythonTools("check:templates", [
    [
      "cfn-lint",
      "--ignore-checks",
      ...Object.keys(EXCUSED.cfnLint),
      "--",
      ...templates,
      "infrastructure/deploy-role.yml",
    ],
    [
      "checkov",
      "--framework",
      "cloudformation",
      "--compact",
      "--quiet",
      "--skip-download", // of advice, from the network
      "--skip-check",
      skipped,
      ...[...templates, "infrastructure/deploy-role.yml"].flatMap((file) => ["--file", file]),
    ],
  ]);
} finally {
  rmSync(folder, { recursive: true });
}
