// P4: the processed bucket made again from the ingestion bucket alone; and the warehouse from that.
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { gzipSync } from "node:zlib";
import { useFakeTimers } from "sinon";
import { manifestKey } from "../../src/lake/keys.ts";
import { sha256, type ProcessedManifest } from "../../src/lake/manifest.ts";
import { codecNamed } from "../../src/parquet/codec.ts";
import { fileColumns } from "../../src/parquet/schema.ts";
import { compareProcessed, type BatchDifference } from "../../src/rebuild/compare-processed.ts";
import { compareWarehouses, type RowDifference } from "../../src/rebuild/compare-warehouses.ts";
import { claim } from "../../src/rebuild/place.ts";
import { rebuildProcessed, type IngestionLake } from "../../src/rebuild/processed.ts";
import { readReceipts } from "../../src/rebuild/receipts.ts";
import { loadAgain } from "../../src/rebuild/warehouse.ts";
import { stateOf } from "../support/attack.ts";
import { expect } from "../support/chai.ts";
import { closeAll, type TestPipeline } from "../support/pipeline.ts";
import { getStack } from "../support/stack.ts";
import { makeHistory, openLive, openRebuilt, type History } from "./history.ts";

describe("a processed bucket that is made again", () => {
  let history: History;
  let p: TestPipeline;
  let lake: Omit<IngestionLake, "buckets">;
  before(async () => {
    history = await makeHistory();
    p = history.p;
    lake = {
      tables: history.tables,
      codec: await codecNamed(),
      receipts: await readReceipts(p.env.PROCESSED_BUCKET),
    };
  });
  after(closeAll);

  const newBucket = async (name: string): Promise<string> => {
    const bucket = `${p.env.PROCESSED_BUCKET}-${name}`;
    await p.s3.send(new CreateBucketCommand({ Bucket: bucket }));
    return bucket;
  };
  const remake = (processed: string, by = lake) =>
    rebuildProcessed({ ...by, buckets: { ingestion: p.env.INGESTION_BUCKET, processed } });
  const compare = async (rebuilt: string) => {
    const found: BatchDifference[] = [];
    const sides = { rebuilt, live: p.env.PROCESSED_BUCKET };
    const compared = await compareProcessed(sides, lake.tables, lake.codec, (one) =>
      found.push(one),
    );
    return { ...compared, found };
  };
  const read = async (Bucket: string, Key: string): Promise<Buffer> => {
    const { Body } = await p.s3.send(new GetObjectCommand({ Bucket, Key }));
    return Buffer.from(await Body!.transformToByteArray());
  };

  it("has the rows that it had, but for what earlier modules made, and both buckets are as they were", async () => {
    const before = await stateOf(p);
    const bucket = await newBucket("again");
    expect(await remake(bucket)).to.deep.equal({
      newest: history.newest,
      before: 0,
      skipped: [{ batch: history.skipped, why: "its object is gone" }],
    });
    const { batches, rows, earlier, found } = await compare(bucket);
    expect(found).to.deep.equal([]);
    expect(batches).to.equal(history.newest - 1);
    expect(rows["fact_sales_order"]).to.be.greaterThan(60);
    expect(Object.keys(earlier)).to.deep.equal(["fact_design_use"]);
    expect(earlier["fact_design_use"]).to.be.greaterThan(3);
    expect(await stateOf(p)).to.deep.equal(before);
    const { Contents = [] } = await p.s3.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: "_loads/" }),
    );
    expect(Contents).to.have.length(1);
    expect(JSON.parse((await read(bucket, Contents[0]!.Key!)).toString())).to.deep.equal({
      batch: history.skipped,
      skipped_why: "its object is gone",
    });
  });

  it("makes the warehouse that there is, but for the rows that an earlier module made", async () => {
    const bucket = await newBucket("both");
    await remake(bucket);
    const rebuilt = await openRebuilt(p, "both");
    const live = await openLive(p);
    const found: RowDifference[] = [];
    try {
      const from = { ...lake, bucket, receipts: await readReceipts(bucket) };
      await claim(rebuilt, from, false);
      await loadAgain(rebuilt, from, history.newest);
      await compareWarehouses(rebuilt, live, lake.tables, (one) => found.push(one));
    } finally {
      await rebuilt.close();
      await live.close();
    }
    expect(found.filter(({ table }) => table !== "fact_design_use")).to.deep.equal([]);
  });

  it("goes on where an attempt was cut off, and says so", async () => {
    const bucket = await newBucket("cut");
    const stack = await getStack();
    let puts = 0;
    const unhook = stack.aws.onRequest((request) =>
      request.operation === "PutObject" && request.bucket === bucket && ++puts > 30
        ? { status: 403, code: "AccessDenied" }
        : undefined,
    );
    try {
      await expect(remake(bucket)).to.be.rejectedWith(/AccessDenied/);
    } finally {
      unhook();
    }
    const { before, newest } = await remake(bucket);
    expect(before).to.be.greaterThan(0);
    expect(newest).to.equal(history.newest);
    expect(await compare(bucket)).to.deep.include({ batches: newest - 1, found: [] });
    // And nothing is left to do.
    expect(await remake(bucket)).to.include({ before: newest - 1 });
  });

  it("is refused a bucket that is a pipeline's, another lake's or other modules', with advice", async () => {
    await expect(remake(p.env.PROCESSED_BUCKET)).to.be.rejectedWith(
      `${p.env.PROCESSED_BUCKET} is a pipeline's (it has _loads/0000000001.json): a rebuild wants an empty bucket`,
    );
    const bucket = await newBucket("refused");
    await remake(bucket);
    await expect(remake(bucket, { ...lake, tables: lake.tables.slice(0, -1) })).to.be.rejectedWith(
      / has a batch 1 that other modules made for \w+: a rebuild wants an empty/,
    );
    const bytes = await p.get("ingestion", manifestKey(history.newest));
    await p.remove("ingestion", manifestKey(history.newest));
    try {
      await expect(remake(bucket)).to.be.rejectedWith(
        `${bucket} has a batch ${history.newest} that was made from another lake`,
      );
    } finally {
      await p.put("ingestion", manifestKey(history.newest), bytes);
    }
  });

  it("names the batch that the ingestion bucket lacks, and the object that is not what was committed", async () => {
    const bucket = await newBucket("holey");
    const damaged = async (key: string, body: Buffer | undefined, message: string) => {
      const bytes = await p.get("ingestion", key);
      if (body) await p.put("ingestion", key, body);
      else await p.remove("ingestion", key);
      try {
        await expect(remake(bucket)).to.be.rejectedWith(message);
      } finally {
        await p.put("ingestion", key, bytes);
      }
    };
    await damaged(manifestKey(3), undefined, `${manifestKey(3)} is not there`);
    const { objects } = await p.ingested(5);
    await damaged(
      objects[0]!.key,
      undefined,
      `${objects[0]!.key} is gone, though a manifest names`,
    );
    await damaged(
      objects[0]!.key,
      Buffer.from("?"),
      `${objects[0]!.key} is not what was committed`,
    );
  });

  describe("that differs", () => {
    /** What is compared when batch 1 of the bucket that was is forged, its manifest along. */
    async function withForged(
      forge: (manifest: ProcessedManifest) => Promise<ProcessedManifest>,
    ): Promise<BatchDifference[]> {
      const bucket = `${p.env.PROCESSED_BUCKET}-again`;
      const bytes = await p.get("processed", manifestKey(1));
      const forged = await forge(JSON.parse(bytes.toString()) as ProcessedManifest);
      await p.put("processed", manifestKey(1), JSON.stringify(forged));
      try {
        return (await compare(bucket)).found;
      } finally {
        await p.put("processed", manifestKey(1), bytes);
      }
    }
    const put = async (key: string, bytes: Buffer) => {
      await p.put("processed", key, bytes);
      return { key, bytes: bytes.length, sha256: sha256(bytes) };
    };

    it("is told by batch, table, key and column, whatever the order of the rows", async () => {
      const table = history.tables.find(({ name }) => name === "dim_currency")!;
      const columns = fileColumns(table.columns);
      const found = await withForged(async (manifest) => {
        const object = manifest.objects.find((one) => one.table === "dim_currency")!;
        const vectors = await lake.codec.read(await p.get("processed", object.key), columns);
        const count = object.rows;
        const ids = vectors[0]!.values as Int32Array;
        expect([...ids]).to.deep.equal([1, 2, 3]);
        // 3, 1, 77: turned about, without 2, with one more, and a name that is another.
        const names = vectors[2]!.values as string[];
        const made = await lake.codec.write(columns, [
          { layout: "int32", values: Int32Array.of(3, 1, 77), nulls: undefined },
          {
            layout: "text",
            values: [2, 0, 0].map((at) => (vectors[1]!.values as string[])[at]!),
            nulls: undefined,
          },
          { layout: "text", values: [names[2]!, "Groat", names[0]!], nulls: undefined },
          vectors[3]!,
        ]);
        const one = { ...object, ...(await put("dim_currency/forged.parquet", made)), rows: count };
        return {
          ...manifest,
          objects: manifest.objects.map((other) => (other === object ? one : other)),
        };
      });
      expect(found).to.have.deep.members([
        { batch: 1, table: "dim_currency", key: { currency_id: "2" }, kind: "extra" },
        { batch: 1, table: "dim_currency", key: { currency_id: "77" }, kind: "missing" },
        {
          batch: 1,
          table: "dim_currency",
          key: { currency_id: "1" },
          kind: "different",
          column: "currency_name",
          rebuilt: "Pound Sterling",
          live: "Groat",
        },
      ]);
    });

    it("in what it has in quarantine is told", async () => {
      const row = { table: "dim_staff", key: 4, reason: "none", row: {} };
      const found = await withForged(async (manifest) => {
        const bytes = gzipSync(`${JSON.stringify(row)}\n`);
        const object = await put("_rejected/dim_staff/forged.json.gz", bytes);
        return {
          ...manifest,
          rejected: [{ table: "dim_staff", rows: 1, ...object }],
          rejected_rows: 1,
        };
      });
      expect(found).to.deep.equal([
        {
          batch: 1,
          table: "dim_staff",
          key: { key: "4" },
          kind: "missing",
          column: "_rejected",
          rebuilt: null,
          live: JSON.stringify(row),
        },
      ]);
    });

    it("in the rows that no star row tells of is told", async () => {
      const found = await withForged(async (manifest) => {
        const bytes = gzipSync('{"staff_id":4}\n');
        const object = await put("_driven/staff/forged.json.gz", bytes);
        return { ...manifest, driven: [{ table: "staff", rows: 1, ...object }] };
      });
      expect(found).to.deep.equal([
        {
          batch: 1,
          table: "staff",
          key: { staff_id: "4" },
          kind: "missing",
          column: "_driven",
          rebuilt: null,
          live: '{"staff_id":4}',
        },
      ]);
    });

    for (const [side, kind] of [
      ["the one that was", "extra"],
      ["the one that was made", "missing"],
    ] as const)
      it(`by a batch that ${side} lacks is told, though all others are the same`, async () => {
        const bucket = `${p.env.PROCESSED_BUCKET}-again`;
        const Bucket = kind === "extra" ? p.env.PROCESSED_BUCKET : bucket;
        const Key = manifestKey(3);
        const Body = await read(Bucket, Key);
        await p.s3.send(new DeleteObjectCommand({ Bucket, Key }));
        try {
          expect((await compare(bucket)).found).to.deep.equal([
            { batch: 3, table: "_batches", key: { batch: "3" }, kind },
          ]);
        } finally {
          await p.s3.send(new PutObjectCommand({ Bucket, Key, Body }));
        }
      });

    it("by an object that is gone or altered names that", async () => {
      const { objects } = await p.processed(1);
      const bytes = await p.get("processed", objects[0]!.key);
      await p.remove("processed", objects[0]!.key);
      try {
        await expect(compare(`${p.env.PROCESSED_BUCKET}-again`)).to.be.rejectedWith(
          `${objects[0]!.key} is gone, though a manifest names it`,
        );
      } finally {
        await p.put("processed", objects[0]!.key, bytes);
      }
    });
  });

  it("is filed under the days on which its batches were read", async () => {
    const bucket = await newBucket("later");
    const clock = useFakeTimers({ now: Date.now() + 3 * 86_400_000, toFake: ["Date"] });
    try {
      await remake(bucket);
    } finally {
      clock.restore();
    }
    const { Contents = [] } = await p.s3.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: "dim_staff/" }),
    );
    const { committed_at } = await p.ingested(history.newest);
    const day = committed_at.slice(0, 10).replaceAll("-", "/");
    expect(Contents.map(({ Key }) => Key!.slice(0, 20))).to.include(`dim_staff/${day}`);
  });
});
