import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListBucketsCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { existsSync } from "node:fs";
import { appendFile, readdir } from "node:fs/promises";
import path from "node:path";
import { Readable } from "node:stream";
import { startAws } from "../../localstack/aws/server.ts";
import { refused } from "../contracts/s3.ts";
import { expect } from "../support/chai.ts";
import { Bucket, collectEvents, notifyQueue, useLocalS3 } from "./local-s3.ts";
import { eventually } from "./support.ts";

describe("the local S3 on disk", () => {
  const local = useLocalS3();
  const blobs = () => readdir(path.join(local.folder, "blobs"));

  it("finds buckets, objects, versions and configurations again after a restart", async () => {
    await local.put("a", "1");
    await local.put("deleted", "1");
    await local.s3.send(new DeleteObjectCommand({ Bucket, Key: "deleted" }));
    await local.s3.send(
      new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }),
    );
    await local.put("a", "2");
    await notifyQueue(local.s3, "q", "", "");
    const before = await local.s3.send(new ListObjectVersionsCommand({ Bucket }));
    await local.stop();
    await local.start();

    const { Buckets } = await local.s3.send(new ListBucketsCommand());
    expect(Buckets?.map(({ Name }) => Name)).to.deep.equal([Bucket]);
    const after = await local.s3.send(new ListObjectVersionsCommand({ Bucket }));
    expect(after.Versions).to.deep.equal(before.Versions);
    expect(await local.read("a")).to.equal("2");
    const events = collectEvents(local.aws);
    await local.put("b", "3");
    await eventually(() => expect(events).to.have.length(1));
  });

  it("forgets a line that a crash cut off, and goes on after it", async () => {
    await local.put("a", "1");
    await local.stop();
    await appendFile(path.join(local.folder, "s3.jsonl"), '{"do":"put","bucket":"buck');
    await local.start();
    await local.put("b", "2");
    await local.stop();
    await local.start();
    expect(await local.read("a")).to.equal("1");
    expect(await local.read("b")).to.equal("2");
  });

  it("removes the bytes of what is overwritten, deleted or refused", async () => {
    await local.put("a", "1");
    await local.put("a", "2");
    await local.put("b", "3");
    await local.s3.send(new DeleteObjectCommand({ Bucket, Key: "b" }));
    const conditional = { Bucket, Key: "a", Body: "4", IfNoneMatch: "*" };
    await refused(local.s3.send(new PutObjectCommand(conditional)), 412);
    await eventually(async () => expect(await blobs()).to.have.length(1));
    expect(await local.read("a")).to.equal("2");
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
    const sending = local.s3.send(command, { abortSignal: abort.signal });
    await eventually(async () => expect(await blobs()).to.have.length(1));
    abort.abort();
    await expect(sending).to.be.rejected;
    await eventually(async () => expect(await blobs()).to.have.length(0));
    await refused(local.read("a"), 404, "NoSuchKey");
  });

  it("goes on reading an object that is overwritten meanwhile", async () => {
    const old = "1".repeat(8_000_000);
    await local.put("a", old);
    const { Body } = await local.s3.send(new GetObjectCommand({ Bucket, Key: "a" }));
    await local.put("a", "2");
    await eventually(async () => expect(await blobs()).to.have.length(1));
    expect((await Body?.transformToString()) === old).to.equal(true);
  });

  it("removes a folder that it made itself, and leaves one that it was given", async () => {
    const own = await startAws();
    expect(existsSync(own.folder)).to.equal(true);
    await own.stop();
    expect(existsSync(own.folder)).to.equal(false);
    await local.aws.stop();
    expect(existsSync(local.folder)).to.equal(true);
  });
  it("holds no object in memory", async () => {
    const size = 200 * 1024 * 1024;
    const chunk = Buffer.alloc(1024 * 1024);
    const body = function* () {
      for (let sent = 0; sent < size; sent += chunk.length) yield chunk;
    };
    const before = process.memoryUsage().rss;
    const Body = Readable.from(body());
    await local.s3.send(new PutObjectCommand({ Bucket, Key: "big", Body, ContentLength: size }));
    let found = 0;
    const { Body: answer } = await local.s3.send(new GetObjectCommand({ Bucket, Key: "big" }));
    for await (const piece of answer as Readable) found += (piece as Buffer).length;
    expect(found).to.equal(size);
    expect(process.memoryUsage().rss - before).to.be.below(size * 0.75);
  });
});
