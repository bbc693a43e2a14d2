// While PostgreSQL works on a batch the next one is fetched: no more of it than fits, and its failures are its own.
import { manifestKey } from "../../src/lake/keys.ts";
import { BatchFiles } from "../../src/loading/batch.ts";
import { getTables } from "../../src/registry.ts";
import { expect } from "../support/chai.ts";
import { failureOf } from "../support/attack.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { getStack } from "../support/stack.ts";

/** What is asked of the processed bucket while `work` is done. */
async function requestsOf(p: TestPipeline, work: () => Promise<unknown>): Promise<string[]> {
  const { aws } = await getStack();
  const asked: string[] = [];
  const unhook = aws.onRequest(({ operation, bucket, key }) => {
    if (bucket === p.env.PROCESSED_BUCKET)
      asked.push(`${operation} ${key.replace(/\/\d{4}\/.*-/, "/…/")}`);
    return undefined;
  });
  try {
    await work();
  } finally {
    unhook();
  }
  return asked;
}

/** A transformed batch for each name, staff and a sales order in each. */
async function prepare(p: TestPipeline, ...names: string[]): Promise<void> {
  for (const name of names) {
    await p.shop.none(
      `update staff set first_name = $1 where staff_id = 1;
       update sales_order set units_sold = units_sold + 1 where sales_order_id = 1`,
      [name],
    );
    await p.ingest();
    await p.transform();
  }
}

describe("the batch after the one at work", () => {
  let p: TestPipeline;
  beforeEach(async () => {
    p = await openPipeline({ orders: 5 });
    await p.run();
  });
  after(closeAll);

  it("is fetched while PostgreSQL is busy, and each object once", async () => {
    await prepare(p, "two", "three");
    const { objects } = await p.processed(3);
    const { aws } = await getStack();
    const gate = await p.star.connect();
    await gate.none("begin; lock table dim_staff in access exclusive mode");
    const fetched = new Set<string>();
    const unhook = aws.onRequest(({ operation, key }) => {
      if (operation === "GetObject") fetched.add(key);
      return undefined;
    });
    let asked: string[] = [];
    const loading = requestsOf(p, () => p.load()).then((all) => (asked = all));
    while (!objects.every(({ key }) => fetched.has(key)))
      await new Promise((resolve) => setTimeout(resolve, 5));
    unhook();
    await gate.none("commit");
    await gate.done();
    await loading;
    const gets = asked.filter((one) => one.startsWith("GetObject"));
    expect(gets).to.have.length(2 * (1 + objects.length));
    expect(await p.star.one("select first_name from dim_staff where staff_id = 1")).to.deep.equal({
      first_name: "three",
    });
    await p.expectTrue({ allowExtraDates: true });
  });

  const breaks: Record<string, (key: string) => Promise<unknown>> = {
    "whose object is gone": (key) => p.remove("processed", key),
    "whose object is altered": (key) => p.put("processed", key, "PAR1"),
    "whose manifest is altered": () => p.put("processed", manifestKey(3), "{"),
  };
  for (const [what, damage] of Object.entries(breaks))
    it(`${what}, fails at its turn, and not before`, async () => {
      await prepare(p, "two", "three");
      const unhandled: unknown[] = [];
      const note = (error: unknown): void => void unhandled.push(error);
      process.on("unhandledRejection", note);
      const { key } = (await p.processed(3)).objects.at(-1)!;
      await damage(key);
      const error = await failureOf(p.load());
      expect(error.message).to.include(
        what.includes("manifest") ? `${manifestKey(3)} is not JSON` : key,
      );
      expect(await p.star.one("select first_name from dim_staff where staff_id = 1")).to.deep.equal(
        { first_name: "two" },
      );
      await new Promise((resolve) => setImmediate(resolve));
      process.off("unhandledRejection", note);
      expect(unhandled).to.deep.equal([]);
    });

  it("is not heard of where the one before fails", async () => {
    await prepare(p, "two", "three");
    const [two, three] = [await p.processed(2), await p.processed(3)];
    await p.remove("processed", two.objects[0]!.key);
    await p.put("processed", three.objects[0]!.key, "PAR1");
    expect((await failureOf(p.load())).message).to.include(`${two.objects[0]!.key} is gone`);
  });

  it("is fetched as far as it fits, and whoever wants more fetches it then", async () => {
    Object.assign(process.env, p.env);
    const { objects, ...manifest } = await p.processed(1);
    const bytes = [20 << 20, 16 << 20, 12 << 20, 1];
    const some = objects.slice(0, 4).map((object, i) => ({ ...object, bytes: bytes[i] }));
    await p.put(
      "processed",
      manifestKey(99),
      JSON.stringify({ ...manifest, batch: 99, objects: some }),
    );
    const files = new BatchFiles(p.env.PROCESSED_BUCKET, 99);
    const asked = await requestsOf(p, async () => {
      await files.fetchAhead(await getTables());
      await new Promise((resolve) => setTimeout(resolve, 200));
    });
    expect(asked.filter((one) => !one.includes("_batches/"))).to.have.members(
      [0, 2].map((i) => `GetObject ${some[i]!.key.replace(/\/\d{4}\/.*-/, "/…/")}`),
    );
  });

  it("costs nothing where there is none", async () => {
    expect(await requestsOf(p, () => p.load())).to.deep.equal(["ListObjectsV2 "]);
  });
});
