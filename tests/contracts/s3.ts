import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectsCommand,
  GetBucketNotificationConfigurationCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketEncryptionCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketNotificationConfigurationCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  PutPublicAccessBlockCommand,
  S3Client,
  type GetObjectCommandInput,
  type PutObjectCommandInput,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { expect } from "../support/chai.ts";

/** Where an S3 is, and whom it lets in. */
export interface S3Place {
  readonly endpoint: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

const region = "eu-west-2";
const mebibyte = 1024 * 1024;

/**
 * What this project needs of an S3, as the SDK sees it: a suite of one test a fact. It makes a bucket of its own there
 * and leaves it behind.
 * @param place called in `before`, when the S3 is to be up
 */
export function s3Contract(name: string, place: () => S3Place): void {
  describe(`${name} keeps the contract of S3`, () => {
    const Bucket = `contract-${process.pid}-${Date.now()}`;
    let s3: S3Client;

    const put = (Key: string, Body: string | Buffer, more: Partial<PutObjectCommandInput> = {}) =>
      s3.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));
    const get = (Key: string, more: Partial<GetObjectCommandInput> = {}) =>
      s3.send(new GetObjectCommand({ Bucket, Key, ...more }));
    const read = async (Key: string, more: Partial<GetObjectCommandInput> = {}) =>
      (await get(Key, more)).Body?.transformToString();

    before(async () => {
      s3 = client(place());
      await s3.send(new CreateBucketCommand({ Bucket }));
      await put("a.txt", "hello", { Metadata: { run: "r1" }, ContentType: "text/plain" });
    });
    after(() => s3.destroy());

    it("answers a put with the body's MD5 as ETag and its CRC-32", async () => {
      const { ETag, ChecksumCRC32 } = await put("put.txt", "hello");
      expect(ETag).to.equal(`"${md5("hello")}"`);
      expect(ChecksumCRC32).to.equal("NhCmhg==");
    });

    it("gives back body, metadata and content type", async () => {
      const { Body, Metadata, ContentType } = await get("a.txt");
      expect(await Body?.transformToString()).to.equal("hello");
      expect(Metadata).to.deep.equal({ run: "r1" });
      expect(ContentType).to.equal("text/plain");
    });

    it("stores a stream without the framing it came in", async () => {
      await put("stream.txt", "", { Body: stream(), ContentLength: 100_011 });
      const text = await read("stream.txt");
      expect(text).to.have.length(100_011);
      expect(text?.slice(0, 7)).to.equal("chunk1-");
    });

    it("does not keep aws-chunked as a stream's content encoding", async () => {
      await put("encoding.txt", "", { Body: stream(), ContentLength: 100_011 });
      const { ContentEncoding } = await s3.send(
        new HeadObjectCommand({ Bucket, Key: "encoding.txt" }),
      );
      expect(ContentEncoding ?? "").not.to.contain("aws-chunked");
    });

    it("keeps a stream's own content encoding and its length", async () => {
      const more = { Body: stream(), ContentLength: 100_011, ContentEncoding: "gzip" };
      await put("encoded.gz", "", more);
      const head = await s3.send(new HeadObjectCommand({ Bucket, Key: "encoded.gz" }));
      expect(head.ContentEncoding).to.equal("gzip");
      expect(head.ContentLength).to.equal(100_011);
    });

    it("refuses a body that does not match its CRC-32, and stores nothing", async () => {
      await refused(put("bad.txt", "hello", { ChecksumCRC32: "AAAAAA==" }), 400);
      await refused(get("bad.txt"), 404, "NoSuchKey");
    });

    it("refuses a body that does not match its Content-MD5, and stores nothing", async () => {
      const ContentMD5 = "AAAAAAAAAAAAAAAAAAAAAA==";
      await refused(put("bad.txt", "hello", { ContentMD5 }), 400);
      await refused(get("bad.txt"), 404, "NoSuchKey");
    });

    it("answers a put that asked for it with the SHA-256", async () => {
      const { ChecksumSHA256 } = await put("sha.txt", "hello", { ChecksumAlgorithm: "SHA256" });
      expect(ChecksumSHA256).to.equal("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=");
    });

    it("creates an object under If-None-Match: * where there is none", async () => {
      await put("created.txt", "1", { IfNoneMatch: "*" });
      expect(await read("created.txt")).to.equal("1");
    });

    it("refuses to create an object under If-None-Match: * where there is one", async () => {
      await put("once.txt", "1");
      await refused(put("once.txt", "2", { IfNoneMatch: "*" }), 412, "PreconditionFailed");
      expect(await read("once.txt")).to.equal("1");
    });

    it("lets exactly one of twenty racing conditional puts win", async () => {
      const bodies = Array.from({ length: 20 }, (_, index) => `racer ${index}`);
      const results = await Promise.allSettled(
        bodies.map((body) => put("race.txt", body, { IfNoneMatch: "*" })),
      );
      const winners = bodies.filter((_, index) => results[index]?.status === "fulfilled");
      expect(winners).to.have.length(1);
      expect(await read("race.txt")).to.equal(winners[0]);
    });

    it("refuses a put under If-Match where the object is another", async () => {
      await put("match.txt", "1");
      await refused(put("match.txt", "2", { IfMatch: '"deadbeef"' }), 412, "PreconditionFailed");
    });

    it("answers 304 to a get under If-None-Match where the object is the same", async () => {
      await refused(get("a.txt", { IfNoneMatch: `"${md5("hello")}"` }), 304);
    });

    it("gives a range of bytes", async () => {
      const { Body, ContentRange, $metadata } = await get("a.txt", { Range: "bytes=1-3" });
      expect(await Body?.transformToString()).to.equal("ell");
      expect(ContentRange).to.equal("bytes 1-3/5");
      expect($metadata.httpStatusCode).to.equal(206);
    });

    it("gives the last bytes, as readers of Parquet footers ask for them", async () => {
      expect(await read("a.txt", { Range: "bytes=-2" })).to.equal("lo");
    });

    it("answers a get of no object with NoSuchKey", () => refused(get("nope"), 404, "NoSuchKey"));

    it("answers a head of no object with NotFound", () =>
      refused(s3.send(new HeadObjectCommand({ Bucket, Key: "nope" })), 404, "NotFound"));

    it("answers for no bucket with NoSuchBucket", () =>
      refused(s3.send(new ListObjectsV2Command({ Bucket: `no-${Bucket}` })), 404, "NoSuchBucket"));

    it("puts a stream together from parts", async () => {
      const bytes = randomBytes(12 * mebibyte);
      await upload("parts.bin", Readable.from(pieces(bytes)));
      const found = await (await get("parts.bin")).Body?.transformToByteArray();
      expect(bytes.equals(found ?? Buffer.alloc(0))).to.equal(true);
    });

    it("gives a range that goes from one part into the next", async () => {
      const bytes = randomBytes(11 * mebibyte);
      await upload("ranges.bin", Readable.from(pieces(bytes)));
      const from = 5 * mebibyte - 10;
      const Range = `bytes=${from}-${from + 19}`;
      const found = await (await get("ranges.bin", { Range })).Body?.transformToByteArray();
      expect(bytes.subarray(from, from + 20).equals(found ?? Buffer.alloc(0))).to.equal(true);
    });

    it("refuses to complete parts under If-None-Match: * where there is an object", async () => {
      await put("taken.bin", "1");
      const body = Readable.from([randomBytes(6 * mebibyte)]);
      await refused(upload("taken.bin", body, { IfNoneMatch: "*" }), 412, "PreconditionFailed");
      expect(await read("taken.bin")).to.equal("1");
    });

    it("lists keys of any characters in the order of their bytes, page by page", async () => {
      const keys = [1, 2, 3].flatMap((day) =>
        Array.from({ length: 10 }, (_, n) => `raw/dt=2026-01-0${day}/part ${n} ü+&=%<>"'.json`),
      );
      keys.push("raw/😀", "raw/ﬀ", "raw/a");
      await Promise.all(keys.map((key) => put(key, key)));
      const found: (string | undefined)[] = [];
      let ContinuationToken: string | undefined;
      do {
        const page = await s3.send(
          new ListObjectsV2Command({ Bucket, Prefix: "raw/", MaxKeys: 7, ContinuationToken }),
        );
        found.push(...(page.Contents ?? []).map(({ Key }) => Key));
        ContinuationToken = page.NextContinuationToken;
      } while (ContinuationToken);
      const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
      expect(found).to.deep.equal(keys.toSorted(byBytes));
      expect(await read(keys[0] ?? "")).to.equal(keys[0]);
    });

    it("lists what keys have in common up to a delimiter", async () => {
      await Promise.all(["1/a", "1/b", "2/a", "3"].map((key) => put(`tree/${key}`, key)));
      const { CommonPrefixes, Contents } = await s3.send(
        new ListObjectsV2Command({ Bucket, Prefix: "tree/", Delimiter: "/" }),
      );
      expect(CommonPrefixes?.map(({ Prefix }) => Prefix)).to.deep.equal(["tree/1/", "tree/2/"]);
      expect(Contents?.map(({ Key }) => Key)).to.deep.equal(["tree/3"]);
    });

    it("lists keys from behind StartAfter, which need not exist", async () => {
      await Promise.all(["1", "2", "3"].map((key) => put(`after/${key}`, key)));
      const { Contents, KeyCount } = await s3.send(
        new ListObjectsV2Command({ Bucket, Prefix: "after/", StartAfter: "after/1.5" }),
      );
      expect(Contents?.map(({ Key }) => Key)).to.deep.equal(["after/2", "after/3"]);
      expect(KeyCount).to.equal(2);
    });

    it("keeps a key apart from one that it is the beginning of", async () => {
      await put("folder", "1");
      await put("folder/file", "2");
      expect([await read("folder"), await read("folder/file")]).to.deep.equal(["1", "2"]);
    });

    it("copies an object", async () => {
      await s3.send(
        new CopyObjectCommand({ Bucket, Key: "copy.txt", CopySource: `${Bucket}/a.txt` }),
      );
      expect(await read("copy.txt")).to.equal("hello");
    });

    it("deletes several objects at once, whatever their keys", async () => {
      const keys = ["delete/1", "delete/ 2 & <3> "];
      await Promise.all(keys.map((key) => put(key, key)));
      const Objects = keys.map((Key) => ({ Key }));
      const { Deleted } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
      expect(Deleted?.map(({ Key }) => Key)).to.deep.equal(keys);
      const left = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: "delete/" }));
      expect(left.KeyCount).to.equal(0);
    });

    it("lets a presigned get in", async () => {
      const command = new GetObjectCommand({ Bucket, Key: "a.txt" });
      const answer = await fetch(await getSignedUrl(s3, command, { expiresIn: 60 }));
      expect(await answer.text()).to.equal("hello");
    });

    it("lets a presigned put in", async () => {
      const command = new PutObjectCommand({ Bucket, Key: "presigned.txt" });
      const url = await getSignedUrl(s3, command, { expiresIn: 60 });
      const { status } = await fetch(url, { method: "PUT", body: "by URL" });
      expect(status).to.equal(200);
      expect(await read("presigned.txt")).to.equal("by URL");
    });

    it("keeps an object's tags", async () => {
      await put("tagged.txt", "1");
      const TagSet = [{ Key: "k", Value: "v" }];
      await s3.send(
        new PutObjectTaggingCommand({ Bucket, Key: "tagged.txt", Tagging: { TagSet } }),
      );
      const found = await s3.send(new GetObjectTaggingCommand({ Bucket, Key: "tagged.txt" }));
      expect(found.TagSet).to.deep.equal(TagSet);
    });

    it("takes a bucket's encryption, lifecycle and public access block", async () => {
      const encrypt = { ApplyServerSideEncryptionByDefault: { SSEAlgorithm: "AES256" } } as const;
      await s3.send(
        new PutBucketEncryptionCommand({
          Bucket,
          ServerSideEncryptionConfiguration: { Rules: [encrypt] },
        }),
      );
      const expire = { ID: "x", Status: "Enabled", Expiration: { Days: 30 } } as const;
      await s3.send(
        new PutBucketLifecycleConfigurationCommand({
          Bucket,
          LifecycleConfiguration: { Rules: [{ ...expire, Filter: { Prefix: "raw/" } }] },
        }),
      );
      await s3.send(
        new PutPublicAccessBlockCommand({
          Bucket,
          PublicAccessBlockConfiguration: { BlockPublicAcls: true, BlockPublicPolicy: true },
        }),
      );
    });

    it("says how an object is encrypted", async () => {
      const answer = await put("encrypted.txt", "x", { ServerSideEncryption: "AES256" });
      expect(answer.ServerSideEncryption).to.equal("AES256");
    });

    it("keeps a bucket's notification configuration", async () => {
      await s3.send(
        new PutBucketNotificationConfigurationCommand({
          Bucket,
          NotificationConfiguration: { EventBridgeConfiguration: {} },
        }),
      );
      const found = await s3.send(new GetBucketNotificationConfigurationCommand({ Bucket }));
      expect(found.EventBridgeConfiguration).to.deep.equal({});
    });

    it("keeps the versions of a bucket's objects where it is told to", async () => {
      const Versioned = `${Bucket}-versions`;
      await s3.send(new CreateBucketCommand({ Bucket: Versioned }));
      await s3.send(
        new PutBucketVersioningCommand({
          Bucket: Versioned,
          VersioningConfiguration: { Status: "Enabled" },
        }),
      );
      const first = await put("v", "1", { Bucket: Versioned });
      const second = await put("v", "2", { Bucket: Versioned });
      expect(first.VersionId).to.be.a("string").that.does.not.equal(second.VersionId);
      const version = { Bucket: Versioned, VersionId: first.VersionId };
      expect(await read("v", version)).to.equal("1");
      expect(await read("v", { Bucket: Versioned })).to.equal("2");
      const { Versions } = await s3.send(new ListObjectVersionsCommand({ Bucket: Versioned }));
      expect(Versions?.map(({ IsLatest }) => IsLatest)).to.deep.equal([true, false]);
    });

    it("serves hundreds of small requests side by side", async () => {
      let next = 0;
      const worker = async () => {
        for (let n = next++; n < 300; n = next++) {
          await put(`small/${n}`, `${n}`.padEnd(1024));
          expect(await read(`small/${n}`)).to.equal(`${n}`.padEnd(1024));
        }
      };
      await Promise.all(Array.from({ length: 20 }, worker));
    });

    it("takes and gives 30 MiB in one piece", async () => {
      const bytes = randomBytes(30 * mebibyte);
      await put("big.bin", bytes);
      const found = await (await get("big.bin")).Body?.transformToByteArray();
      expect(bytes.equals(found ?? Buffer.alloc(0))).to.equal(true);
    });

    it("refuses a wrong secret key", async () => {
      const { endpoint, credentials } = place();
      const stranger = client({
        endpoint,
        credentials: { ...credentials, secretAccessKey: "wrong" },
      });
      const request = stranger.send(new ListObjectsV2Command({ Bucket }));
      await refused(request, 403, "SignatureDoesNotMatch");
      stranger.destroy();
    });

    const upload = (Key: string, Body: Readable, more: Partial<PutObjectCommandInput> = {}) =>
      new Upload({
        client: s3,
        params: { Bucket, Key, Body, ...more },
        partSize: 5 * mebibyte,
        queueSize: 3,
      }).done();
  });
}

/** A client without retries: a fault is to be seen. */
export function client({ endpoint, credentials }: S3Place): S3Client {
  return new S3Client({ endpoint, credentials, region, forcePathStyle: true, maxAttempts: 1 });
}

/** Asserts that a request is refused with this status and, where given, by this error. */
export async function refused(
  request: Promise<unknown>,
  status: number,
  name?: string,
): Promise<void> {
  const answer = await request.then(
    () => expect.fail(`succeeded instead of ${status} ${name ?? ""}`),
    (error: Error & { $metadata?: { httpStatusCode?: number } }) => error,
  );
  expect(answer.$metadata?.httpStatusCode, answer.message).to.equal(status);
  if (name !== undefined) expect(answer.name).to.equal(name);
}

function stream(): Readable {
  return Readable.from([Buffer.from("chunk1-"), Buffer.alloc(100_000, "x"), Buffer.from("-end")]);
}

function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

function md5(text: string): string {
  return createHash("md5").update(text).digest("hex");
}
