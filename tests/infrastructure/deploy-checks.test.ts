// What `sls deploy` and `sls remove` ask AWS before they change anything; AWS's answers are given by hand here.
import { CloudFormationClient } from "@aws-sdk/client-cloudformation";
import { S3Client } from "@aws-sdk/client-s3";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { createRequire } from "node:module";
import sinon from "sinon";
import { expect } from "../support/chai.ts";

/** Of this file's own: restoring sinon's shared one would let go of other files' spies. */
const sandbox = sinon.createSandbox();

type Checks = Record<
  "checkMail" | "checkEndpoint" | "checkBuckets" | "checkSecrets" | "letGo",
  () => Promise<void>
>;
const DeployChecks = createRequire(import.meta.url)("../../infrastructure/deploy-checks.cjs") as {
  new (serverless: unknown, options: unknown, utils: unknown): Checks;
};

/** An AWS error of that name and status. */
const awsError = (name: string, status: number): Error =>
  Object.assign(new Error(name), { name, $metadata: { httpStatusCode: status } });

interface Answers {
  readonly stage?: string;
  readonly parameters?: Record<string, unknown>;
  /** The stack's resources: their physical ids, or statuses of those that are gone. */
  readonly resources?: Record<string, string>;
  readonly gone?: readonly string[];
  /** Of the deployed template. */
  readonly deletionPolicy?: string;
  /** Buckets that exist, and the keys in them. */
  readonly buckets?: Record<string, string[]>;
  /** Buckets that are somebody else's. */
  readonly foreign?: readonly string[];
  readonly secrets?: Record<string, object>;
}

/** The plugin, with these answers, and what it deleted and said. */
function checksWith(answers: Answers) {
  const {
    stage = "dev",
    parameters = {},
    resources = {},
    gone = [],
    deletionPolicy = "Delete",
    buckets = {},
    foreign = [],
    secrets = {},
  } = answers;
  const deleted: string[] = [];
  const said: string[] = [];
  type Command = { readonly constructor: { readonly name: string }; readonly input: any };
  const answer = (command: Command): unknown => {
    const { Bucket, SecretId, Delete } = command.input;
    switch (command.constructor.name) {
      case "ListStackResourcesCommand":
        if (Object.keys(resources).length === 0)
          throw Object.assign(new Error(`Stack with id totes does not exist`), {
            name: "ValidationError",
          });
        return {
          StackResourceSummaries: Object.entries(resources).map(([id, physical]) => ({
            LogicalResourceId: id,
            PhysicalResourceId: physical,
            ResourceStatus: gone.includes(id) ? "DELETE_COMPLETE" : "CREATE_COMPLETE",
          })),
        };
      case "GetTemplateCommand":
        return {
          TemplateBody: JSON.stringify({
            Resources: Object.fromEntries(
              Object.keys(resources).map((id) => [id, { DeletionPolicy: deletionPolicy }]),
            ),
          }),
        };
      case "HeadBucketCommand":
        if (foreign.includes(Bucket)) throw awsError("Forbidden", 403);
        if (!(Bucket in buckets)) throw awsError("NotFound", 404);
        return {};
      case "ListObjectVersionsCommand":
        if (!(Bucket in buckets)) throw awsError("NoSuchBucket", 404);
        return { Versions: buckets[Bucket]!.map((Key) => ({ Key, VersionId: "1" })) };
      case "DeleteObjectsCommand":
        deleted.push(...Delete.Objects.map(({ Key }: { Key: string }) => `${Bucket}/${Key}`));
        buckets[Bucket] = [];
        return {};
      case "DescribeSecretCommand":
        if (!(SecretId in secrets)) throw awsError("ResourceNotFoundException", 400);
        return secrets[SecretId];
      default:
        throw new Error(`not expected: ${command.constructor.name}`);
    }
  };
  const send = (command: unknown): Promise<unknown> => {
    try {
      return Promise.resolve(answer(command as Command));
    } catch (error) {
      return Promise.reject(error as Error);
    }
  };
  for (const client of [CloudFormationClient, S3Client, SecretsManagerClient])
    sandbox.stub(client.prototype, "send").callsFake(send as never);
  const cloudFormation = new CloudFormationClient({ region: "eu-west-2" });
  const provider = {
    naming: { getStackName: () => `totes-warehouse-${stage}` },
    getStage: () => stage,
    getAwsSdkV3Config: () => Promise.resolve({ region: "eu-west-2" }),
    getCloudFormationClient: () => Promise.resolve(cloudFormation),
  };
  const checks = new DeployChecks(
    {
      getProvider: () => provider,
      classes: { Error },
      service: {
        custom: {
          stage: {
            ingestionBucket: "lake-in",
            processedBucket: "lake-out",
            retransform: false,
            retransformedBucket: "lake-again",
            secrets: "existing",
            sourceSecret: "totes/dev/source",
            warehouseSecret: "totes/dev/warehouse",
            kmsKey: "aws",
            mail: null,
            ...parameters,
          },
        },
      },
    },
    {},
    { log: { notice: (line: string) => said.push(line) } },
  );
  return { checks, deleted, said };
}

const STACK = { IngestionBucket: "lake-in", ProcessedBucket: "lake-out" };

describe("before a deploy", () => {
  afterEach(() => sandbox.restore());
  const refused = (check: keyof Checks, answers: Answers, message: RegExp) =>
    expect(checksWith(answers).checks[check]()).to.be.rejectedWith(message);

  it("bucket names that are free, or the stack's own, are taken", async () => {
    await checksWith({}).checks.checkBuckets();
    sandbox.restore();
    await checksWith({
      resources: STACK,
      buckets: { "lake-in": [], "lake-out": [] },
    }).checks.checkBuckets();
  });

  it("those of others are refused", async () => {
    await refused(
      "checkBuckets",
      { buckets: { "lake-in": [] } },
      /lake-in is taken: this account has it/,
    );
    sandbox.restore();
    await refused(
      "checkBuckets",
      { foreign: ["lake-out"] },
      /lake-out is taken: somebody else has it/,
    );
  });

  it("the name of the bucket that is filled again counts where the stage has one", async () => {
    const foreign = ["lake-again"];
    await checksWith({ foreign }).checks.checkBuckets();
    sandbox.restore();
    await refused(
      "checkBuckets",
      { foreign, parameters: { retransform: true } },
      /lake-again is taken: somebody else has it, .*; choose another: --param "retransformedBucket=…"/,
    );
  });

  it("a stage keeps the lake and the key that it has", async () => {
    await refused(
      "checkBuckets",
      { resources: { ...STACK, IngestionBucket: "old-lake" } },
      /it has its lake in old-lake, and lake-in would be an empty one; give --param "ingestionBucket=old-lake"/,
    );
    sandbox.restore();
    await refused(
      "checkBuckets",
      { resources: { ...STACK, Key: "1234" } },
      /encrypted with its own key, which it would lose; give --param "kmsKey=own"/,
    );
  });

  it("secrets are there, and not about to be deleted; to be made are those that are not", async () => {
    const both = { "totes/dev/source": {}, "totes/dev/warehouse": {} };
    await checksWith({ secrets: both }).checks.checkSecrets();
    sandbox.restore();
    await refused(
      "checkSecrets",
      { secrets: { "totes/dev/source": {} } },
      /there is no secret totes\/dev\/warehouse; create it/,
    );
    sandbox.restore();
    await refused(
      "checkSecrets",
      { secrets: { ...both, "totes/dev/source": { DeletedDate: new Date() } } },
      /totes\/dev\/source is about to be deleted; keep it with aws secretsmanager restore-secret/,
    );
    sandbox.restore();
    const parameters = { secrets: "created" };
    await checksWith({ parameters }).checks.checkSecrets();
    sandbox.restore();
    await refused(
      "checkSecrets",
      { parameters, secrets: both },
      /use it: --param "secrets=existing"/,
    );
    sandbox.restore();
    const resources = { SourceSecret: "a", WarehouseSecret: "b" };
    await checksWith({ parameters, secrets: both, resources }).checks.checkSecrets();
  });

  it("prod says whom to mail", () => {
    expect(() => checksWith({ stage: "prod" }).checks.checkMail()).to.throw(/nobody would be told/);
    sandbox.restore();
    void checksWith({ stage: "prod", parameters: { mail: "team@example.org" } }).checks.checkMail();
    sandbox.restore();
    void checksWith({ stage: "dev" }).checks.checkMail();
  });

  it("an endpoint that is not AWS is refused to the stages that are AWS's", async () => {
    // What another test has set is none of this one's.
    const before = process.env["AWS_ENDPOINT_URL"];
    delete process.env["AWS_ENDPOINT_URL"];
    process.env["AWS_ENDPOINT_URL_S3"] = "http://127.0.0.1:4566";
    try {
      await refused(
        "checkEndpoint",
        {},
        /AWS_ENDPOINT_URL_S3 is set .* this stage goes to AWS itself; unset it/,
      );
    } finally {
      delete process.env["AWS_ENDPOINT_URL_S3"];
      if (before !== undefined) process.env["AWS_ENDPOINT_URL"] = before;
    }
  });
});

describe("sls remove", () => {
  afterEach(() => sandbox.restore());

  it("empties the buckets that the stack has, and no other of that parameter", async () => {
    const { checks, deleted } = checksWith({
      resources: { ...STACK, IngestionBucket: "new-lake", RetransformedBucket: "lake-again" },
      buckets: {
        "lake-in": ["old"],
        "lake-out": ["a", "b"],
        "new-lake": ["c"],
        "lake-again": ["d"],
      },
    });
    await checks.letGo();
    expect(deleted).to.have.members(["new-lake/c", "lake-out/a", "lake-out/b", "lake-again/d"]);
  });

  it("keeps what was deployed to be kept, whatever the parameters say today", async () => {
    const { checks, deleted, said } = checksWith({
      resources: STACK,
      deletionPolicy: "RetainExceptOnCreate",
      buckets: { "lake-in": ["a"], "lake-out": ["b"] },
      parameters: { deletionPolicy: "Delete" },
    });
    await checks.letGo();
    expect(deleted).to.deep.equal([]);
    expect(said).to.have.length(2);
    expect(said[0]).to.match(/^lake-in stays, with all that is in it/);
  });

  it("goes on where a first one stopped half-way", async () => {
    const { checks, deleted } = checksWith({
      resources: STACK,
      gone: ["IngestionBucket"],
      buckets: { "lake-out": ["a"] },
    });
    await checks.letGo();
    expect(deleted).to.deep.equal(["lake-out/a"]);
    sandbox.restore();
    // CloudFormation lists it still, S3 has it no more.
    const late = checksWith({ resources: STACK, buckets: { "lake-out": ["a"] } });
    await late.checks.letGo();
    expect(late.deleted).to.deep.equal(["lake-out/a"]);
  });

  it("asks for nothing where there is no stack", async () => {
    const { checks, deleted } = checksWith({ buckets: { "lake-in": ["somebody's"] } });
    await checks.letGo();
    expect(deleted).to.deep.equal([]);
  });
});
