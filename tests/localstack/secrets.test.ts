import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  PutSecretValueCommand,
  RotateSecretCommand,
  SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { startAws, type AwsServer } from "../../localstack/aws/server.ts";
import { refused } from "../contracts/s3.ts";
import { expect } from "../support/chai.ts";

describe("the local Secrets Manager", () => {
  let folder: string;
  let aws: AwsServer;
  let secrets: SecretsManagerClient;

  const start = async () => {
    aws = await startAws({ folder });
    secrets = clientOf(aws, "test");
  };
  const create = (Name: string, SecretString: string) =>
    secrets.send(new CreateSecretCommand({ Name, SecretString }));
  const value = async (SecretId: string, more: object = {}) =>
    (await secrets.send(new GetSecretValueCommand({ SecretId, ...more }))).SecretString;
  const put = (SecretId: string, SecretString: string, more: object = {}) =>
    secrets.send(new PutSecretValueCommand({ SecretId, SecretString, ...more }));

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "secrets-test-"));
    await start();
  });
  afterEach(async () => {
    secrets.destroy();
    await aws.stop();
    await rm(folder, { recursive: true });
  });

  it("gives a secret by its name, its ARN, and its ARN without the random end", async () => {
    const { ARN } = await create("totes/local/source", "é'\"@/%");
    expect(ARN).to.match(
      /^arn:aws:secretsmanager:eu-west-2:\d{12}:secret:totes\/local\/source-.{6}$/,
    );
    for (const id of ["totes/local/source", ARN ?? "", ARN?.slice(0, -7) ?? ""])
      expect(await value(id)).to.equal("é'\"@/%");
  });

  it("gives bytes as they were put", async () => {
    const SecretBinary = Uint8Array.of(0, 255, 10);
    await secrets.send(new CreateSecretCommand({ Name: "bytes", SecretBinary }));
    const found = await secrets.send(new GetSecretValueCommand({ SecretId: "bytes" }));
    expect([...(found.SecretBinary ?? [])]).to.deep.equal([0, 255, 10]);
  });

  it("makes the value that was current the previous one", async () => {
    await create("s", "1");
    await put("s", "2");
    await put("s", "3");
    expect(await value("s")).to.equal("3");
    expect(await value("s", { VersionStage: "AWSPREVIOUS" })).to.equal("2");
    const { VersionIdsToStages } = await secrets.send(new DescribeSecretCommand({ SecretId: "s" }));
    expect(Object.values(VersionIdsToStages ?? {})).to.have.deep.members([
      ["AWSCURRENT"],
      ["AWSPREVIOUS"],
    ]);
  });

  it("gives a version by its id, though it has no stage any more", async () => {
    const { VersionId } = await create("s", "1");
    await put("s", "2");
    await put("s", "3");
    expect(await value("s", { VersionId })).to.equal("1");
  });

  it("leaves the current value alone while a rotation is pending", async () => {
    await create("s", "1");
    await put("s", "2", { VersionStages: ["AWSPENDING"] });
    expect(await value("s")).to.equal("1");
    expect(await value("s", { VersionStage: "AWSPENDING" })).to.equal("2");
  });

  it("takes the same put twice, and refuses another value under its token", async () => {
    await create("s", "1");
    const ClientRequestToken = "00000000-0000-4000-8000-000000000001";
    await put("s", "2", { ClientRequestToken });
    await put("s", "2", { ClientRequestToken });
    expect(await value("s", { VersionStage: "AWSPREVIOUS" })).to.equal("1");
    await refused(put("s", "3", { ClientRequestToken }), 400, "ResourceExistsException");
  });

  it("keeps a deleted secret's name taken until it is deleted for good", async () => {
    await create("s", "1");
    await secrets.send(new DeleteSecretCommand({ SecretId: "s" }));
    await refused(value("s"), 400, "InvalidRequestException");
    await refused(create("s", "2"), 400, "InvalidRequestException");
    const listed = await secrets.send(new ListSecretsCommand({}));
    expect(listed.SecretList).to.deep.equal([]);
    const forGood = { SecretId: "s", ForceDeleteWithoutRecovery: true };
    await secrets.send(new DeleteSecretCommand(forGood));
    await refused(value("s"), 400, "ResourceNotFoundException");
    await create("s", "2");
    expect(await value("s")).to.equal("2");
  });

  it("finds secrets again after a restart", async () => {
    await create("s", "1");
    await put("s", "2");
    await create("deleted", "1");
    const forGood = { SecretId: "deleted", ForceDeleteWithoutRecovery: true };
    await secrets.send(new DeleteSecretCommand(forGood));
    secrets.destroy();
    await aws.stop();
    await start();
    expect(await value("s")).to.equal("2");
    expect(await value("s", { VersionStage: "AWSPREVIOUS" })).to.equal("1");
    const { SecretList } = await secrets.send(new ListSecretsCommand({}));
    expect(SecretList?.map(({ Name }) => Name)).to.deep.equal(["s"]);
  });

  it("refuses what is not there, what is there already, and what it does not know", async () => {
    await refused(value("nope"), 400, "ResourceNotFoundException");
    await create("s", "1");
    await refused(create("s", "1"), 400, "ResourceExistsException");
    await refused(value("s", { VersionStage: "NOPE" }), 400, "ResourceNotFoundException");
    const rotate = secrets.send(new RotateSecretCommand({ SecretId: "s" }));
    await refused(rotate, 400, "UnknownOperationException");
  });

  it("refuses a wrong secret key", async () => {
    const stranger = clientOf(aws, "wrong");
    const asking = stranger.send(new ListSecretsCommand({}));
    await refused(asking, 403, "InvalidSignatureException");
    stranger.destroy();
  });

  it("shows hooks which secret is asked for", async () => {
    await create("s", "1");
    const seen: string[] = [];
    aws.onRequest(({ service, operation, key }) => {
      seen.push(`${service} ${operation} ${key}`);
      return { status: 400, code: "DecryptionFailure" };
    });
    await refused(value("s"), 400, "DecryptionFailure");
    expect(seen).to.deep.equal(["secretsmanager GetSecretValue s"]);
  });
});

function clientOf({ endpoint, region }: AwsServer, secretAccessKey: string): SecretsManagerClient {
  const credentials = { accessKeyId: "test", secretAccessKey };
  return new SecretsManagerClient({ endpoint, region, credentials, maxAttempts: 1 });
}
