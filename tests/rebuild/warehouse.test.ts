// P4: the warehouse made again from the processed bucket alone is the warehouse that is there, and was there after any batch.
import { codecNamed } from "../../src/parquet/codec.ts";
import { getConnection, type Connection } from "../../src/postgres/connection.ts";
import { compareAtSameBatch } from "../../src/rebuild/at-same-batch.ts";
import { compareWarehouses, type RowDifference } from "../../src/rebuild/compare-warehouses.ts";
import { claim } from "../../src/rebuild/place.ts";
import { readReceipts } from "../../src/rebuild/receipts.ts";
import { loadAgain, newestLoaded, type ProcessedLake } from "../../src/rebuild/warehouse.ts";
import { addRole, stateOf } from "../support/attack.ts";
import { expect } from "../support/chai.ts";
import { closeAll, type TestPipeline } from "../support/pipeline.ts";
import { getStack } from "../support/stack.ts";
import { loadWith, runWith } from "../support/stages.ts";
import { contentOf, makeHistory, openLive, openRebuilt, type History } from "./history.ts";

describe("a warehouse that is made again", () => {
  let history: History;
  let p: TestPipeline;
  let lake: ProcessedLake;
  before(async () => {
    history = await makeHistory();
    p = history.p;
    lake = {
      bucket: p.env.PROCESSED_BUCKET,
      tables: history.tables,
      codec: await codecNamed(),
      receipts: await readReceipts(p.env.PROCESSED_BUCKET),
    };
  });
  after(closeAll);

  /** Does `work` in a schema that a rebuild has claimed. */
  async function inSchema<T>(
    schema: string,
    work: (rebuilt: Connection) => Promise<T>,
    { replace = false, lake: from = lake }: { replace?: boolean; lake?: ProcessedLake } = {},
  ): Promise<T> {
    const rebuilt = await openRebuilt(p, schema);
    try {
      await claim(rebuilt, from, replace);
      return await work(rebuilt);
    } finally {
      await rebuilt.close();
    }
  }
  async function compared(schema: string): Promise<RowDifference[]> {
    const found: RowDifference[] = [];
    const [rebuilt, live] = [await openRebuilt(p, schema), await openLive(p)];
    try {
      await compareWarehouses(rebuilt, live, lake.tables, (one) => found.push(one));
      return found;
    } finally {
      await rebuilt.close();
      await live.close();
    }
  }

  it("is the live one, row for row and version for version, and the live one is as it was", async () => {
    const before = await stateOf(p);
    await inSchema("again", async (rebuilt) => {
      const skipped = await loadAgain(rebuilt, lake, history.newest);
      expect(skipped).to.deep.equal([{ batch: history.skipped, why: "its object is gone" }]);
      expect(await newestLoaded(rebuilt)).to.equal(history.newest);
    });
    expect(await compared("again")).to.deep.equal([]);
    expect(await contentOf(p.star, "again", lake.tables)).to.deep.equal(
      history.after.get(history.newest),
    );
    const { inferred } = await p.star.one<{ inferred: string }>(
      "select count(*) as inferred from again.dim_currency where currency_name = 'unknown'",
    );
    expect(inferred).to.equal("1");
    await p.star.none("drop schema again cascade; drop schema again_etl cascade");
    expect(await stateOf(p)).to.deep.equal(before);
  });

  it("is at each batch what the warehouse was after it", async () => {
    expect(history.newest).to.be.greaterThan(15);
    // One that goes on from batch to batch, and some that were made for themselves.
    await inSchema("onward", async (rebuilt) => {
      for (let batch = 1; batch <= history.newest; batch++) {
        await loadAgain(rebuilt, lake, batch);
        expect(await contentOf(p.star, "onward", lake.tables), `batch ${batch}`).to.deep.equal(
          history.after.get(batch),
        );
      }
    });
    for (const batch of [1, history.skipped, history.newest - 1])
      await inSchema(
        "one",
        async (rebuilt) => {
          await loadAgain(rebuilt, lake, batch);
          expect(await contentOf(p.star, "one", lake.tables)).to.deep.equal(
            history.after.get(batch),
          );
        },
        { replace: true },
      );
  });

  it("that somebody changed is told from the live one: each difference by table, key, version and column", async () => {
    await inSchema("planted", (rebuilt) => loadAgain(rebuilt, lake, history.newest));
    await p.star.none(`
      update planted.dim_staff set first_name = 'Mallory' where staff_id = 3;
      update planted.fact_sales_order set units_sold = 7
       where sales_record_id = (select min(sales_record_id) from planted.fact_sales_order where sales_order_id = 2);
      delete from planted.fact_sales_order
       where sales_record_id = (select max(sales_record_id) from planted.fact_sales_order where sales_order_id = 3);
      insert into planted.dim_design values (9999, 'a', 'b', 'c')`);
    const staff = await p.star.one<{ first_name: string }>(
      "select first_name from dim_staff where staff_id = 3",
    );
    const order = await p.star.one<{ units_sold: number }>(
      "select units_sold from fact_sales_order where sales_order_id = 2 order by sales_record_id limit 1",
    );
    expect(await compared("planted")).to.have.deep.members([
      {
        table: "dim_staff",
        key: { staff_id: "3" },
        kind: "different",
        column: "first_name",
        rebuilt: "Mallory",
        live: staff.first_name,
      },
      {
        table: "fact_sales_order",
        key: { sales_order_id: "2" },
        version: 1,
        kind: "different",
        column: "units_sold",
        rebuilt: "7",
        live: String(order.units_sold),
      },
      { table: "fact_sales_order", key: { sales_order_id: "3" }, version: 4, kind: "missing" },
      { table: "dim_design", key: { design_id: "9999" }, kind: "extra" },
    ]);
  });

  it("leaves the pipeline's hints as they are, and waits for no loader but its own", async () => {
    const hint = () => p.get("processed", "_hints/loaded.json");
    const before = await hint();
    const loader = await p.star.connect();
    try {
      // "totes" in ASCII.
      await loader.any("select pg_advisory_lock($1)", [0x746f746573]);
      await inSchema("beside", (rebuilt) => loadAgain(rebuilt, lake, history.skipped));
    } finally {
      await loader.any("select pg_advisory_unlock_all()");
      await loader.done();
    }
    expect(await hint()).to.deep.equal(before);
  });

  it("goes on where an attempt was cut off, in the middle of a batch or between two", async () => {
    const stack = await getStack();
    let left = 0;
    let failed = 0;
    // Each attempt ends somewhere else: some more objects can be had, and no others.
    const unhook = stack.aws.onRequest(({ operation, bucket, key }) => {
      if (operation !== "GetObject" || bucket !== lake.bucket || !key.endsWith(".parquet")) return;
      return left-- <= 0 ? { status: 403, code: "AccessDenied" } : undefined;
    });
    try {
      for (;;) {
        left = 13 + 3 * failed;
        try {
          await inSchema("cut", (rebuilt) => loadAgain(rebuilt, lake, history.newest));
          break;
        } catch (error) {
          expect(error).to.have.property("name", "S3Error");
          failed++;
        }
      }
    } finally {
      unhook();
    }
    expect(failed).to.be.greaterThan(2);
    expect(await compared("cut")).to.deep.equal([]);
  });

  it("goes on after its session was killed", async () => {
    let batches = 0;
    const killed = inSchema("killed", (rebuilt) =>
      loadAgain(rebuilt, lake, history.newest, () => {
        if (++batches !== 4) return;
        void p.star.any(
          `select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and application_name = 'totes-warehouse'`,
        );
      }),
    );
    await expect(killed).to.be.rejected;
    await inSchema("killed", (rebuilt) => loadAgain(rebuilt, lake, history.newest));
    expect(await compared("killed")).to.deep.equal([]);
  });

  it("is refused a schema that something else is in, and another rebuild's, with advice", async () => {
    const refused = async (
      schema: string,
      message: string | RegExp,
      options?: Parameters<typeof inSchema>[2],
    ): Promise<void> => {
      const tried = inSchema(schema, (rebuilt) => loadAgain(rebuilt, lake, 3), options);
      await expect(tried).to.be.rejectedWith(message as string);
    };
    await p.star.none("create schema theirs; create view theirs.mine as select 1 as one");
    await refused(
      "theirs",
      'schema "theirs" is not empty, and no rebuild filled it (it has "mine"): name another schema, or an empty database',
    );
    const replace = true;
    await refused("theirs", /is not empty, and no rebuild filled it/, { replace });
    await refused("public", /schema "public" is not empty/, { replace });
    await inSchema("part", (rebuilt) => loadAgain(rebuilt, lake, 5));
    await refused(
      "part",
      'schema "part" holds a rebuild up to batch 5, which is past 3: --replace drops it and begins anew',
    );
    await refused(
      "part",
      `schema "part" holds a rebuild from ${lake.bucket}, not from another: --replace drops it`,
      { lake: { ...lake, bucket: "another" } },
    );
    await refused("part", /holds a rebuild by other modules for \w+: --replace drops it/, {
      lake: { ...lake, tables: lake.tables.slice(0, -1) },
    });
    await inSchema("part", (rebuilt) => loadAgain(rebuilt, lake, 3), { replace: true });
    expect(await contentOf(p.star, "part", lake.tables)).to.deep.equal(history.after.get(3));
  });

  it("needs to make schemas and temporary tables, and to read the live one: no more", async () => {
    const role = await addRole(p);
    const open = () => getConnection({ ...p.warehouse, ...role, schema: "public" });
    const database = p.warehouse.database;
    const rebuilt = { ...(await open()), schema: "theirs_again", ledger: "theirs_again_etl" };
    const live = await open();
    try {
      await expect(claim(rebuilt, lake, false)).to.be.rejectedWith(
        `cannot create schema "theirs_again": permission denied for database ${database}; GRANT CREATE ON DATABASE to this user`,
      );
      await p.star.none(
        `grant create, temporary on database $1:name to $2:name; grant usage on schema public, etl to $2:name;
         grant select on all tables in schema public to $2:name; grant select on etl.batch_load to $2:name`,
        [database, role.user],
      );
      await claim(rebuilt, lake, false);
      await loadAgain(rebuilt, lake, history.newest);
      const found: RowDifference[] = [];
      await compareAtSameBatch(rebuilt, live, lake, lake.bucket, (one) => found.push(one));
      expect(found).to.deep.equal([]);
    } finally {
      await rebuilt.close();
      await live.close();
    }
  });

  it("is never dropped once a pipeline goes on with it", async () => {
    await inSchema("promoted", (rebuilt) => loadAgain(rebuilt, lake, history.newest));
    await p.star.none("update promoted_etl.batch_load set receipt_put = true where batch = 1");
    for (const replace of [false, true])
      await expect(
        inSchema("promoted", (rebuilt) => loadAgain(rebuilt, lake, history.newest), { replace }),
      ).to.be.rejectedWith('schema "promoted" is the warehouse of a pipeline');
  });

  it("says which batch is not there", async () => {
    const bytes = await p.get("processed", "_batches/0000000004.json");
    await p.remove("processed", "_batches/0000000004.json");
    try {
      await expect(
        inSchema("holey", (rebuilt) => loadAgain(rebuilt, lake, history.newest)),
      ).to.be.rejectedWith(
        `batch 4 is not in ${lake.bucket}, and it is to be made up to batch ${history.newest}; npx totes rebuild --verify names all that is missing`,
      );
    } finally {
      await p.put("processed", "_batches/0000000004.json", bytes);
    }
  });

  it("is held against the live one at the batch that this has by then, whatever is loaded meanwhile", async () => {
    await inSchema("moving", async (rebuilt) => {
      await loadAgain(rebuilt, lake, history.newest);
      await p.shop.none("update staff set last_name = 'Before' where staff_id = 4");
      await runWith(p, lake.tables);
      const live = await openLive(p);
      const found: RowDifference[] = [];
      try {
        const { batch, rows } = await compareAtSameBatch(
          rebuilt,
          live,
          lake,
          lake.bucket,
          (one) => found.push(one),
          async (_total, _noun, work) => {
            // The moment is fixed: what comes now is not seen.
            await p.shop.none("update staff set last_name = 'After' where staff_id = 4");
            await runWith(p, lake.tables);
            return work(() => undefined);
          },
        );
        expect(batch).to.equal(history.newest + 1);
        expect(rows["dim_staff"]).to.be.greaterThan(3);
        expect(found).to.deep.equal([]);
      } finally {
        await live.close();
      }
    });
    const loaded = await loadWith(p, lake.tables);
    expect(loaded.newest).to.equal(history.newest + 2);
  });
});
