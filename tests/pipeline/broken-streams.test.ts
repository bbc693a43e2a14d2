// What breaks in the middle of a stream ends in the error that broke it: nothing hangs, nothing counts.
import { randomBytes } from "node:crypto";
import { copyOut } from "../../src/postgres/copy.ts";
import { getConnection } from "../../src/postgres/connection.ts";
import { writeFile } from "../../src/lake/streams.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { getStack } from "../support/stack.ts";

describe("a stream that breaks", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 0 });
    Object.assign(process.env, p.env);
  });
  after(closeAll);

  // Too long, and too random, to be held or to be small.
  const long =
    "copy (select md5(i::text) || md5((i + 1)::text) from generate_series(1, 600000) i) to stdout";

  it("at S3, while the source still has rows, ends with S3's error", async () => {
    const { aws } = await getStack();
    const unhook = aws.onRequest(({ operation, bucket }) =>
      operation === "UploadPart" && bucket === p.env.INGESTION_BUCKET
        ? { status: 403, code: "AccessDenied" }
        : undefined,
    );
    const connection = await getConnection({ ...p.source, schema: "public" });
    try {
      const reading = connection.db.tx(() =>
        writeFile(p.env.INGESTION_BUCKET, "x/1.gz", [copyOut(connection, long)], { left: 0 }),
      );
      await expect(reading).to.be.rejectedWith(/AccessDenied/);
    } finally {
      unhook();
      await connection.close();
    }
    expect(await p.keys("ingestion")).to.deep.equal([]);
  }).timeout(30_000);

  it("at the source, while S3 takes the rows, leaves no object", async () => {
    async function* rows(): AsyncGenerator<Buffer> {
      yield randomBytes(12 << 20);
      throw new Error("the source broke");
    }
    const hold = { left: 0 };
    await expect(writeFile(p.env.INGESTION_BUCKET, "x/2.gz", [rows()], hold)).to.be.rejectedWith(
      "the source broke",
    );
    expect(await p.keys("ingestion")).to.deep.equal([]);
  });
});
