// P7: a compaction takes no more memory than its function is given, whatever the rows: as a bundle, by Node 24 alone.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fillWithBatches } from "../../bench/small-objects.ts";
import { startFunction } from "../../localstack/functions.ts";
import { bundleFunction, bundleModule } from "../../scripts/bundle.ts";
import { getNode24 } from "../../scripts/node24.ts";
import { codecNamed } from "../../src/parquet/codec.ts";
import { getTables } from "../../src/registry.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline } from "../support/pipeline.ts";
import { readCompactionOf } from "./support.ts";

/**
 * Bytes. The function has 1,024 MB on AWS; Node 24 lets some 200 MB more of buffers lie about than Node 20 before it collects.
 * All rows of the larger run, held at once, would take 450 MB by themselves.
 */
const MOST = 640 * 1024 * 1024;
const MEMORY = 1024;

describe("the memory that a compaction takes", () => {
  let folder: string;
  let node: string;
  before(async () => {
    node = getNode24();
    folder = await mkdtemp(path.join(tmpdir(), "totes-compaction-"));
    await bundleFunction("compaction", { folder });
    await bundleModule("localstack/function-worker.ts", path.join(folder, "worker.mjs"));
  });
  after(async () => {
    await closeAll();
    await rm(folder, { recursive: true, force: true });
  });

  async function peakOf(batches: number, rows: number): Promise<number> {
    const p = await openPipeline({ orders: 0 });
    Object.assign(process.env, p.env);
    const table = (await getTables()).find(({ name }) => name === "fact_sales_order")!;
    await fillWithBatches(p.env.PROCESSED_BUCKET, table, await codecNamed(), { batches, rows });
    const started = startFunction({
      name: "compaction",
      module: path.join(folder, "compaction.cjs"),
      worker: path.join(folder, "worker.mjs"),
      env: { ...p.env },
      memoryMb: MEMORY,
      timeoutMs: 200_000,
      node,
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
