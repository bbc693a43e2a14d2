// `npm run check:templates`: what AWS would be told to make, of every stage, by cfn-lint (AWS's rules) and checkov (security).
// What this project asserts of its templates itself is in tests/infrastructure/, which needs no Python.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { packageStage, STAGES } from "./package-stage.ts";
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

const folder = mkdtempSync(path.join(tmpdir(), "templates-"));
try {
  const templates: string[] = [];
  for (const [name, [stage, parameters]] of Object.entries(STAGES))
    templates.push(await packageStage(stage, parameters, path.join(folder, name)));
  const skipped = Object.keys(EXCUSED.checkov).join(",");
  process.exitCode = await runPythonTools("check:templates", [
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
