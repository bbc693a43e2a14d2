// P7: a run of any size is many batches, each bounded and self-contained; it goes on where it left off, whatever happened since.
import type { Context } from "aws-lambda";
import fc from "fast-check";
import type { Limits } from "../../src/ingestion/driving.ts";
import { handler } from "../../src/handlers/ingestion.ts";
import { getTables } from "../../src/registry.ts";
import type { Table } from "../../src/table.ts";
import { callWith, failureOf } from "../support/attack.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, startAnew, type TestPipeline } from "../support/pipeline.ts";
import { getStack } from "../support/stack.ts";
import { ingestWith, loadWith, transformWith } from "../support/stages.ts";

const manyBytes = 1 << 30;

/** Ingests with these limits, so many batches an invocation, until the run is done. */
async function ingestAll(
  p: TestPipeline,
  tables: readonly Table[],
  limits: Limits,
  {
    batches = Infinity,
    between = async () => {},
    resync = false,
  }: {
    batches?: number;
    between?: (invocation: number) => Promise<unknown>;
    resync?: boolean;
  } = {},
): Promise<number> {
  for (let invocation = 1; invocation <= 500; invocation++) {
    let left = batches;
    const summary = await ingestWith(p, tables, {
      limits,
      resync: resync && invocation === 1,
      goOn: () => --left > 0,
    });
    if (!summary.unfinished) return invocation;
    expect(summary.batches).to.equal(batches);
    await between(invocation);
  }
  return expect.fail("the run does not end");
}

const batchesOf = async (p: TestPipeline): Promise<number[]> =>
  (await p.keys("ingestion", "_batches/")).map((found) => Number(/\d{10}/.exec(found)![0]));

describe("bounded batches of the shop", () => {
  let p: TestPipeline;
  let tables: readonly Table[];
  before(async () => {
    p = await openPipeline({ orders: 30 });
    tables = await getTables();
  });
  after(closeAll);
  beforeEach(() => startAnew(p));

  it("give the same warehouse however a run is split", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          rows: fc.oneof(fc.integer({ min: 4, max: 40 }), fc.integer({ min: 40, max: 400 })),
          bytes: fc.oneof(fc.integer({ min: 2000, max: 9000 }), fc.constant(manyBytes)),
        }),
        fc.oneof(fc.constant(Infinity), fc.integer({ min: 1, max: 5 })),
        async (limits, batches) => {
          await startAnew(p);
          await ingestAll(p, tables, limits, { batches });
          await transformWith(p, tables);
          await loadWith(p, tables);
          await p.expectTrue();
          expect(await p.rejected()).to.deep.equal([]);
        },
      ),
      { numRuns: 8 },
    );
  });

  it("are bounded, and each has what its rows look up", async () => {
    await ingestAll(p, tables, { rows: 10, bytes: manyBytes });
    const batches = await batchesOf(p);
    expect(batches.length).to.be.greaterThan(10);
    for (const batch of batches) {
      const { objects, cursor, kind } = await p.ingested(batch);
      expect(kind).to.equal("backfill");
      const driving = objects.reduce((sum, object) => sum + object.driving_rows, 0);
      if (batch < batches.length) expect(driving).to.equal(10);
      else expect(driving).to.be.within(1, 10);
      expect(cursor === null).to.equal(batch === batches.length);
      for (const [of, by, target] of [
        ["staff", "department_id", "department"],
        ["counterparty", "legal_address_id", "address"],
      ] as const) {
        const object = objects.find(({ table }) => table === of);
        const rows = (await p.lines(batch, of)).slice(0, object?.driving_rows ?? 0);
        const wanted = new Set(rows.map((row) => row[by]));
        const there = await p.lines(batch, target);
        const ids = there.map((row) => row[target === "address" ? "address_id" : "department_id"]);
        expect(ids).to.include.members([...wanted]);
        expect(new Set(ids).size).to.equal(ids.length);
      }
    }
  });

  it("read dimensions before the facts that refer to them: no member is inferred", async () => {
    await ingestAll(p, tables, { rows: 10, bytes: manyBytes });
    await transformWith(p, tables);
    const { loaded } = await loadWith(p, tables);
    expect(loaded.length).to.be.greaterThan(10);
    for (const { inferred } of loaded) expect(inferred).to.deep.equal({});
  });

  it("go by BATCH_ROWS and BATCH_BYTES, and an idle run after them writes nothing", async () => {
    await callWith(p, "ingestion", { BATCH_ROWS: "50" });
    const [first] = (await p.ingested(1)).objects;
    expect(first!.driving_rows).to.be.greaterThan(0);
    const by50 = (await batchesOf(p)).length;
    const before = await p.keys("ingestion");
    expect(await callWith(p, "ingestion", { BATCH_ROWS: "50" })).to.deep.include({
      outcome: "unchanged",
      unfinished: false,
      batches: 0,
    });
    expect(await p.keys("ingestion")).to.deep.equal(before);
    await startAnew(p);
    await callWith(p, "ingestion", { BATCH_BYTES: "2000" });
    expect((await batchesOf(p)).length).to.be.greaterThan(by50);
  });

  for (const value of ["0", "-1", "1.5", "many", ""])
    it(`refuse BATCH_ROWS="${value}"`, async () => {
      const error = await failureOf(callWith(p, "ingestion", { BATCH_ROWS: value }));
      expect(error.message).to.match(
        /environment variable BATCH_ROWS: expected a whole number from 1 up, found/,
      );
      expect(await p.keys("ingestion")).to.deep.equal([]);
    });

  it("stop before the deadline, one an invocation where there is little time", async () => {
    Object.assign(process.env, p.env);
    process.env["BATCH_ROWS"] = "40";
    const context = { getRemainingTimeInMillis: () => 100, awsRequestId: "r" };
    try {
      for (let batch = 1; ; batch++) {
        const summary = await handler({}, context as unknown as Context);
        expect(summary).to.deep.include({ batch, batches: 1, outcome: "committed" });
        expect((await p.ingested(batch)).cursor === null).to.equal(!summary.unfinished);
        if (!summary.unfinished) break;
      }
    } finally {
      delete process.env["BATCH_ROWS"];
    }
    await p.transform();
    await p.load();
    await p.expectTrue();
  });

  it("ask to be woken again at once, where that is wanted and a run is not done", async () => {
    const hint = "_hints/continue.json";
    const context = { getRemainingTimeInMillis: () => 100 } as unknown as Context;
    Object.assign(process.env, p.env, { BATCH_ROWS: "60" });
    try {
      await handler({}, context);
      expect(await p.keys("ingestion", hint)).to.deep.equal([]);
      process.env["CONTINUE_AT_ONCE"] = "true";
      await handler({}, context);
      expect(JSON.parse((await p.get("ingestion", hint)).toString())).to.deep.equal({ batch: 2 });
      await p.remove("ingestion", hint);
      while ((await handler({}, context)).unfinished) await p.remove("ingestion", hint);
      expect(await p.keys("ingestion", hint)).to.deep.equal([]);
    } finally {
      delete process.env["BATCH_ROWS"];
      delete process.env["CONTINUE_AT_ONCE"];
    }
  });

  it("end early where a deadline comes in the middle of one, and nothing is lost", async () => {
    // Half of the time is gone after each look at the clock.
    let invocations = 0;
    for (let unfinished = true; unfinished; invocations++) {
      let left = 64_000;
      const context = {
        getRemainingTimeInMillis: () => (left /= 2),
        awsRequestId: "r",
      } as unknown as Context;
      Object.assign(process.env, p.env);
      const summary = await handler({}, context);
      expect(summary.outcome).to.equal("committed");
      ({ unfinished } = summary);
    }
    expect(invocations).to.be.greaterThan(1);
    await p.transform();
    await p.load();
    await p.expectTrue();
  });

  it("of one invocation are of one snapshot; of the next, of another, behind the same fence", async () => {
    await ingestAll(
      p,
      tables,
      { rows: 60, bytes: manyBytes },
      {
        batches: 2,
        between: () => p.shop.none("update staff set first_name = 'Ann' where staff_id = 1"),
      },
    );
    const manifests = await Promise.all((await batchesOf(p)).map((batch) => p.ingested(batch)));
    const runs = new Set(manifests.map(({ run }) => run));
    expect(runs.size).to.be.greaterThan(1);
    for (const run of runs)
      expect(new Set(manifests.filter((m) => m.run === run).map((m) => m.snapshot)).size).to.equal(
        1,
      );
    expect(new Set(manifests.map(({ snapshot }) => snapshot)).size).to.equal(runs.size);
    expect(new Set(manifests.map(({ fence }) => fence)).size).to.equal(1);
    expect(manifests[0]!.snapshot.split(":")[0]).to.equal(manifests[0]!.fence);
  });

  it("lose nothing of what changes, goes and comes behind the cursor and before it", async () => {
    let n = 0;
    const { rows } = await p.shop.one<{ rows: number }>(
      "select max(sales_order_id) as rows from sales_order",
    );
    await ingestAll(
      p,
      tables,
      { rows: 25, bytes: manyBytes },
      {
        batches: 1,
        between: async () => {
          n++;
          await p.shop.none(
            `update sales_order set units_sold = units_sold + 1 where sales_order_id % 7 = $1 % 7;
           update department set location = 'Floor ' || $1 where department_id = 1 + $1 % 3;
           update currency set currency_code = currency_code where currency_id = 1;`,
            [n],
          );
          // A key that moves from before the cursor to behind it, and one that moves the other way.
          if (n === 3)
            await p.shop.none(
              `alter table transaction drop constraint if exists transaction_sales_order_id_fkey;
             update sales_order set sales_order_id = -5 where sales_order_id = $1;
             update sales_order set sales_order_id = $1 + 900 where sales_order_id = 2`,
              [rows],
            );
        },
      },
    );
    expect(n).to.be.greaterThan(5);
    await p.run();
    // Both keys that moved leave their former one behind: deletes are not followed yet.
    const problems = await p.star.any<{ id: number }>(
      "select sales_order_id as id from fact_sales_order where sales_order_id in (-5, $1)",
      [rows + 900],
    );
    expect(problems.map(({ id }) => id)).to.have.members([-5, rows + 900]);
    await p.shop.none(
      `update sales_order set sales_order_id = $1 where sales_order_id = -5;
       update sales_order set sales_order_id = 2 where sales_order_id = $1 + 900`,
      [rows],
    );
    await p.star.none("delete from fact_sales_order where sales_order_id in (-5, $1)", [
      rows + 900,
    ]);
    await p.run();
    await p.expectTrue();
  });

  it("go on after a death at any request", async () => {
    const { aws } = await getStack();
    for (let dies = 1; ; dies++) {
      await startAnew(p);
      let puts = 0;
      const unhook = aws.onRequest(({ operation, bucket }) =>
        operation === "PutObject" && bucket === p.env.INGESTION_BUCKET && ++puts === dies
          ? { status: 403, code: "AccessDenied", when: dies % 2 === 0 ? "after" : "before" }
          : undefined,
      );
      let died = true;
      try {
        await ingestWith(p, tables, { limits: { rows: 150, bytes: manyBytes } });
        died = false;
      } catch (error) {
        expect((error as Error).message).to.include("AccessDenied");
      } finally {
        unhook();
      }
      await ingestAll(p, tables, { rows: 70, bytes: manyBytes });
      await transformWith(p, tables);
      await loadWith(p, tables);
      await p.expectTrue();
      if (!died) break;
      expect(dies).to.be.lessThan(60);
    }
  });

  it("of two runs at once: each number is one's, the other ends, the warehouse is right", async () => {
    const limits = { rows: 40, bytes: manyBytes };
    const both = await Promise.all([
      ingestWith(p, tables, { limits }),
      ingestWith(p, tables, { limits }),
    ]);
    expect(both.map(({ outcome }) => outcome)).to.include("lost the race");
    await ingestAll(p, tables, limits);
    await transformWith(p, tables);
    await loadWith(p, tables);
    await p.expectTrue();
  });

  it("of a resync that is asked for while another run commits batch after batch: it has its turn", async () => {
    // The resync comes when the other has begun, and reads for longer than the other needs for a batch.
    let resync: ReturnType<typeof ingestWith> | undefined;
    const first = await ingestWith(p, tables, {
      limits: { rows: 1, bytes: manyBytes },
      goOn: () => {
        resync ??= ingestWith(p, tables, { limits: { rows: 300, bytes: manyBytes }, resync: true });
        return true;
      },
    });
    expect(first).to.deep.include({ outcome: "lost the race" });
    const summary = await resync!;
    expect(summary).to.deep.include({ kind: "resync", outcome: "committed", unfinished: false });
    const last = await p.ingested(summary.batch);
    expect(last).to.deep.include({ kind: "resync", since: null, cursor: null });
    await transformWith(p, tables);
    await loadWith(p, tables);
    await p.expectTrue();
  });

  it("begin anew where the source is another in the middle of a run", async () => {
    let left = 2;
    await ingestWith(p, tables, {
      limits: { rows: 50, bytes: manyBytes },
      goOn: () => --left > 0,
    });
    const unfinished = await p.ingested(2);
    expect(unfinished.cursor).to.not.equal(null);
    await (await getStack()).postgres.restart("fast");
    await closeAll();
    const summary = await ingestWith(p, tables);
    expect(summary).to.deep.include({ kind: "resync", outcome: "committed" });
    expect(summary.reasons[0]).to.match(/restarted/);
    const last = await p.ingested(summary.batch);
    expect(last).to.deep.include({ since: null, cursor: null });
  });
});
