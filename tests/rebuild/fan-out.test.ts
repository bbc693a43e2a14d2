// One batch made again by its function, as a child of the fan-out calls it. The whole of it, deployed: tests/deploy/.
import { CreateBucketCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { codecNamed } from "../../src/parquet/codec.ts";
import { handler } from "../../src/handlers/retransformation.ts";
import { compareProcessed } from "../../src/rebuild/compare-processed.ts";
import { fanOut } from "../../src/rebuild/fan-out.ts";
import { modulesOf } from "../../src/rebuild/processed.ts";
import { getTables } from "../../src/registry.ts";
import { withEnvironment } from "../support/environment.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";

describe("the function retransformation", () => {
  let p: TestPipeline;
  let bucket: string;
  before(async () => {
    p = await openPipeline({ orders: 10 });
    await p.run();
    await p.shop.none("update staff set first_name = 'Ada' where staff_id = 1");
    await p.run();
    bucket = `${p.env.PROCESSED_BUCKET}-again`;
    await p.s3.send(new CreateBucketCommand({ Bucket: bucket }));
  });
  after(closeAll);
  const within = <T>(work: () => Promise<T>): Promise<T> =>
    withEnvironment({ ...p.env, PROCESSED_BUCKET: bucket }, work);
  const call = (event: unknown) => within(() => handler(event));

  it("makes the one batch that it is asked for, whichever comes first, and the same rows", async () => {
    const tables = await getTables();
    expect(await call({ batch: 2, modules: modulesOf(tables) })).to.include({
      batch: 2,
      outcome: "committed",
    });
    expect(await call({ batch: 2 })).to.include({ outcome: "done already" });
    const all = await within(() => Promise.all([1, 1, 1].map((batch) => handler({ batch }))));
    expect(all.filter(({ outcome }) => outcome === "committed")).to.have.length(1);
    const sides = { rebuilt: bucket, live: p.env.PROCESSED_BUCKET };
    const differences: unknown[] = [];
    const compared = await compareProcessed(sides, tables, await codecNamed(), (one) =>
      differences.push(one),
    );
    expect([compared.batches, differences]).to.deep.equal([2, []]);
  });

  it("refuses an event that names no batch, and one of other table modules, and a batch that is not there", async () => {
    for (const event of [undefined, {}, { batch: "1" }, { batch: 0 }, { batch: 1.5 }])
      await expect(call(event)).to.be.rejectedWith('say which batch: { "batch": 42 }');
    await expect(call({ batch: 1, modules: "others" })).to.be.rejectedWith(
      /this function was deployed with other table modules than the rebuild was started with/,
    );
    await expect(call({ batch: 3 })).to.be.rejectedWith(/_batches\/0000000003\.json is gone/);
    const { Contents = [] } = await p.s3.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: "_batches/" }),
    );
    expect(Contents).to.have.length(2);
  });
});

describe("what says which table modules there are", () => {
  it("differs where a column or a version does", async () => {
    const [first, ...others] = await getTables();
    const one = modulesOf([first!, ...others]);
    expect(one).to.match(/^[0-9a-f]{64}$/);
    expect(modulesOf([{ ...first!, version: 2 }, ...others])).to.not.equal(one);
    expect(modulesOf([first!, ...others.map((table) => ({ ...table }))])).to.equal(one);
  });
});

describe("a fan-out of no batches", () => {
  it("starts nothing", () =>
    fanOut({ bucket: "none", functionName: "none", stateMachineArn: "none" }, "")([], () => {
      throw new Error("nothing is made");
    }));
});
