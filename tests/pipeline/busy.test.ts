// A loader that finds another at work: it waits for half of its time, and leaves the work to the other.
import type { Context } from "aws-lambda";
import { handler as loading } from "../../src/handlers/loading.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, queued, type TestPipeline } from "../support/pipeline.ts";

/** What src/loading/lock.ts locks: "totes" in ASCII. */
const LOCK = 0x746f746573;
/** Half a second is left: a quarter is waited. */
const context = { getRemainingTimeInMillis: () => 500 } as Context;

describe("a loader that finds another at work", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 5 });
    await p.run();
    await p.shop.none("update design set file_name = 'new.json' where design_id = 1");
    await p.ingest();
    await p.transform();
  });
  after(closeAll);

  const whileBusy = (event: unknown): ReturnType<typeof loading> =>
    p.star.task(async (other) => {
      await other.any("select pg_advisory_lock($1)", [LOCK]);
      try {
        Object.assign(process.env, p.env);
        return await loading(event, context);
      } finally {
        await other.any("select pg_advisory_unlock($1)", [LOCK]);
      }
    });

  it("has nothing to do at a tick, and that is no failure and no heartbeat", async () => {
    expect(await whileBusy({})).to.deep.equal({ batchItemFailures: [] });
  });

  it("wants a message again", async () => {
    expect(await whileBusy(queued(p.env.PROCESSED_BUCKET, 2))).to.deep.equal({
      batchItemFailures: [{ itemIdentifier: "m2" }],
    });
  });

  it("tells a person that a batch was not skipped", () =>
    expect(whileBusy({ skip: 2, why: "to see" })).to.be.rejectedWith(
      "another loader holds the lock",
    ));

  it("finds everything as the other leaves it", async () => {
    expect((await p.load()).newest).to.equal(2);
    await p.expectTrue();
  });
});
