// P7: a compaction takes no more memory than its function is given, whatever the rows: as a bundle, by Node 24 alone.
import { fillWithBatches } from "../../bench/small-objects.ts";
import { codecNamed } from "../../src/parquet/codec.ts";
import { getTables } from "../../src/registry.ts";
import { expect } from "../support/chai.ts";
import { Deployed } from "../support/deployed.ts";
import { closeAll, openPipeline } from "../support/pipeline.ts";
import { readCompactionOf } from "./support.ts";

/**
 * Bytes. The function has 1,024 MB on AWS; Node 24 lets some 200 MB more of buffers lie about than Node 20 before it collects.
 * All rows of the larger run, held at once, would take 450 MB by themselves.
 */
const MOST = 640 * 1024 * 1024;
const MEMORY = 1024;

describe("the memory that a compaction takes", () => {
  let deployed: Deployed;
  before(async () => {
    deployed = await Deployed.make("compaction");
  });
  after(async () => {
    await closeAll();
    await deployed.remove();
  });

  async function peakOf(batches: number, rows: number): Promise<number> {
    const p = await openPipeline({ orders: 0 });
    Object.assign(process.env, p.env);
    const table = (await getTables()).find(({ name }) => name === "fact_sales_order")!;
    await fillWithBatches(p.env.PROCESSED_BUCKET, table, await codecNamed(), { batches, rows });
    const started = deployed.start("compaction", {
      env: { ...p.env },
      memoryMb: MEMORY,
      timeoutMs: 200_000,
    });
    try {
      await started.invoke({ to: batches });
      const { objects } = await readCompactionOf(p, batches);
      expect(objects.reduce((sum, one) => sum + one.rows, 0)).to.equal(batches * rows);
      for (const object of objects) expect(object.rows).to.be.at.most(1_000_000);
      return (await started.usage())!.peakRssBytes;
    } finally {
      await started.stop();
    }
  }

  it("is bounded, and does not grow with the batches", async () => {
    // One object, and four.
    for (const batches of [4, 40])
      expect(await peakOf(batches, 100_000), `${batches} batches`).to.be.lessThan(MOST);
  });
});
