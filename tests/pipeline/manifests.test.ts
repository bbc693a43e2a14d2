// Manifests one by one, as the stages write and read them: on a real bucket, without a pipeline that runs.
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { createHash } from "node:crypto";
import {
  checkChain,
  checkPredecessor,
  commitManifest,
  getLastUpload,
  listBatches,
  ManifestError,
  readChained,
  readHint,
  readIngestionManifest,
  readNewest,
  readProcessedManifest,
  sha256,
  writeHint,
  type IngestionManifest,
  type ProcessedManifest,
} from "../../src/lake/manifest.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { getStack } from "../support/stack.ts";

const A = "a".repeat(64);
const B = "b".repeat(64);
const RESTORE = "restore the version of the object that was written first (the bucket keeps them)";
const object = { table: "staff", key: "staff/1", rows: 2, bytes: 3, sha256: A };

const ingestion = (change: object = {}) =>
  ({
    batch: 1,
    run: "r1",
    kind: "changes",
    previous_sha256: null,
    committed_at: "2026-01-01T00:00:00Z",
    build: 7,
    system_identifier: "7",
    database_oid: "8",
    timeline: "1",
    server_started_at: "2026-01-01",
    snapshot: "1:1:",
    fence: "1",
    since: null,
    high_water: { visit: "2026-01-01" },
    cursor: {
      table: "staff",
      after: { staff_id: "1", part: null },
      key: '"staff_id" integer',
      next: ["visit"],
      whole: ["staff"],
      marks: { visit: "2026-01-01" },
    },
    fingerprints: { dim_staff: "1.2" },
    objects: [{ ...object, driving_rows: 1 }],
    ...change,
  }) as Partial<IngestionManifest> as IngestionManifest;
const processed = (change: object = {}) =>
  ({
    batch: 1,
    run: "r1",
    kind: "resync",
    previous_sha256: B,
    committed_at: "2026-01-01T00:00:00Z",
    build: 7,
    ingestion_sha256: A,
    ingested_at: "2026-01-01T00:00:00Z",
    fingerprints: { dim_staff: "1.2" },
    objects: [object],
    rejected: [object],
    rejected_rows: 1,
    ...change,
  }) as Partial<ProcessedManifest> as ProcessedManifest;

describe("a manifest", () => {
  let p: TestPipeline;
  /** Of each test's own: what a process has seen of a bucket, it remembers. */
  let bucket: string;
  let buckets = 0;
  before(async () => {
    p = await openPipeline({ orders: 0 });
    Object.assign(process.env, p.env);
  });
  after(closeAll);
  beforeEach(async () => {
    bucket = `lake-${process.pid}-${++buckets}`;
    await p.s3.send(new CreateBucketCommand({ Bucket: bucket }));
  });

  const keyOf = (batch: number): string => `_batches/${String(batch).padStart(10, "0")}.json`;
  const putText = async (key: string, text: string): Promise<void> => {
    await p.s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: text }));
  };
  const put = (batch: number, manifest: object): Promise<void> =>
    putText(keyOf(batch), JSON.stringify(manifest));
  const get = async (key: string): Promise<string> => {
    const { Body } = await p.s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return Body!.transformToString();
  };
  const contentType = async (key: string): Promise<string | undefined> =>
    (await p.s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key }))).ContentType;
  const remove = async (batch: number): Promise<void> => {
    await p.s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: keyOf(batch) }));
  };

  it("is committed as one line of JSON, and read back with the hash of its bytes", async () => {
    const committed = await commitManifest(bucket, ingestion());
    const text = await get("_batches/0000000001.json");
    expect(await contentType("_batches/0000000001.json")).to.equal("application/json");
    expect(text).to.equal(`${JSON.stringify(ingestion())}\n`);
    const hash = createHash("sha256").update(text).digest("hex");
    expect(sha256(Buffer.from(text))).to.equal(hash);
    expect(committed).to.deep.equal({ manifest: ingestion(), sha256: hash });
    const found = (await readIngestionManifest(bucket, 1))!;
    expect(found.manifest).to.deep.include(ingestion());
    expect(found.sha256).to.equal(hash);
    await commitManifest(bucket, processed({ batch: 2 }));
    expect((await readProcessedManifest(bucket, 2))!.manifest).to.deep.include(
      processed({ batch: 2 }),
    );
  });

  it("is committed once: whoever comes later with another has lost, and who comes with the same has not", async () => {
    const first = await commitManifest(bucket, ingestion());
    expect(await commitManifest(bucket, ingestion({ run: "r2" }))).to.equal(undefined);
    expect(await commitManifest(bucket, ingestion())).to.deep.equal(first);
    expect((await readIngestionManifest(bucket, 1))!.manifest.run).to.equal("r1");
  });

  it("that is not there is undefined", async () => {
    expect(await readIngestionManifest(bucket, 1)).to.equal(undefined);
    expect(await readProcessedManifest(bucket, 1)).to.equal(undefined);
  });

  it("of before there were builds and fingerprints is read without", async () => {
    const { build: _, ...old } = ingestion();
    await put(1, old);
    expect((await readIngestionManifest(bucket, 1))!.manifest.build).to.equal(0);
    const { fingerprints: __, ...older } = processed({ batch: 2 });
    await put(2, older);
    expect((await readProcessedManifest(bucket, 2))!.manifest.fingerprints).to.deep.equal({});
  });

  const kinds = ["changes", "backfill", "resync"];
  for (const kind of kinds)
    it(`may be of kind ${kind}`, async () => {
      await put(1, ingestion({ kind, cursor: null, since: "1" }));
      expect((await readIngestionManifest(bucket, 1))!.manifest).to.deep.include({ kind });
    });

  const { cursor } = ingestion();
  const driven = { ...object, driving_rows: 1 };
  const wrong: [field: string, value: object][] = [
    ["batch", { batch: "1" }],
    ["batch", { batch: 0 }],
    ["batch", { batch: 1.5 }],
    ["run", { run: 1 }],
    ["kind", { kind: "all" }],
    ["previous_sha256", { previous_sha256: "x" }],
    ["previous_sha256", { previous_sha256: `${A}a` }],
    ["previous_sha256", { previous_sha256: `x${A}` }],
    ["committed_at", { committed_at: null }],
    ["build", { build: -1 }],
    ["build", { build: 1.5 }],
    ["system_identifier", { system_identifier: 7 }],
    ["database_oid", { database_oid: 7 }],
    ["timeline", { timeline: 7 }],
    ["server_started_at", { server_started_at: 7 }],
    ["snapshot", { snapshot: 7 }],
    ["fence", { fence: 7 }],
    ["since", { since: 7 }],
    ["high_water.visit", { high_water: { visit: 7 } }],
    ["cursor.table", { cursor: { ...cursor, table: 7 } }],
    ["cursor.after.staff_id", { cursor: { ...cursor, after: { staff_id: 7 } } }],
    ["cursor.key", { cursor: { ...cursor, key: 7 } }],
    ["cursor.next.0", { cursor: { ...cursor, next: [7] } }],
    ["cursor.whole.0", { cursor: { ...cursor, whole: [7] } }],
    ["cursor.marks.visit", { cursor: { ...cursor, marks: { visit: 7 } } }],
    ["fingerprints.dim_staff", { fingerprints: { dim_staff: 7 } }],
    ["objects.0.table", { objects: [{ ...driven, table: 7 }] }],
    ["objects.0.key", { objects: [{ ...driven, key: 7 }] }],
    ["objects.0.rows", { objects: [{ ...driven, rows: -1 }] }],
    ["objects.0.bytes", { objects: [{ ...driven, bytes: 1.5 }] }],
    ["objects.0.sha256", { objects: [{ ...driven, sha256: A.toUpperCase() }] }],
    ["objects.0.driving_rows", { objects: [{ ...driven, driving_rows: "1" }] }],
  ];
  it("with anything else in a field is refused by the field's name", async () => {
    for (const [field, change] of wrong) {
      await put(1, ingestion(change));
      await expect(readIngestionManifest(bucket, 1), JSON.stringify(change)).to.be.rejectedWith(
        ManifestError,
        new RegExp(`^s3://${bucket}/_batches/0000000001\\.json: ${field}: .*; restore the version`),
      );
    }
  });

  it("of the processed bucket with anything else in a field is refused by the field's name", async () => {
    for (const [field, change] of [
      ["ingestion_sha256", { ingestion_sha256: null }],
      ["ingested_at", { ingested_at: 7 }],
      ["fingerprints.dim_staff", { fingerprints: { dim_staff: 7 } }],
      ["objects.0.rows", { objects: [{ ...object, rows: -1 }] }],
      ["rejected.0.rows", { rejected: [{ ...object, rows: -1 }] }],
      ["rejected_rows", { rejected_rows: -1 }],
    ] as const) {
      await put(1, processed(change));
      await expect(readProcessedManifest(bucket, 1), field).to.be.rejectedWith(
        ManifestError,
        `: ${field}: `,
      );
    }
  });

  it("that is no JSON, no object or another batch's is refused by name", async () => {
    const where = `s3://${bucket}/_batches/0000000001.json`;
    for (const [text, message] of [
      ["{", `${where} is not JSON; ${RESTORE}`],
      ["7", `${where}: manifest: Invalid type: Expected Object but received 7; ${RESTORE}`],
      [JSON.stringify(ingestion({ batch: 2 })), `${where} says that it is batch 2; ${RESTORE}`],
    ] as const) {
      await putText(keyOf(1), text);
      const error = await readIngestionManifest(bucket, 1).catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(ManifestError);
      expect((error as Error).cause instanceof SyntaxError).to.equal(text === "{");
      expect(String(error)).to.equal(`ManifestError: ${message}`);
    }
  });

  describe("in the chain", () => {
    const second = async (previous: string | null): Promise<IngestionManifest> => {
      const manifest = ingestion({ batch: 2, previous_sha256: previous });
      await put(2, manifest);
      return manifest;
    };

    it("is read with its hash, the first and one that follows", async () => {
      const first = (await commitManifest(bucket, ingestion()))!;
      const manifest = await second(first.sha256);
      expect((await readChained(bucket, 1)).sha256).to.equal(first.sha256);
      expect((await readChained(bucket, 2)).manifest).to.deep.include(manifest);
      await checkPredecessor(bucket, manifest);
      await checkPredecessor(bucket, first.manifest);
    });

    it("is refused where the one before is another, or there is none that it names", async () => {
      const first = (await commitManifest(bucket, ingestion()))!;
      const manifest = await second(A);
      const message =
        `the chain of manifests is broken at batch 2 (${bucket}): it was made after a batch 1 with SHA-256 ` +
        `${A}, found ${first.sha256}; ${RESTORE}`;
      await expect(readChained(bucket, 2)).to.be.rejectedWith(ManifestError, message);
      await expect(checkPredecessor(bucket, manifest)).to.be.rejectedWith(ManifestError, message);
      await put(1, ingestion({ previous_sha256: B }));
      await expect(readChained(bucket, 1)).to.be.rejectedWith(
        ManifestError,
        `broken at batch 1 (${bucket}): it was made after a batch 0 with SHA-256 ${B}, found null`,
      );
      checkChain("here", 3, A, A);
      checkChain("here", 1, null, null);
      expect(() => checkChain("here", 3, null, A)).to.throw(ManifestError, "batch 3 (here)");
    });

    it("is refused where the one before is gone; what is wrong with itself is said first", async () => {
      const manifest = await second(A);
      const message = `the chain of manifests is broken: s3://${bucket}/_batches/0000000001.json is gone; ${RESTORE}`;
      await expect(readChained(bucket, 2)).to.be.rejectedWith(ManifestError, message);
      await expect(checkPredecessor(bucket, manifest)).to.be.rejectedWith(ManifestError, message);
      await expect(readChained(bucket, 3)).to.be.rejectedWith(
        ManifestError,
        `s3://${bucket}/_batches/0000000003.json is not there; ${RESTORE}`,
      );
    });
  });

  describe("that is the newest", () => {
    const three = async (): Promise<void> => {
      for (const batch of [1, 2, 3]) await put(batch, ingestion({ batch }));
      await putText("_batches/readme.txt", "not a manifest");
    };

    it("is found among those that are listed in order, after a number", async () => {
      await three();
      expect(await listBatches(bucket, 0)).to.deep.equal([1, 2, 3]);
      expect(await listBatches(bucket, 1)).to.deep.equal([2, 3]);
      expect(await listBatches(bucket, 3)).to.deep.equal([]);
    });

    it("is read from any batch on, itself too", async () => {
      await three();
      await put(4, ingestion({ batch: 4 }));
      for (const batch of [1, 4])
        expect((await readNewest(bucket, batch, readIngestionManifest)).batch).to.equal(4);
      await expect(readNewest(bucket, 5, readIngestionManifest)).to.be.rejectedWith(
        ManifestError,
        `s3://${bucket}/_batches/0000000005.json is not there; ${RESTORE}`,
      );
    });

    it("of an empty bucket is none, and the first of all is found then", async () => {
      expect(await getLastUpload(bucket)).to.equal(undefined);
      await put(1, ingestion());
      expect((await getLastUpload(bucket))!.manifest.batch).to.equal(1);
    });

    it("is found by one listing where the hint is right, by two where it is wrong", async () => {
      const { aws } = await getStack();
      const listings = async (hint: number): Promise<number> => {
        await writeHint(bucket, "_hints/newest.json", hint);
        let asked = 0;
        const stop = aws.onAnswer(({ operation }) => void (asked += +operation.startsWith("List")));
        await getLastUpload(bucket);
        stop();
        return asked;
      };
      await three();
      expect(await listings(7)).to.equal(2);
      expect(await listings(3)).to.equal(1); // of what this process has seen by now
    });

    for (const [what, hint] of [
      ["that is right", '{"batch":3}\n'],
      ["that is old", '{"batch":1}'],
      ["of a batch that is not there", '{"batch":9}'],
      ["that is no hint", "3"],
      ["that is none of ours", '{"batch":3,"of":"them"}'],
    ] as const)
      it(`is found with a hint ${what}, and again after it`, async () => {
        await three();
        await putText("_hints/newest.json", hint);
        expect((await getLastUpload(bucket))!.manifest.batch).to.equal(3);
        await put(4, ingestion({ batch: 4 }));
        expect((await getLastUpload(bucket))!.manifest.batch).to.equal(4);
        // The bucket was emptied, and filled anew.
        for (const batch of [2, 3, 4]) await remove(batch);
        expect((await getLastUpload(bucket))!.manifest.batch).to.equal(1);
      });
  });

  it("is hinted at by its number alone", async () => {
    await writeHint(bucket, "_hints/newest.json", 42);
    expect(await get("_hints/newest.json")).to.equal('{"batch":42}');
    expect(await readHint(bucket, "_hints/newest.json")).to.equal(42);
    expect(await readHint(bucket, "_hints/loaded.json")).to.equal(0);
    await putText("_hints/newest.json", '{"batch":42}\n');
    expect(await readHint(bucket, "_hints/newest.json")).to.equal(42);
    for (const text of [
      'x{"batch":42}',
      '{"batch":42}x',
      '{"batch":12345678901}',
      '{"batch":-1}',
    ]) {
      await putText("_hints/newest.json", text);
      expect(await readHint(bucket, "_hints/newest.json"), text).to.equal(0);
    }
  });
});
