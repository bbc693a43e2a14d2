import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketEncryptionCommand,
  GetObjectCommand,
  HeadBucketCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketAclCommand,
  PutBucketNotificationConfigurationCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { appendFile, mkdtemp, readdir, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import {
  startAws,
  type AwsServer,
  type Destination,
  type S3Notification,
  type S3TestNotification,
} from "../../localstack/aws/server.ts";
import { client, refused } from "../contracts/s3.ts";
import { expect } from "../support/chai.ts";
import { eventually } from "./support.ts";

const credentials = { accessKeyId: "test", secretAccessKey: "test" };
const Bucket = "bucket";

describe("the local S3", () => {
  let folder: string;
  let aws: AwsServer;
  let s3: S3Client;

  const start = async () => {
    aws = await startAws({ folder });
    s3 = client({ endpoint: aws.endpoint, credentials });
  };
  const stop = async () => {
    s3.destroy();
    await aws.stop();
  };
  const put = (Key: string, Body: string | Buffer | Readable) =>
    s3.send(new PutObjectCommand({ Bucket, Key, Body }));
  const read = async (Key: string) =>
    (await s3.send(new GetObjectCommand({ Bucket, Key }))).Body?.transformToString();
  const blobs = () => readdir(path.join(folder, "blobs"));

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "aws-test-"));
    await start();
    await s3.send(new CreateBucketCommand({ Bucket }));
  });
  afterEach(async () => {
    await stop();
    await rm(folder, { recursive: true });
  });

  describe("on disk", () => {
    it("finds buckets, objects, versions and configurations again after a restart", async () => {
      await put("a", "1");
      await put("deleted", "1");
      await s3.send(new DeleteObjectCommand({ Bucket, Key: "deleted" }));
      await s3.send(
        new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }),
      );
      await put("a", "2");
      await notifyQueue(s3, "q", "", "");
      const before = await s3.send(new ListObjectVersionsCommand({ Bucket }));
      await stop();
      await start();

      const { Buckets } = await s3.send(new ListBucketsCommand());
      expect(Buckets?.map(({ Name }) => Name)).to.deep.equal([Bucket]);
      const after = await s3.send(new ListObjectVersionsCommand({ Bucket }));
      expect(after.Versions).to.deep.equal(before.Versions);
      expect(await read("a")).to.equal("2");
      const events = collectEvents(aws);
      await put("b", "3");
      await eventually(() => expect(events).to.have.length(1));
    });

    it("forgets a line that a crash cut off, and goes on after it", async () => {
      await put("a", "1");
      await stop();
      await appendFile(path.join(folder, "s3.jsonl"), '{"do":"put","bucket":"buck');
      await start();
      await put("b", "2");
      await stop();
      await start();
      expect(await read("a")).to.equal("1");
      expect(await read("b")).to.equal("2");
    });

    it("removes the bytes of what is overwritten, deleted or refused", async () => {
      await put("a", "1");
      await put("a", "2");
      await put("b", "3");
      await s3.send(new DeleteObjectCommand({ Bucket, Key: "b" }));
      const conditional = { Bucket, Key: "a", Body: "4", IfNoneMatch: "*" };
      await refused(s3.send(new PutObjectCommand(conditional)), 412);
      await eventually(async () => expect(await blobs()).to.have.length(1));
      expect(await read("a")).to.equal("2");
    });

    it("keeps nothing of an upload whose client died on the way", async () => {
      const body = new Readable({ read: () => undefined });
      body.push(Buffer.alloc(100_000));
      const command = new PutObjectCommand({
        Bucket,
        Key: "a",
        Body: body,
        ContentLength: 200_000,
      });
      const abort = new AbortController();
      const sending = s3.send(command, { abortSignal: abort.signal });
      await eventually(async () => expect(await blobs()).to.have.length(1));
      abort.abort();
      await expect(sending).to.be.rejected;
      await eventually(async () => expect(await blobs()).to.have.length(0));
      await refused(read("a"), 404, "NoSuchKey");
    });

    it("goes on reading an object that is overwritten meanwhile", async () => {
      const old = "1".repeat(8_000_000);
      await put("a", old);
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: "a" }));
      await put("a", "2");
      await eventually(async () => expect(await blobs()).to.have.length(1));
      expect((await Body?.transformToString()) === old).to.equal(true);
    });

    it("removes a folder that it made itself, and leaves one that it was given", async () => {
      const own = await startAws();
      expect(existsSync(own.folder)).to.equal(true);
      await own.stop();
      expect(existsSync(own.folder)).to.equal(false);
      await aws.stop();
      expect(existsSync(folder)).to.equal(true);
    });
  });

  describe("lists", () => {
    const list = async (more: object) => {
      const found = await s3.send(new ListObjectsV2Command({ Bucket, Delimiter: "/", ...more }));
      return {
        lines: [
          ...(found.CommonPrefixes ?? []).map(({ Prefix }) => Prefix),
          ...(found.Contents ?? []).map(({ Key }) => Key),
        ],
        token: found.NextContinuationToken,
      };
    };

    it("each group once, whatever the size of the pages", async () => {
      for (const key of ["a/1", "a/2", "a/3", "b/1", "b/2", "c"]) await put(key, "1");
      for (const MaxKeys of [1, 2, 3, 4]) {
        const lines: (string | undefined)[] = [];
        let ContinuationToken: string | undefined;
        do {
          const page = await list({ MaxKeys, ContinuationToken });
          lines.push(...page.lines);
          ContinuationToken = page.token;
        } while (ContinuationToken);
        expect(lines, `pages of ${MaxKeys}`).to.deep.equal(["a/", "b/", "c"]);
      }
    });

    it("a group of which only some keys are behind StartAfter", async () => {
      for (const key of ["a/1", "a/2", "b"]) await put(key, "1");
      expect((await list({ StartAfter: "a/1" })).lines).to.deep.equal(["a/", "b"]);
      expect((await list({ StartAfter: "a/2" })).lines).to.deep.equal(["b"]);
    });

    it("versions and delete markers, page by page", async () => {
      await s3.send(
        new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }),
      );
      for (const body of ["1", "2", "3"]) await put("a", body);
      await s3.send(new DeleteObjectCommand({ Bucket, Key: "a" }));
      await put("b", "1");
      let found = 0;
      let markers = 0;
      let next: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } = {};
      for (let page = 0; page < 5; page++) {
        const answer = await s3.send(
          new ListObjectVersionsCommand({ Bucket, MaxKeys: 2, ...next }),
        );
        found += answer.Versions?.length ?? 0;
        markers += answer.DeleteMarkers?.length ?? 0;
        if (!answer.IsTruncated) break;
        next = { KeyMarker: answer.NextKeyMarker, VersionIdMarker: answer.NextVersionIdMarker };
      }
      expect({ found, markers }).to.deep.equal({ found: 4, markers: 1 });
    });
  });

  describe("refuses", () => {
    it("a presigned request that is too old", async () => {
      await put("a", "1");
      const signingDate = new Date(Date.now() - 120_000);
      const command = new GetObjectCommand({ Bucket, Key: "a" });
      const url = await getSignedUrl(s3, command, { expiresIn: 60, signingDate });
      expect((await fetch(url)).status).to.equal(403);
    });

    it("a presigned request whose query was changed", async () => {
      await put("a", "1");
      const url = await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key: "a" }));
      expect((await fetch(`${url}&versionId=null`)).status).to.equal(403);
    });

    it("a request without signature", async () => {
      expect((await fetch(`${aws.endpoint}/${Bucket}/a`)).status).to.equal(403);
    });

    it("an access key that it does not know", async () => {
      const stranger = client({
        endpoint: aws.endpoint,
        credentials: { accessKeyId: "stranger", secretAccessKey: "test" },
      });
      await refused(stranger.send(new ListBucketsCommand()), 403, "InvalidAccessKeyId");
      stranger.destroy();
    });

    it("a body that is not the one that was signed", async () => {
      await signedTo(aws, async (url, headers) => {
        const answer = await fetch(url, {
          method: "PUT",
          headers,
          body: "other",
        });
        expect(answer.status).to.equal(400);
        expect(await answer.text()).to.contain("XAmzContentSHA256Mismatch");
      });
      await refused(read("a"), 404, "NoSuchKey");
    });

    it("framing that is broken, and serves the next request", async () => {
      // As long as what was signed.
      const body = "zzz\r\n";
      await signedTo(
        aws,
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
      await put("a", "1");
      expect(await read("a")).to.equal("1");
    });

    it("what it does not know, by name", () =>
      refused(s3.send(new PutBucketAclCommand({ Bucket, ACL: "private" })), 501, "NotImplemented"));

    it("to delete a bucket that is not empty", async () => {
      await put("a", "1");
      await refused(s3.send(new DeleteBucketCommand({ Bucket })), 409, "BucketNotEmpty");
    });

    it("to create a bucket twice", () =>
      refused(s3.send(new CreateBucketCommand({ Bucket })), 409, "BucketAlreadyOwnedByYou"));

    it("to give a configuration that was never put", () =>
      refused(
        s3.send(new GetBucketEncryptionCommand({ Bucket })),
        404,
        "ServerSideEncryptionConfigurationNotFoundError",
      ));

    it("parts of less than 5 MiB before the last", async () => {
      const upload = new Upload({
        client: s3,
        params: { Bucket, Key: "a", Body: Readable.from([Buffer.alloc(6 * 1024 * 1024)]) },
        partSize: 5 * 1024 * 1024,
      });
      // Behind the back of the SDK, which would refuse it itself.
      Object.assign(upload, { partSize: 1024 * 1024 });
      await refused(upload.done(), 400, "EntityTooSmall");
    });
  });

  it("deletes a thousand keys full of ampersands", async () => {
    const Objects = Array.from({ length: 1000 }, (_, n) => ({ Key: `${"&".repeat(200)}${n}` }));
    const { Deleted } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
    expect(Deleted?.map(({ Key }) => ({ Key }))).to.deep.equal(Objects);
  });

  it("keeps control characters, blanks and dots of keys apart", async () => {
    const keys = ["\r\n\t", " a ", "../a", "a/../b", "a//b", "%2F", "+"];
    for (const key of keys) await put(key, JSON.stringify(key));
    for (const key of keys) expect(await read(key)).to.equal(JSON.stringify(key));
    const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket, EncodingType: "url" }));
    const found = (Contents ?? []).map(({ Key }) => decodeURIComponent(Key ?? ""));
    expect(found).to.have.members(keys);
  });

  it("holds no object in memory", async () => {
    const size = 200 * 1024 * 1024;
    const chunk = Buffer.alloc(1024 * 1024);
    const body = function* () {
      for (let sent = 0; sent < size; sent += chunk.length) yield chunk;
    };
    const before = process.memoryUsage().rss;
    const Body = Readable.from(body());
    await s3.send(new PutObjectCommand({ Bucket, Key: "big", Body, ContentLength: size }));
    let found = 0;
    const { Body: answer } = await s3.send(new GetObjectCommand({ Bucket, Key: "big" }));
    for await (const piece of answer as Readable) found += (piece as Buffer).length;
    expect(found).to.equal(size);
    expect(process.memoryUsage().rss - before).to.be.below(size * 0.75);
  });

  describe("notifies", () => {
    it("the queue of what matches prefix and suffix, with the key encoded as S3 does", async () => {
      await notifyQueue(s3, "q", "_batches/", ".json");
      const events = collectEvents(aws);
      const Key = "_batches/a b+ü.json";
      await put("_batches/a.txt", "1");
      await put("other/a.json", "1");
      const { ETag } = await put(Key, "12345");
      await eventually(() => expect(events).to.have.length(1));
      const [{ destination, event }] = events as [Collected<S3Notification>];
      expect(destination).to.deep.equal({ kind: "queue", arn: "q" });
      const [record] = event.Records;
      expect(record.eventSource).to.equal("aws:s3");
      expect(record.eventName).to.equal("ObjectCreated:Put");
      expect(record.s3.bucket.name).to.equal(Bucket);
      expect(record.s3.object.key).to.equal("_batches/a+b%2B%C3%BC.json");
      expect(record.s3.object).to.include({ size: 5, eTag: ETag?.replaceAll('"', "") });
    });

    it("of no put that was refused", async () => {
      await put("a", "1");
      await notifyQueue(s3, "q", "", "");
      const events = collectEvents(aws);
      const conditional = { Bucket, Key: "a", Body: "2", IfNoneMatch: "*" };
      await refused(s3.send(new PutObjectCommand(conditional)), 412);
      await put("b", "1");
      await eventually(() => expect(events).to.have.length(1));
      const [{ event }] = events as [Collected<S3Notification>];
      expect(event.Records[0].s3.object.key).to.equal("b");
    });

    it("of nothing but the events that were asked for", async () => {
      await notifyQueue(s3, "q", "", "", "s3:ObjectRemoved:*");
      const events = collectEvents(aws);
      await put("a", "1");
      await s3.send(new DeleteObjectCommand({ Bucket, Key: "a" }));
      await eventually(() => expect(events).to.have.length(1));
      const [{ event }] = events as [Collected<S3Notification>];
      expect(event.Records[0].eventName).to.equal("ObjectRemoved:Delete");
    });

    it("a new destination with s3:TestEvent, unless told not to", async () => {
      const events = collectEvents(aws);
      await notifyQueue(s3, "q", "", "");
      await notifyQueue(s3, "tested", "", "", "s3:ObjectCreated:*", false);
      await eventually(() => expect(events).to.have.length(1));
      const [{ destination, event }] = events as [Collected<S3TestNotification>];
      expect(destination.arn).to.equal("tested");
      expect(event).to.include({ Event: "s3:TestEvent", Bucket });
    });
  });

  describe("has faults injected", () => {
    it("before an operation: it is refused and was not done", async () => {
      const remove = aws.onRequest(({ operation, bucket, key }) =>
        operation === "PutObject" && bucket === Bucket && key === "a b"
          ? { status: 503, code: "SlowDown" }
          : undefined,
      );
      await refused(put("a b", "1"), 503, "SlowDown");
      remove();
      await refused(read("a b"), 404, "NoSuchKey");
    });

    it("after an operation: it is refused and was done", async () => {
      const remove = aws.onRequest(() => ({ status: 500, code: "InternalError", when: "after" }));
      await refused(put("a", "1"), 500, "InternalError");
      remove();
      expect(await read("a")).to.equal("1");
    });

    it("by a connection that is cut, before or after", async () => {
      let fault: Parameters<AwsServer["onRequest"]>[0] = () => "reset";
      const remove = aws.onRequest((request) => fault(request));
      await expect(put("a", "1")).to.be.rejectedWith(/ECONNRESET|socket hang up/);
      fault = () => ({ reset: true, when: "after" });
      await expect(put("b", "1")).to.be.rejectedWith(/ECONNRESET|socket hang up/);
      await expect(read("b")).to.be.rejectedWith(/ECONNRESET|socket hang up/);
      remove();
      await refused(read("a"), 404, "NoSuchKey");
      expect(await read("b")).to.equal("1");
    });

    it("by a hook that takes its time", async () => {
      let release: () => void = () => undefined;
      const held = new Promise<void>((resolve) => (release = resolve));
      const remove = aws.onRequest(({ operation, key }) =>
        operation === "PutObject" && key === "slow" ? held : undefined,
      );
      const slow = put("slow", "1");
      await put("fast", "1");
      await refused(read("slow"), 404, "NoSuchKey");
      release();
      await slow;
      remove();
      expect(await read("slow")).to.equal("1");
    });

    it("and counts requests and tells how they were answered", async () => {
      const answers: string[] = [];
      aws.onAnswer(({ operation, status }) => answers.push(`${operation} ${status}`));
      await put("a", "1");
      await refused(read("nope"), 404);
      expect(answers).to.deep.equal(["PutObject 200", "GetObject 404"]);
      expect(aws.requests.get("PutObject")).to.equal(1);
      expect(aws.requests.get("CreateBucket")).to.equal(1);
    });
  });

  it("stops although a connection is open and a hook never ends", async () => {
    aws.onRequest(() => new Promise(() => undefined));
    const hanging = expect(put("a", "1")).to.be.rejected;
    const socket = connect(aws.port, "127.0.0.1");
    await once(socket, "connect");
    await eventually(() => expect(aws.requests.get("PutObject")).to.equal(1));
    await aws.stop();
    await hanging;
    socket.destroy();
  });

  it("says which port is taken", async () => {
    await expect(startAws({ port: aws.port })).to.be.rejectedWith("EADDRINUSE");
    await s3.send(new HeadBucketCommand({ Bucket }));
  });
});

interface Collected<E> {
  readonly destination: Destination;
  readonly event: E;
}

function collectEvents(aws: AwsServer): Collected<S3Notification | S3TestNotification>[] {
  const events: Collected<S3Notification | S3TestNotification>[] = [];
  aws.onEvent((destination, event) => events.push({ destination, event }));
  return events;
}

function notifyQueue(
  s3: S3Client,
  QueueArn: string,
  prefix: string,
  suffix: string,
  event: "s3:ObjectCreated:*" | "s3:ObjectRemoved:*" = "s3:ObjectCreated:*",
  SkipDestinationValidation = true,
) {
  const FilterRules = [
    { Name: "prefix" as const, Value: prefix },
    { Name: "suffix" as const, Value: suffix },
  ];
  return s3.send(
    new PutBucketNotificationConfigurationCommand({
      Bucket,
      SkipDestinationValidation,
      NotificationConfiguration: {
        QueueConfigurations: [{ QueueArn, Events: [event], Filter: { Key: { FilterRules } } }],
      },
    }),
  );
}

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
