// P3: events may be lost, doubled, late or out of order, functions may die anywhere, runs may overlap.
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import fc from "fast-check";
import { newOrders, silentUpdates } from "../../localstack/totesys/shop.ts";
import type { ObservedRequest } from "../../localstack/aws/server.ts";
import { STAGES, type StageName } from "../../scripts/bundle.ts";
import { codecNamed } from "../../src/parquet/codec.ts";
import { compareProcessed, type BatchDifference } from "../../src/rebuild/compare-processed.ts";
import { rebuildProcessed } from "../../src/rebuild/processed.ts";
import { getTables } from "../../src/registry.ts";
import { expect } from "../support/chai.ts";
import { Deployed } from "../support/deployed.ts";
import { closeAll, openPipeline, queued, type TestPipeline } from "../support/pipeline.ts";
import { getStack } from "../support/stack.ts";

const dated = { allowExtraDates: true };
let seed = 100;
/** New orders, and old ones changed in silence. */
async function trade({ shop }: TestPipeline): Promise<void> {
  const now = new Date(Date.UTC(2026, 0, 1) + 60_000 * ++seed);
  await newOrders(shop, { seed, now, orders: 3 });
  await silentUpdates(shop, { seed, sales: 2, purchases: 1, designs: 1 });
}

describe("runs that overlap", () => {
  let p: TestPipeline;
  beforeEach(async () => {
    p = await openPipeline({ orders: 15 });
  });
  after(closeAll);

  it("commit one of two ingestions, and the other returns normally", async () => {
    const stack = await getStack();
    // Both have read the source before either may commit.
    let arrived = 0;
    const unhook = stack.aws.onRequest(async ({ operation, bucket, key }) => {
      if (
        operation !== "PutObject" ||
        bucket !== p.env.INGESTION_BUCKET ||
        !key.startsWith("_batches/")
      )
        return;
      arrived++;
      for (let i = 0; arrived < 2 && i < 500; i++) await new Promise((r) => setTimeout(r, 10));
    });
    const both = await Promise.all([p.ingest(), p.ingest()]);
    unhook();
    expect(arrived).to.equal(2);
    expect(both.map(({ outcome }) => outcome)).to.have.members(["committed", "lost the race"]);
    expect(await p.keys("ingestion", "_batches/")).to.deep.equal(["_batches/0000000001.json"]);
    const winner = both.find(({ outcome }) => outcome === "committed")!;
    expect((await p.ingested(1)).run).to.equal(winner.run);
    await p.run();
    await p.expectTrue();
  });

  it("commit one of two transformations of the same batch", async () => {
    await p.ingest();
    const both = await Promise.all([p.transform({}), p.transform({})]);
    const outcomes = both.flatMap(({ batches }) => batches.map(({ outcome }) => outcome));
    expect(outcomes.filter((outcome) => outcome === "committed")).to.have.length(1);
    await p.load();
    await p.expectTrue();
  });

  it("make of many batches at once, each event doubled and none in order, the rows that one at a time makes", async () => {
    const batches = [1, 2, 3, 4, 5, 6];
    for (const _ of batches) {
      await p.ingest();
      await trade(p);
    }
    const events = [5, 2, 6, 2, 1, 4, 3, 6, 5, 1, 3, 4];
    const all = await Promise.all(
      events.map((batch, i) => p.transform(queued(p.env.INGESTION_BUCKET, batch, `m${i}`))),
    );
    expect(all.flatMap(({ batchItemFailures }) => batchItemFailures)).to.deep.equal([]);
    const committed = all
      .flatMap((one) => one.batches)
      .filter(({ outcome }) => outcome === "committed");
    expect(committed.map(({ batch }) => batch)).to.have.members(batches);

    const rebuilt = `${p.env.PROCESSED_BUCKET}-one-at-a-time`;
    await p.s3.send(new CreateBucketCommand({ Bucket: rebuilt }));
    const [tables, codec] = [await getTables(), await codecNamed()];
    const buckets = { ingestion: p.env.INGESTION_BUCKET, processed: rebuilt };
    await rebuildProcessed({ buckets, tables, codec, receipts: new Map() });
    const differences: BatchDifference[] = [];
    const sides = { rebuilt, live: p.env.PROCESSED_BUCKET };
    const compared = await compareProcessed(sides, tables, codec, (one) => differences.push(one));
    expect(compared.batches).to.equal(6);
    expect(differences).to.deep.equal([]);
    await p.run();
    await p.expectTrue(dated);
  });

  it("load each batch once, whichever of two loaders comes first", async () => {
    for (let i = 0; i < 3; i++) {
      await p.ingest();
      await p.transform();
      await trade(p);
    }
    const both = await Promise.all([p.load(), p.load()]);
    expect(both.flatMap(({ batchItemFailures }) => batchItemFailures)).to.deep.equal([]);
    expect(both.flatMap(({ loaded }) => loaded!.map(({ batch }) => batch))).to.have.members([
      1, 2, 3,
    ]);
    await p.run();
    await p.expectTrue(dated);
  });

  it("know their own manifest when the answer to its put was lost", async () => {
    const stack = await getStack();
    let lost = 0;
    const unhook = stack.aws.onRequest(({ operation, bucket, key }) =>
      operation === "PutObject" &&
      bucket === p.env.INGESTION_BUCKET &&
      key.startsWith("_batches/") &&
      lost++ === 0
        ? { reset: true, when: "after" }
        : undefined,
    );
    expect(await p.ingest()).to.include({ outcome: "committed", batch: 1 });
    unhook();
    expect(lost).to.be.greaterThan(1);
  });
});

describe("a put that S3 refuses for another one, which comes to nothing", () => {
  let p: TestPipeline;
  beforeEach(async () => {
    p = await openPipeline({ orders: 15 });
  });
  after(closeAll);

  /** Refuses every put below `prefix` while `work` goes on; gives how many it refused. */
  async function refusing(prefix: string, work: () => Promise<unknown>): Promise<number> {
    const { aws } = await getStack();
    let refused = 0;
    const buckets = [p.env.INGESTION_BUCKET, p.env.PROCESSED_BUCKET];
    const unhook = aws.onRequest(({ operation, bucket, key }) => {
      if (operation !== "PutObject" || !buckets.includes(bucket) || !key.startsWith(prefix))
        return undefined;
      refused++;
      return { status: 409, code: "ConditionalRequestConflict" };
    });
    try {
      await work();
    } finally {
      unhook();
    }
    return refused;
  }

  it("leaves the receipt due, and the next loader puts it", async () => {
    expect(await refusing("_loads/", () => p.run())).to.be.greaterThan(0);
    expect(await p.keys("processed", "_loads/")).to.deep.equal([]);
    await p.load();
    expect(await p.keys("processed", "_loads/")).to.deep.equal(["_loads/0000000001.json"]);
  });

  it("fails the run that has a file to put, and says so", async () => {
    await refusing("sales_order/", async () => {
      await expect(p.ingest()).to.be.rejectedWith(/another put of it is under way; the next run/);
    });
    await p.run();
    await p.expectTrue();
  });
});

describe("events", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 15 });
  });
  after(closeAll);

  it("that are lost at both hops are made good by the next tick", async () => {
    for (let i = 0; i < 3; i++) {
      await p.ingest();
      await trade(p);
    }
    await p.ingest();
    expect((await p.transform()).batches.map(({ batch }) => batch)).to.deep.equal([1, 2, 3, 4]);
    expect((await p.load()).loaded!.map(({ batch }) => batch)).to.deep.equal([1, 2, 3, 4]);
    await p.expectTrue(dated);
  });

  it("that are lost are made good by the next event: its own batch first, then older ones", async () => {
    for (let i = 0; i < 3; i++) {
      await trade(p);
      await p.ingest();
    }
    const { batches } = await p.transform(queued(p.env.INGESTION_BUCKET, 6));
    expect(batches.map(({ batch }) => batch)).to.deep.equal([6, 5]);
    await p.load(queued(p.env.PROCESSED_BUCKET, 5));
    expect((await p.transform()).batches.map(({ batch }) => batch)).to.deep.equal([7]);
    await p.load();
    await p.expectTrue(dated);
  });

  it("of a later batch wait for the earlier one", async () => {
    for (let i = 0; i < 2; i++) {
      await trade(p);
      await p.ingest();
    }
    // As two functions side by side would: the later batch is done first.
    const { newest } = await p.load();
    await p.transform({
      Records: JSON.parse(
        (queued(p.env.INGESTION_BUCKET, newest! + 1) as { Records: { body: string }[] }).Records[0]!
          .body,
      ).Records,
    });
    await p.remove("processed", (await p.keys("processed", "_batches/")).at(-1)!);
    await p.transform(queued(p.env.INGESTION_BUCKET, newest! + 2));
    await p.run();
    await p.expectTrue(dated);
  });

  it("in any order, any number of times, end in the same warehouse", async () => {
    const step = fc.oneof(
      fc.constant({ do: "trade" as const }),
      fc.constant({ do: "ingest" as const }),
      fc.record({ do: fc.constant("transform" as const), back: fc.nat(3) }),
      fc.record({ do: fc.constant("load" as const), back: fc.nat(3) }),
      fc.record({ do: fc.constant("both" as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 10 }), async (steps) => {
        for (const one of steps) {
          const newest = (await p.keys("ingestion", "_batches/")).length;
          if (one.do === "trade") await trade(p);
          if (one.do === "ingest") await p.ingest();
          if (one.do === "transform")
            await p.transform(queued(p.env.INGESTION_BUCKET, Math.max(1, newest - one.back)));
          if (one.do === "load")
            await p.load(queued(p.env.PROCESSED_BUCKET, Math.max(1, newest - one.back)));
          if (one.do === "both")
            await Promise.all([p.ingest(), p.transform(), p.load(), p.ingest(), p.load()]);
        }
        await p.run();
        await p.expectTrue(dated);
      }),
      { numRuns: 8, seed: 20261124 },
    );
  });
});

describe("a function that is killed", () => {
  let p: TestPipeline;
  let deployed: Deployed;
  before(async () => {
    deployed = await Deployed.make(...STAGES);
    p = await openPipeline({ orders: 15 });
    await p.run();
  });
  after(async () => {
    await closeAll();
    await deployed.remove();
  });

  const put = (prefix: string) => (request: ObservedRequest) =>
    request.operation === "PutObject" && request.key.startsWith(prefix);
  const points: [stage: StageName, point: string, at: (request: ObservedRequest) => boolean][] = [
    ["ingestion", "at its first file", put("address/")],
    ["ingestion", "at a later file", put("sales_order/")],
    ["ingestion", "at the manifest", put("_batches/")],
    ["ingestion", "at the hint", put("_hints/")],
    [
      "transformation",
      "while it reads",
      (r) => r.operation === "GetObject" && r.key.startsWith("sales_order/"),
    ],
    ["transformation", "at its first file", put("dim_date/")],
    ["transformation", "at a later file", put("fact_sales_order/")],
    ["transformation", "at the manifest", put("_batches/")],
    [
      "loading",
      "before its transaction",
      (r) => r.operation === "GetObject" && r.key.startsWith("_batches/"),
    ],
    [
      "loading",
      "in its transaction",
      (r) => r.operation === "GetObject" && r.key.startsWith("fact_sales_order/"),
    ],
    ["loading", "after its commit, at the receipt", put("_loads/")],
    ["loading", "at the hint", put("_hints/")],
  ];
  // A put of data that was carried out is the same as one that was not, as long as no manifest names it.
  const afterwards = [
    "at the manifest",
    "at the hint",
    "in its transaction",
    "after its commit, at the receipt",
  ];
  for (const when of ["before", "after"] as const)
    for (const [stage, point, at] of points.filter(
      ([, point]) => when === "before" || afterwards.includes(point),
    ))
      it(`in ${stage}, ${point}, ${when} it is carried out, leaves nothing lost or doubled`, async () => {
        await trade(p);
        await p.shop.none("update address set phone = phone || '1' where address_id = 1");
        if (stage !== "ingestion") await p.ingest();
        if (stage === "loading") await p.transform();

        const child = deployed.start(stage, {
          env: { ...p.env, POWERTOOLS_LOG_LEVEL: "SILENT", POWERTOOLS_METRICS_DISABLED: "true" },
        });
        const { aws } = await getStack();
        let killed = false;
        const mine = (request: ObservedRequest): boolean =>
          !killed &&
          [p.env.INGESTION_BUCKET, p.env.PROCESSED_BUCKET].includes(request.bucket as never) &&
          at(request);
        const unhook =
          when === "before"
            ? aws.onRequest((request) => {
                if (!mine(request)) return undefined;
                killed = true;
                child.kill("SIGKILL");
                return "reset";
              })
            : aws.onAnswer((request) => {
                if (!mine(request)) return;
                killed = true;
                child.kill("SIGKILL");
              });
        await expect(child.invoke({})).to.be.rejectedWith(/Runtime exited/);
        unhook();
        await child.stop();
        expect(killed).to.equal(true);

        await p.run();
        await p.expectTrue(dated);
        const batches = await p.keys("ingestion", "_batches/");
        expect(await p.keys("processed", "_loads/")).to.have.length(batches.length);
      });
});
