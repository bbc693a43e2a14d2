// While PostgreSQL works on a batch the next one is fetched: no more of it than fits, and its failures are its own.
import { manifestKey } from "../../src/lake/keys.ts";
import { BatchFiles } from "../../src/loading/batch.ts";
import { codecNamed, type ParquetCodec } from "../../src/parquet/codec.ts";
import { getTables } from "../../src/registry.ts";
import { getColumnNames } from "../../src/table.ts";
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

  it("is decoded when its turn has not come, but for texts, and no column twice", async () => {
    Object.assign(process.env, p.env);
    const tables = await getTables();
    const table = tables.find(({ name }) => name === "dim_staff")!;
    const object = (await p.processed(1)).objects.find((one) => one.table === table.name)!;
    const real = await codecNamed();
    const decoded: string[] = [];
    const codec: ParquetCodec = {
      ...real,
      read(bytes, columns) {
        decoded.push(...columns.map(({ name }) => name));
        return real.read(bytes, columns);
      },
    };
    const files = new BatchFiles(p.env.PROCESSED_BUCKET, 1);
    const asked = await requestsOf(p, async () => {
      await files.fetchAhead([table]);
      await files.decodeAhead([table], codec);
      expect(decoded).to.deep.equal(["staff_id"]);
      const columns = getColumnNames(table);
      const read = await files.read(object, table, columns, codec);
      expect([...read.keys()]).to.deep.equal(columns);
      expect(read).to.deep.equal(
        await new BatchFiles(p.env.PROCESSED_BUCKET, 1).read(object, table, columns, real),
      );
      expect(decoded).to.have.members(columns);
    });
    // The other one asks for the object, too.
    expect(asked.filter((one) => one.includes(table.name))).to.have.length(2);
  });

  it("whose columns cannot be decoded, says so when it is read", async () => {
    Object.assign(process.env, p.env);
    const table = (await getTables()).find(({ name }) => name === "fact_sales_order")!;
    const object = (await p.processed(1)).objects.find((one) => one.table === table.name)!;
    const real = await codecNamed();
    const codec: ParquetCodec = {
      ...real,
      read: (bytes, columns) => real.read(bytes.subarray(0, 100), columns),
    };
    const files = new BatchFiles(p.env.PROCESSED_BUCKET, 1);
    await files.fetchAhead([table]);
    await files.decodeAhead([table], codec);
    const error = await failureOf(files.read(object, table, ["design_id"], codec));
    expect(error.message).to.include(`${object.key}: `);
    expect(await files.read(object, table, ["design_id"], real)).to.have.keys("design_id");
  });

  it("is loaded while the receipt before is put, which is marked all the same", async () => {
    await prepare(p, "two", "three");
    const { aws } = await getStack();
    const loads = "select count(*)::int as loaded from etl.batch_load";
    const marked = "select batch from etl.batch_load where not receipt_put";
    let refused = 0;
    const unhook = aws.onRequest(({ key }) => {
      if (!key.startsWith("_loads/0000000002")) return undefined;
      refused++;
      return { status: 403, code: "AccessDenied" };
    });
    const error = await failureOf(p.load());
    unhook();
    expect(refused).to.equal(1);
    expect(error.message).to.include("cannot write s3://").and.include("_loads/0000000002");
    // The one after it was under way already.
    expect(await p.star.one(loads)).to.deep.equal({ loaded: 3 });
    expect(await p.star.any(marked)).to.deep.equal([{ batch: "2" }]);
    await p.load();
    expect(await p.star.any(marked)).to.deep.equal([]);
    expect(await p.keys("processed", "_loads/")).to.have.length(3);
  });

  it("fails after the receipt before was put", async () => {
    await prepare(p, "two", "three");
    await p.remove("processed", (await p.processed(3)).objects[0]!.key);
    await failureOf(p.load());
    expect(await p.keys("processed", "_loads/")).to.have.length(2);
    expect(
      await p.star.any("select batch from etl.batch_load where not receipt_put"),
    ).to.deep.equal([]);
  });

  it("costs nothing where there is none", async () => {
    expect(await requestsOf(p, () => p.load())).to.deep.equal(["ListObjectsV2 "]);
  });
});
