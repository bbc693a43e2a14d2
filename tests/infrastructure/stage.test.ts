// The stage parameters: a wrong or missing one is refused before anything is packaged or created.
import { createRequire } from "node:module";
import { expect } from "chai";

const { checkStage } = createRequire(import.meta.url)("../../infrastructure/stage.cjs") as {
  checkStage: (
    stage: string,
    known: string[],
    given: Record<string, unknown>,
    env: Record<string, string>,
  ) => Record<string, unknown>;
};

const STAGES = ["dev", "test", "prod", "local"];
/** As serverless.yml gives them to a stage that says nothing of its own. */
const GIVEN = {
  account: null,
  ingestionBucket: { "Fn::Sub": "totes-ingestion-dev-${AWS::AccountId}" },
  processedBucket: { "Fn::Sub": "totes-processed-dev-${AWS::AccountId}" },
  deletionPolicy: "Delete",
  secrets: "existing",
  sourceSecret: "totes/dev/source",
  warehouseSecret: "totes/dev/warehouse",
  scheduleEnabled: true,
  rate: "rate(10 minutes)",
  memorySize: 512,
  timeout: 300,
  reconcileAt: "cron(0 2 * * ? *)",
  deletesAt: "rate(1 day)",
  deletesShare: 0.1,
  reconciliationTimeout: 900,
  compaction: false,
  compactionAt: "cron(0 3 ? * SUN *)",
  compactedDays: null,
  visibilityTimeout: 1800,
  batchRows: 100_000,
  batchBytes: 33_554_432,
  transformationConcurrency: 2,
  retransform: false,
  retransformedBucket: { "Fn::Sub": "totes-retransformed-dev-${AWS::AccountId}" },
  retransformConcurrency: 5,
  continueAtOnce: true,
  reservedConcurrency: null,
  logLevel: "INFO",
  logRetentionInDays: 30,
  mail: null,
  quarantineDays: 7,
  compositeAlarm: true,
  kmsKey: "aws",
  secretsKeyArn: null,
  tlsOnly: true,
  athena: false,
  athenaScanGb: 10,
  permissionsBoundary: null,
  subnetIds: null,
  securityGroupIds: null,
  vpcId: null,
  routeTableIds: null,
};
const LOCAL = { AWS_ENDPOINT_URL: "http://127.0.0.1:4566" };

const check = (change: object, stage = "dev", env: Record<string, string> = {}) =>
  checkStage(stage, STAGES, { ...GIVEN, ...change }, env);
const problemsOf = (...args: Parameters<typeof check>): string => {
  try {
    check(...args);
  } catch (problem) {
    return String(problem);
  }
  return "";
};

describe("stage parameters", () => {
  it("come in their own types, also as the texts that --param gives", () => {
    expect(
      check({ scheduleEnabled: "false", memorySize: "1024", reservedConcurrency: "2", mail: "" }),
    ).to.include({ scheduleEnabled: false, memorySize: 1024, reservedConcurrency: 2, mail: null });
    expect(
      check({ subnetIds: "subnet-01, subnet-02", securityGroupIds: "sg-01" })["vpc"],
    ).to.deep.equal({
      subnetIds: ["subnet-01", "subnet-02"],
      securityGroupIds: ["sg-01"],
    });
  });

  it("of a stage that there is not are refused, with those that there are", () =>
    expect(problemsOf({}, "prd")).to.equal(
      'stage prd cannot be used:\n  - there are dev, test, prod, local; add it under "params" in serverless.yml to make one of your own',
    ));

  const WRONG: [change: object, problem: string][] = [
    [{ account: "1234" }, 'account: expected 12 digits, quoted, found "1234"'],
    [
      { ingestionBucket: "Totes_Lake" },
      'ingestionBucket: expected a bucket\'s name: 3 to 63 lower-case letters, digits, dots and hyphens, found "Totes_Lake"',
    ],
    [{ deletionPolicy: "Keep" }, 'deletionPolicy: expected ("Delete" | "Retain"), found "Keep"'],
    [{ secrets: "none" }, 'secrets: expected ("existing" | "created"), found "none"'],
    [{ sourceSecret: "" }, 'sourceSecret: expected a secret\'s name, found ""'],
    [{ scheduleEnabled: "yes" }, 'scheduleEnabled: expected true or false, found "yes"'],
    [{ rate: "10 minutes" }, "rate: expected rate(1 minute) to rate(15 minutes): the freshness"],
    [
      { rate: "rate(1 minutes)" },
      "rate: expected rate(1 minute) to rate(15 minutes): the freshness",
    ],
    [
      { rate: "rate(16 minutes)" },
      "rate: expected rate(1 minute) to rate(15 minutes): the freshness",
    ],
    [
      { reconcileAt: "at night" },
      'reconcileAt: expected cron(0 2 * * ? *), or rate(6 hours), found "at night"',
    ],
    [{ deletesShare: 1.5 }, "deletesShare: expected a share from 0 to 1, found 1.5"],
    [{ deletesAt: "rate(1 days)" }, "deletesAt: expected cron(0 2 * * ? *), or rate(6 hours)"],
    [
      { reconciliationTimeout: 901 },
      "reconciliationTimeout: expected a whole number from 1 to 900",
    ],
    [{ memorySize: "1 GB" }, 'memorySize: expected a whole number from 128 to 10240, found "1 GB"'],
    [{ batchRows: 0 }, "batchRows: expected a whole number from 1 to 10000000, found 0"],
    [
      { transformationConcurrency: 1 },
      "transformationConcurrency: expected a whole number from 2 to 1000, found 1",
    ],
    [
      { retransformConcurrency: 0 },
      "retransformConcurrency: expected a whole number from 1 to 10000, found 0",
    ],
    [
      { retransformedBucket: GIVEN.processedBucket },
      "processedBucket, retransformedBucket: one bucket was given twice",
    ],
    [{ timeout: 901 }, "timeout: expected a whole number from 1 to 900, found 901"],
    [
      { reservedConcurrency: 0 },
      "reservedConcurrency: expected a whole number from 1 to 1000, found 0",
    ],
    [
      { logLevel: "info" },
      'logLevel: expected ("DEBUG" | "INFO" | "WARN" | "ERROR"), found "info"',
    ],
    [{ logRetentionInDays: 31 }, "logRetentionInDays: expected one of 1, 3, 5, 7, 14, 30, 60"],
    [{ quarantineDays: 0 }, "quarantineDays: expected a whole number from 1 to 3650, found 0"],
    [{ athena: "yes" }, 'athena: expected true or false, found "yes"'],
    [{ athenaScanGb: 0 }, "athenaScanGb: expected a whole number from 1 to 100000, found 0"],
    [{ mail: "team" }, 'mail: expected a mail address, found "team"'],
    [{ kmsKey: "mine" }, 'kmsKey: expected ("aws" | "own"), found "mine"'],
    [{ secretsKeyArn: "alias/x" }, 'secretsKeyArn: expected an ARN of kms, found "alias/x"'],
    [{ permissionsBoundary: "x" }, 'permissionsBoundary: expected an ARN of iam, found "x"'],
    [
      { subnetIds: "10.0.0.0/16" },
      'subnetIds: expected ids like subnet-0123abcd, comma-separated, found "10.0.0.0/16"',
    ],
    [{ vpcId: "main" }, 'vpcId: expected an id like vpc-0123abcd, found "main"'],
    [{ subnetIds: "subnet-01" }, "subnetIds, securityGroupIds: half a network was given"],
    [{ securityGroupIds: "sg-01" }, "subnetIds, securityGroupIds: half a network was given"],
    [
      { vpcId: "vpc-01", subnetIds: "subnet-01", securityGroupIds: "sg-01" },
      "vpcId, routeTableIds: the endpoints need both",
    ],
    [
      { vpcId: "vpc-01", routeTableIds: "rtb-01" },
      "vpcId: endpoints without subnetIds and securityGroupIds serve nobody",
    ],
    [{ reservedConcurrency: 1 }, "reservedConcurrency: 1 would throttle"],
    [
      { visibilityTimeout: 299 },
      "visibilityTimeout: 299 s is below the functions' timeout of 300 s",
    ],
    [
      { processedBucket: GIVEN.ingestionBucket },
      "ingestionBucket, processedBucket: one bucket was given twice",
    ],
  ];
  for (const [change, problem] of WRONG)
    it(`${JSON.stringify(change)} are refused`, () =>
      expect(problemsOf(change)).to.include(`\n  - ${problem}`));

  it("of several that are wrong are all named", () =>
    expect(problemsOf({ mail: "team", timeout: "long" }).split("\n")).to.have.length(3));

  it("of prod must keep the lake", () => {
    expect(problemsOf({}, "prod")).to.match(/deletionPolicy: prod keeps its lake/);
    expect(check({ deletionPolicy: "Retain" }, "prod")).to.include({
      deletionPolicy: "RetainExceptOnCreate",
    });
  });
});

describe("stage local never goes to AWS", () => {
  it("where .env.local is as it is", () => {
    for (const AWS_ENDPOINT_URL of [
      LOCAL.AWS_ENDPOINT_URL,
      "http://localhost:4566",
      "http://[::1]:4566",
      "http://localstack:4566",
    ])
      expect(problemsOf({}, "local", { AWS_ENDPOINT_URL })).to.equal("");
  });

  const AWS: Record<string, string>[] = [
    {},
    { AWS_ENDPOINT_URL: "" },
    { AWS_ENDPOINT_URL: "https://s3.eu-west-2.amazonaws.com" },
    { AWS_ENDPOINT_URL: "https://127.0.0.1.amazonaws.com" },
    { AWS_ENDPOINT_URL: "127.0.0.1" },
    { ...LOCAL, AWS_ENDPOINT_URL_CLOUDFORMATION: "https://cloudformation.eu-west-2.amazonaws.com" },
    { ...LOCAL, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true" },
  ];
  for (const env of AWS)
    it(`with ${JSON.stringify(env)} in the environment`, () =>
      expect(problemsOf({}, "local", env)).to.match(
        /stage local never goes to AWS: \.env\.local says/,
      ));
});
