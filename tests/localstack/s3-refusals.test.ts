import {
  CreateBucketCommand,
  DeleteBucketCommand,
  GetBucketEncryptionCommand,
  GetObjectCommand,
  HeadBucketCommand,
  ListBucketsCommand,
  PutBucketAclCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { Readable } from "node:stream";
import { startAws, type AwsServer } from "../../localstack/aws/server.ts";
import { client, refused } from "../contracts/s3.ts";
import { expect } from "../support/chai.ts";
import { Bucket, credentials, useLocalS3 } from "./local-s3.ts";

describe("the local S3 refuses", () => {
  const local = useLocalS3();

  it("a presigned request that is too old", async () => {
    await local.put("a", "1");
    const signingDate = new Date(Date.now() - 120_000);
    const command = new GetObjectCommand({ Bucket, Key: "a" });
    const url = await getSignedUrl(local.s3, command, { expiresIn: 60, signingDate });
    expect((await fetch(url)).status).to.equal(403);
  });

  it("a presigned request whose query was changed", async () => {
    await local.put("a", "1");
    const url = await getSignedUrl(local.s3, new GetObjectCommand({ Bucket, Key: "a" }));
    expect((await fetch(`${url}&versionId=null`)).status).to.equal(403);
  });

  it("a request without signature", async () => {
    expect((await fetch(`${local.aws.endpoint}/${Bucket}/a`)).status).to.equal(403);
  });

  it("an access key that it does not know", async () => {
    const stranger = client({
      endpoint: local.aws.endpoint,
      credentials: { accessKeyId: "stranger", secretAccessKey: "test" },
    });
    await refused(stranger.send(new ListBucketsCommand()), 403, "InvalidAccessKeyId");
    stranger.destroy();
  });

  it("a body that is not the one that was signed", async () => {
    await signedTo(local.aws, async (url, headers) => {
      const answer = await fetch(url, {
        method: "PUT",
        headers,
        body: "other",
      });
      expect(answer.status).to.equal(400);
      expect(await answer.text()).to.contain("XAmzContentSHA256Mismatch");
    });
    await refused(local.read("a"), 404, "NoSuchKey");
  });

  it("framing that is broken, and serves the next request", async () => {
    // As long as what was signed.
    const body = "zzz\r\n";
    await signedTo(
      local.aws,
      async (url, headers) => {
        const answer = await fetch(url, {
          method: "PUT",
          headers,
          body,
        });
        expect(answer.status).to.equal(400);
        expect(await answer.text()).to.contain("IncompleteBody");
      },
      "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    );
    await local.put("a", "1");
    expect(await local.read("a")).to.equal("1");
  });

  it("what it does not know, by name", () =>
    refused(
      local.s3.send(new PutBucketAclCommand({ Bucket, ACL: "private" })),
      501,
      "NotImplemented",
    ));

  it("to delete a bucket that is not empty", async () => {
    await local.put("a", "1");
    await refused(local.s3.send(new DeleteBucketCommand({ Bucket })), 409, "BucketNotEmpty");
  });

  it("to create a bucket twice", () =>
    refused(local.s3.send(new CreateBucketCommand({ Bucket })), 409, "BucketAlreadyOwnedByYou"));

  it("to give a configuration that was never put", () =>
    refused(
      local.s3.send(new GetBucketEncryptionCommand({ Bucket })),
      404,
      "ServerSideEncryptionConfigurationNotFoundError",
    ));

  it("parts of less than 5 MiB before the last", async () => {
    const upload = new Upload({
      client: local.s3,
      params: { Bucket, Key: "a", Body: Readable.from([Buffer.alloc(6 * 1024 * 1024)]) },
      partSize: 5 * 1024 * 1024,
    });
    // Behind the back of the SDK, which would refuse it itself.
    Object.assign(upload, { partSize: 1024 * 1024 });
    await refused(upload.done(), 400, "EntityTooSmall");
  });
  it("to start on a port that is taken", async () => {
    await expect(startAws({ port: local.aws.port })).to.be.rejectedWith("EADDRINUSE");
    await local.s3.send(new HeadBucketCommand({ Bucket }));
  });
});
/** Runs `send` with the address and the headers of a signed put of "hello" under the key `a`. */
async function signedTo(
  aws: AwsServer,
  send: (url: string, headers: Record<string, string>) => Promise<void>,
  payload?: string,
): Promise<void> {
  const s3 = client({ endpoint: aws.endpoint, credentials });
  let headers: Record<string, string> = {};
  s3.middlewareStack.add(
    (next) => async (args) => {
      const request = args.request as { headers: Record<string, string> };
      if (payload !== undefined) request.headers["x-amz-content-sha256"] = payload;
      return next(args);
    },
    { step: "build" },
  );
  s3.middlewareStack.add(
    () => async (args) => {
      headers = { ...(args.request as { headers: Record<string, string> }).headers };
      throw new Error("not sent");
    },
    { step: "deserialize", priority: "high" },
  );
  const command = new PutObjectCommand({ Bucket, Key: "a", Body: "hello" });
  await expect(s3.send(command)).to.be.rejectedWith("not sent");
  s3.destroy();
  delete headers["content-length"];
  await send(`${aws.endpoint}/${Bucket}/a?x-id=PutObject`, headers);
}
