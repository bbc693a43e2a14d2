import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
} from "@aws-sdk/client-s3";
import { expect } from "../support/chai.ts";
import { Bucket, useLocalS3 } from "./local-s3.ts";

describe("the local S3 lists", () => {
  const local = useLocalS3();

  const list = async (more: object) => {
    const found = await local.s3.send(
      new ListObjectsV2Command({ Bucket, Delimiter: "/", ...more }),
    );
    return {
      lines: [
        ...(found.CommonPrefixes ?? []).map(({ Prefix }) => Prefix),
        ...(found.Contents ?? []).map(({ Key }) => Key),
      ],
      token: found.NextContinuationToken,
    };
  };

  it("each group once, whatever the size of the pages", async () => {
    for (const key of ["a/1", "a/2", "a/3", "b/1", "b/2", "c"]) await local.put(key, "1");
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
    for (const key of ["a/1", "a/2", "b"]) await local.put(key, "1");
    expect((await list({ StartAfter: "a/1" })).lines).to.deep.equal(["a/", "b"]);
    expect((await list({ StartAfter: "a/2" })).lines).to.deep.equal(["b"]);
  });

  it("versions and delete markers, page by page", async () => {
    await local.s3.send(
      new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }),
    );
    for (const body of ["1", "2", "3"]) await local.put("a", body);
    await local.s3.send(new DeleteObjectCommand({ Bucket, Key: "a" }));
    await local.put("b", "1");
    let found = 0;
    let markers = 0;
    let next: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } = {};
    for (let page = 0; page < 5; page++) {
      const answer = await local.s3.send(
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

describe("the local S3", () => {
  const local = useLocalS3();

  it("deletes a thousand keys full of ampersands", async () => {
    const Objects = Array.from({ length: 1000 }, (_, n) => ({ Key: `${"&".repeat(200)}${n}` }));
    const { Deleted } = await local.s3.send(
      new DeleteObjectsCommand({ Bucket, Delete: { Objects } }),
    );
    expect(Deleted?.map(({ Key }) => ({ Key }))).to.deep.equal(Objects);
  });
  it("keeps control characters, blanks and dots of keys apart", async () => {
    const keys = ["\r\n\t", " a ", "../a", "a/../b", "a//b", "%2F", "+"];
    for (const key of keys) await local.put(key, JSON.stringify(key));
    for (const key of keys) expect(await local.read(key)).to.equal(JSON.stringify(key));
    const { Contents } = await local.s3.send(
      new ListObjectsV2Command({ Bucket, EncodingType: "url" }),
    );
    const found = (Contents ?? []).map(({ Key }) => decodeURIComponent(Key ?? ""));
    expect(found).to.have.members(keys);
  });
});
