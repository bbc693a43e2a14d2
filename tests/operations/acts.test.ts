import { handler as reconciliation } from "../../src/handlers/reconciliation.ts";
import {
  backfill,
  checkSkippable,
  detectDeletes,
  replay,
  skip,
  type Invoke,
} from "../../src/operations/acts.ts";
import type { Places } from "../../src/operations/places.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { placesOf } from "./support.ts";

describe("what an operator has the functions do", () => {
  let p: TestPipeline;
  let places: Places;
  let invoke: Invoke;
  before(async () => {
    p = await openPipeline({ orders: 10 });
    await p.run();
    places = await placesOf(p);
    const functions = {
      ingestion: (event?: Parameters<TestPipeline["ingest"]>[0]) => p.ingest(event),
      transformation: (event?: unknown) => p.transform(event),
      loading: (event?: unknown) => p.load(event),
      reconciliation: (event?: unknown) => reconciliation(event),
    };
    // The handlers themselves, in place of Lambda: as JSON, which is all that goes over the wire.
    invoke = async (stage, event) =>
      JSON.parse(JSON.stringify(await functions[stage](JSON.parse(JSON.stringify(event)))));
  });
  after(closeAll);
  const change = (name: string): Promise<null> =>
    p.shop.none("update staff set first_name = $1 where staff_id = 1", [name]);

  it("a batch that is on its way is done now, and one that is done stays as it is", async () => {
    await change("Ada");
    await p.ingest();
    expect(await replay(places, invoke, 2)).to.deep.equal({
      batch: 2,
      transformation: "committed",
      loaded: [2],
      isLoaded: true,
    });
    expect(await replay(places, invoke, 2)).to.deep.equal({
      batch: 2,
      transformation: "done already",
      loaded: [],
      isLoaded: true,
    });
    await expect(replay(places, invoke, 9)).to.be.rejectedWith(
      "there is no batch 9; `npx totes batches` shows which there are",
    );
    await expect(replay({ ...places, stage: "dev" }, invoke, 9)).to.be.rejectedWith(
      "`npx totes batches --stage dev`",
    );
    await p.expectTrue();
  });

  it("a batch that cannot be loaded is left out with its reason, and those behind it are loaded", async () => {
    await change("Bea");
    await p.ingest();
    await p.transform();
    await p.shop.none("update staff set first_name = 'Cleo' where staff_id = 2");
    await p.ingest();
    await p.transform();
    const [object] = (await p.processed(3)).objects;
    await p.remove("processed", object!.key);
    await expect(checkSkippable(places, 4)).to.be.rejectedWith(
      "batch 4 is not the next: 3 is, and it stops those behind it",
    );
    await expect(checkSkippable(places, 2)).to.be.rejectedWith(
      "batch 2 is in the warehouse: there is nothing to leave out",
    );
    const done = await skip(places, invoke, { batch: 3, why: "its file is gone" });
    expect(done).to.deep.equal({ batch: 3, why: "its file is gone", loaded: [4] });
    await expect(checkSkippable(places, 3)).to.be.rejectedWith(
      /^batch 3 was left out already, on 20\S+Z: its file is gone$/,
    );
    expect(await replay(places, invoke, 3)).to.deep.equal({
      batch: 3,
      transformation: "done already",
      loaded: [],
      isLoaded: false,
      leftOut: "its file is gone",
    });
  });

  it("a table is read again from the start, which brings what was left out", async () => {
    const summary = await backfill(invoke, "dim_staff");
    expect(summary).to.deep.include({
      outcome: "committed",
      kind: "backfill",
      reasons: ["dim_staff was asked for"],
      batch: 5,
    });
    expect(summary.rows["staff"]).to.equal(20);
    expect(summary.rows["sales_order"]).to.equal(undefined);
    await p.run();
    await p.expectTrue();
    const { changed } = await p.star.one<{ changed: number }>(
      "select (receipt -> 'tables' -> 'dim_staff' -> 'changed')::int as changed from etl.batch_load where batch = 5",
    );
    expect(changed).to.equal(1);
  });

  it("the keys are compared, of the sources whose deletes are detected: here of none", async () => {
    expect(await detectDeletes(invoke, { share: 0.2 })).to.deep.equal({ deletes: [] });
    await expect(detectDeletes(invoke, { confirmed: ["staff"] })).to.be.rejectedWith(
      "staff is no source whose deletes are detected; these are: none",
    );
  });

  it("a table that there is not is refused by ingestion itself, and nothing is written", async () => {
    await expect(p.ingest({ backfill: ["dim_stuff"] })).to.be.rejectedWith(
      /^to read the sources of tables again, send .* found \["dim_stuff"\]$/,
    );
    expect(await p.keys("ingestion", "_batches/")).to.have.length(5);
  });
});
