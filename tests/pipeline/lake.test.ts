// P4: no object in either bucket is ever overwritten, and what they hold is enough to fill the warehouse again.
import { createHash } from "node:crypto";
import { newOrders } from "../../localstack/totesys/shop.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { getStack } from "../support/stack.ts";

const dated = { allowExtraDates: true };
const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

describe("the lake", () => {
  let p: TestPipeline;
  const writes: string[] = [];
  let unhook: () => void;
  before(async () => {
    p = await openPipeline();
    const { aws } = await getStack();
    unhook = aws.onAnswer(({ operation, bucket, key, status }) => {
      const ours = bucket === p.env.INGESTION_BUCKET || bucket === p.env.PROCESSED_BUCKET;
      if (
        ours &&
        status === 200 &&
        (operation === "PutObject" || operation === "CompleteMultipartUpload")
      )
        writes.push(`${bucket}/${key}`);
    });
    await p.run();
    await newOrders(p.shop, { seed: 1, now: new Date("2026-01-01"), orders: 3 });
    await p.shop.none(
      "update sales_order set agreed_delivery_date = 'soon' where sales_order_id = 1",
    );
    await p.run();
    await p.run();
    await newOrders(p.shop, { seed: 2, now: new Date("2026-01-02"), orders: 3 });
    await p.run();
  });
  after(async () => {
    unhook();
    await closeAll();
  });

  it("gets each object but the hints exactly once", () => {
    const immutable = writes.filter((key) => !key.includes("/_hints/"));
    expect(immutable.length).to.be.greaterThan(30);
    expect(immutable).to.have.length(new Set(immutable).size);
  });

  it("has keys of table, UTC day, batch and run", async () => {
    const day = new Date().toISOString().slice(0, 10).replaceAll("-", "/");
    const [file] = (await p.ingested(2)).objects;
    const { run } = await p.ingested(2);
    expect(file!.key).to.match(new RegExp(`^${file!.table}/${day}/0000000002-${run}\\.json\\.gz$`));
    const processed = await p.processed(2);
    for (const { key, table } of processed.objects)
      expect(key).to.equal(`${table}/${day}/0000000002-${processed.run}.parquet`);
    expect(processed.rejected.map(({ key }) => key)).to.deep.equal([
      `_rejected/fact_sales_order/${day}/0000000002-${processed.run}.json.gz`,
    ]);
  });

  it("has manifests that name every object, with the rows, bytes and hash it has", async () => {
    for (const bucket of ["ingestion", "processed"] as const) {
      const named: string[] = [];
      for (const batch of [1, 2, 3]) {
        const manifest =
          bucket === "ingestion" ? await p.ingested(batch) : await p.processed(batch);
        const rejected = "rejected" in manifest ? manifest.rejected : [];
        for (const { key, bytes, sha256: hash } of [...manifest.objects, ...rejected]) {
          const body = await p.get(bucket, key);
          expect([body.length, sha256(body)], key).to.deep.equal([bytes, hash]);
          named.push(key);
        }
      }
      const data = (await p.keys(bucket)).filter((key) => !/^_(batches|loads|hints)\//.test(key));
      expect(named).to.have.members(data);
    }
  });

  it("chains its manifests by their hashes, each one line of JSON", async () => {
    let previous: string | null = null;
    for (const batch of [1, 2, 3]) {
      const bytes = await p.get("ingestion", `_batches/000000000${batch}.json`);
      expect(bytes.toString().trimEnd()).to.not.contain("\n");
      const manifest = await p.ingested(batch);
      expect(manifest.previous_sha256).to.equal(previous);
      expect(manifest).to.include.keys(
        "system_identifier",
        "snapshot",
        "fence",
        "started_at",
        "committed_at",
        "fingerprints",
        "run",
        "cursor",
      );
      expect(manifest.cursor).to.equal(null);
      const made = await p.processed(batch);
      const times = [manifest, made].flatMap((of) => [of.started_at!, of.committed_at]);
      expect(times).to.deep.equal(times.toSorted());
      expect((await p.processed(batch)).ingestion_sha256).to.equal(sha256(bytes));
      previous = sha256(bytes);
    }
    expect(await p.keys("ingestion", "_batches/")).to.have.length(3);
  });

  it("has a receipt of each batch, which says what it did", async () => {
    const receipt = JSON.parse((await p.get("processed", "_loads/0000000002.json")).toString());
    expect(receipt).to.deep.include({ batch: 2, kind: "changes", rejected: 1 });
    expect(receipt.tables.fact_payment).to.deep.equal({ rows: 3, changed: 3 });
    expect(receipt.loaded_at).to.be.a("string");
  });

  const hints: [string, string | undefined][] = [
    ["deleted", undefined],
    ["too far ahead", '{"batch":999}'],
    ["too far back", '{"batch":1}'],
    ["nonsense", "<html>"],
    ["negative", '{"batch":-3}'],
  ];
  for (const [state, text] of hints)
    it(`needs no hint: with all of them ${state} nothing changes`, async () => {
      for (const [bucket, key] of [
        ["ingestion", "_hints/newest.json"],
        ["processed", "_hints/loaded.json"],
      ] as const)
        if (text === undefined) await p.remove(bucket, key);
        else await p.put(bucket, key, text);
      const before = (await p.keys("ingestion", "_batches/")).length;
      await newOrders(p.shop, { seed: before, now: new Date("2026-02-01"), orders: 2 });
      expect((await p.ingest()).batch).to.equal(before + 1);
      await p.transform();
      await p.load();
      await p.expectTrue({ ...dated, allowQuarantined: true });
    });

  it("does not list its whole history to find the newest batch, nor what is undone", async () => {
    const { aws } = await getStack();
    await p.run();
    const asked: string[] = [];
    const stop = aws.onAnswer(({ operation, bucket, key }) => {
      if (bucket === p.env.INGESTION_BUCKET || bucket === p.env.PROCESSED_BUCKET)
        asked.push(`${operation} ${key}`);
    });
    await p.transform();
    const idle = asked.length;
    stop();
    expect(idle).to.be.at.most(3);
  });

  it("fills an emptied warehouse again: the same rows, versions and record ids", async () => {
    const tables = ["dim_date", "dim_staff", "dim_transaction", "fact_sales_order", "fact_payment"];
    const read = async () =>
      Promise.all(tables.map((table) => p.star.any("select * from $1:name order by 1", [table])));
    const before = await read();
    const receipts = await p.get("processed", "_loads/0000000001.json");
    await p.star.none("drop schema public cascade; drop schema etl cascade; create schema public");
    const { loaded } = await p.load();
    expect(loaded!.length).to.equal((await p.keys("processed", "_batches/")).length);
    expect(await read()).to.deep.equal(before);
    expect(await p.get("processed", "_loads/0000000001.json")).to.deep.equal(receipts);
  });

  it("makes a batch's rows again, the same, when its processed manifest never came to be", async () => {
    const rowsOf = async () => p.star.any("select * from fact_payment order by 1");
    const before = await rowsOf();
    await p.remove("processed", "_batches/0000000003.json");
    await p.remove("processed", "_hints/loaded.json");
    await p.transform();
    await p.star.none("drop schema public cascade; drop schema etl cascade; create schema public");
    await p.load();
    expect(await rowsOf()).to.deep.equal(before);
  });
});
