// What breaks in the middle of a stream ends in the error that broke it: nothing hangs, nothing counts.
import { copyOut } from "../../src/postgres/copy-out.ts";
import { getConnection } from "../../src/postgres/connection.ts";
import { eventually } from "../localstack/support.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { getStack } from "../support/stack.ts";

describe("a stream that breaks", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 60 });
  });
  after(closeAll);

  it("at S3, while the source still has rows, ends with S3's error and commits nothing", async () => {
    const { aws } = await getStack();
    const unhook = aws.onRequest(({ operation, bucket, key }) =>
      operation === "PutObject" &&
      bucket === p.env.INGESTION_BUCKET &&
      key.startsWith("sales_order")
        ? { status: 403, code: "AccessDenied" }
        : undefined,
    );
    try {
      await expect(p.ingest()).to.be.rejectedWith(/AccessDenied/);
    } finally {
      unhook();
    }
    expect(await p.keys("ingestion", "_batches/")).to.deep.equal([]);
    await p.run();
    await p.expectTrue();
  });

  it("at a reader that wants no more, lets go of the connection", async () => {
    const connection = await getConnection({ ...p.source, schema: "public" });
    const long = "select i::text from generate_series(1, 5000000) i";
    try {
      for await (const chunk of copyOut(connection, long)) {
        expect(chunk.length).to.be.greaterThan(0);
        break;
      }
    } finally {
      await connection.close();
    }
    await eventually(async () => {
      const { busy } = await p.shop.one<{ busy: boolean }>(
        "select exists (select from pg_stat_activity where query like '%' || $1 || '%' and pid <> pg_backend_pid() and state = 'active') as busy",
        [long],
      );
      expect(busy).to.equal(false);
    });
  });
});
