import { DeleteObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import type { S3Notification, S3TestNotification } from "../../localstack/aws/server.ts";
import { refused } from "../contracts/s3.ts";
import { expect } from "../support/chai.ts";
import { Bucket, collectEvents, notifyQueue, useLocalS3, type Collected } from "./local-s3.ts";
import { eventually } from "./support.ts";

describe("the local S3 notifies", () => {
  const local = useLocalS3();

  it("the queue of what matches prefix and suffix, with the key encoded as S3 does", async () => {
    await notifyQueue(local.s3, "q", "_batches/", ".json");
    const events = collectEvents(local.aws);
    const Key = "_batches/a b+ü.json";
    await local.put("_batches/a.txt", "1");
    await local.put("other/a.json", "1");
    const { ETag } = await local.put(Key, "12345");
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
    await local.put("a", "1");
    await notifyQueue(local.s3, "q", "", "");
    const events = collectEvents(local.aws);
    const conditional = { Bucket, Key: "a", Body: "2", IfNoneMatch: "*" };
    await refused(local.s3.send(new PutObjectCommand(conditional)), 412);
    await local.put("b", "1");
    await eventually(() => expect(events).to.have.length(1));
    const [{ event }] = events as [Collected<S3Notification>];
    expect(event.Records[0].s3.object.key).to.equal("b");
  });

  it("of nothing but the events that were asked for", async () => {
    await notifyQueue(local.s3, "q", "", "", "s3:ObjectRemoved:*");
    const events = collectEvents(local.aws);
    await local.put("a", "1");
    await local.s3.send(new DeleteObjectCommand({ Bucket, Key: "a" }));
    await eventually(() => expect(events).to.have.length(1));
    const [{ event }] = events as [Collected<S3Notification>];
    expect(event.Records[0].eventName).to.equal("ObjectRemoved:Delete");
  });

  it("a new destination with s3:TestEvent, unless told not to", async () => {
    const events = collectEvents(local.aws);
    await notifyQueue(local.s3, "q", "", "");
    await notifyQueue(local.s3, "tested", "", "", "s3:ObjectCreated:*", false);
    await eventually(() => expect(events).to.have.length(1));
    const [{ destination, event }] = events as [Collected<S3TestNotification>];
    expect(destination.arn).to.equal("tested");
    expect(event).to.include({ Event: "s3:TestEvent", Bucket });
  });
});
