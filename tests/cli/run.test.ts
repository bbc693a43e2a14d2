// What a run makes of what the functions answer.
import { Run } from "../../cli/run/run.ts";
import { startAws, type AwsServer } from "../../localstack/aws/server.ts";
import { expect } from "../support/chai.ts";
import { withEnvironment } from "../support/environment.ts";

const NOTHING = { outcome: "unchanged", batch: 7, batches: 0, unfinished: false, rows: {} };

describe("a run", () => {
  let aws: AwsServer;
  before(async () => {
    aws = await startAws();
  });
  after(() => aws.stop());

  /** Has a function give these, one after the other. */
  const host = (stage: string, ...payloads: object[]): void =>
    aws.functions.add({
      name: `totes-warehouse-local-${stage}`,
      memoryMb: 512,
      timeoutMs: 1000,
      environment: {},
      invoke: () => Promise.resolve({ payload: payloads.shift(), hasFailed: false, log: "" }),
    });
  const withAws = <T>(work: (run: Run) => Promise<T>): Promise<T> =>
    withEnvironment(
      {
        AWS_ENDPOINT_URL: aws.endpoint,
        AWS_REGION: aws.region,
        AWS_ACCESS_KEY_ID: "test",
        AWS_SECRET_ACCESS_KEY: "test",
      },
      () => work(new Run({ stage: "local", processedBucket: "processed" }, 30)),
    );

  it("reads again where another was first, which may have looked before, and counts what stands alone", async () => {
    host(
      "ingestion",
      { ...NOTHING, outcome: "lost the race", batch: 5, rows: { staff: 3 } },
      { ...NOTHING, outcome: "committed", batch: 6, batches: 1, rows: { staff: 2 } },
    );
    expect(await withAws((run) => run.ingest())).to.deep.equal({
      batch: 6,
      batches: 1,
      rows: { staff: 2 },
    });
  });

  it("believes the loader alone, and waits for one that is at work", async () => {
    host("loading", {}, { loaded: [], newest: 7 });
    expect(await withAws((run) => run.wasLoaded(7))).to.equal(true);
    host("loading", { loaded: [], newest: 6 });
    expect(await withAws((run) => run.wasLoaded(7))).to.equal(false);
    host("loading", { loaded: [{ batch: 7 }], newest: 7 });
    expect(await withAws((run) => run.wasLoaded(7))).to.equal(false);
  });
});
