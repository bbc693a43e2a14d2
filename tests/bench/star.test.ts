// The bench's own check: it must see what is wrong.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import * as fc from "fast-check";
import { cpuOfChildren } from "../../bench/cpu.ts";
import { hopper } from "../../bench/frames.ts";
import { runPipe } from "../../bench/pipe.ts";
import { fillSource } from "../../bench/source.ts";
import { checkWarehouse, WarehouseIsWrong } from "../../bench/star.ts";
import { bundleModule } from "../../scripts/bundle.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { getStack } from "../support/stack.ts";

const ORDERS = 300;

describe("the bench's check of a warehouse", () => {
  let p: TestPipeline;
  const check = (): Promise<number> => checkWarehouse(p.shop, p.star);
  before(async () => {
    p = await openPipeline({ orders: 0 });
    await fillSource(p.shop, ORDERS);
    await p.run();
  });
  after(closeAll);

  it("finds nothing wrong with the star of the shop, and counts its versions", async () => {
    expect(await check()).to.equal(ORDERS);
  });

  it("looks at the latest versions", async () => {
    await p.shop.none(
      "update sales_order set units_sold = units_sold + 1 where sales_order_id = 7",
    );
    await expect(check()).to.be.rejectedWith(
      WarehouseIsWrong,
      /fact_sales_order: 300 rows expected/,
    );
    await p.run();
    expect(await check()).to.equal(ORDERS + 1);
  });

  /** Does something to the warehouse, and undoes it. */
  async function wrongly(wrong: string, undo: string, message: RegExp): Promise<void> {
    await p.star.multi(wrong);
    await expect(check()).to.be.rejectedWith(WarehouseIsWrong, message);
    await p.star.multi(undo);
    await check();
  }

  for (const [what, wrong, undo, message] of [
    [
      "a cent in a fact",
      "update fact_sales_order set unit_price = unit_price + 0.01 where sales_record_id = 1",
      "update fact_sales_order set unit_price = unit_price - 0.01 where sales_record_id = 1",
      /fact_sales_order/,
    ],
    [
      "a word in a dimension",
      "update dim_design set design_name = design_name || '!' where design_id = 1",
      "update dim_design set design_name = rtrim(design_name, '!') where design_id = 1",
      /dim_design/,
    ],
    [
      "a version that is the one before",
      `create temporary table kept as select * from fact_sales_order where sales_record_id = 1;
       update kept set sales_record_id = 100000; insert into fact_sales_order select * from kept`,
      "delete from fact_sales_order where sales_record_id = 100000; drop table kept",
      /versions that equal the one before/,
    ],
    [
      "a day that nothing refers to",
      "insert into dim_date values ('1999-12-31', 1999, 12, 31, 5, 'Friday', 'December', 4)",
      "delete from dim_date where date_id = '1999-12-31'",
      /dim_date/,
    ],
    [
      "a row without its match, behind a key that says it is valid",
      `begin; set local session_replication_role = replica;
       update dim_location set location_id = -location_id where location_id = 1; commit`,
      `begin; set local session_replication_role = replica;
       update dim_location set location_id = 1 where location_id = -1; commit`,
      /rows refer by agreed_delivery_location_id to no dim_location/,
    ],
  ] as const)
    it(`sees ${what}`, () => wrongly(wrong, undo, message));

  it("sees a foreign key that is gone", async () => {
    const { name } = await p.star.one<{ name: string }>(
      `select conname as name from pg_constraint
        where contype = 'f' and conrelid = 'fact_sales_order'::regclass limit 1`,
    );
    await p.star.none("alter table fact_sales_order drop constraint $1:name", [name]);
    await expect(check()).to.be.rejectedWith("fact_sales_order has 8 foreign keys, not 9");
  });
});

describe("the pipe", () => {
  it("moves every order from one database to another, and leaves nothing", async () => {
    const p = await openPipeline({ orders: 0 });
    await fillSource(p.shop, 2000);
    const folder = mkdtempSync(path.join(tmpdir(), "pipe-"));
    try {
      const script = path.join(folder, "pipe.mjs");
      await bundleModule("bench/copy-pipe.ts", script);
      const piped = await runPipe(script, p.source, p.warehouse, p.star);
      expect(piped.rows).to.equal(2000);
      expect(piped.bytes).to.be.above(2000 * 80);
      const { table } = await p.star.one<{ table: string | null }>(
        "select to_regclass('pipe_fact')::text as table",
      );
      expect(table).to.equal(null);
      await expect(
        runPipe(script, { ...p.source, database: "nowhere" }, p.warehouse, p.star),
      ).to.be.rejectedWith('database "nowhere" does not exist');
    } finally {
      rmSync(folder, { recursive: true });
      await closeAll();
    }
  });

  it("finds the messages however they are cut into chunks", () => {
    const message = fc.tuple(fc.integer({ min: 65, max: 90 }), fc.integer({ min: 0, max: 40 }));
    const cuts = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1 });
    fc.assert(
      fc.property(fc.array(message), cuts, (messages, sizes) => {
        const stream = Buffer.concat(
          messages.map(([type, length]) => {
            const bytes = Buffer.alloc(5 + length, 0xff);
            bytes[0] = type;
            bytes.writeInt32BE(length + 4, 1);
            return bytes;
          }),
        );
        const seen: [number, number][] = [];
        let from = 0;
        const hop = hopper((type, _chunk, at) => seen.push([type, from + at]));
        for (let i = 0; from < stream.length; i++) {
          const chunk = stream.subarray(from, from + sizes[i % sizes.length]!);
          hop(chunk);
          from += chunk.length;
        }
        let at = 0;
        const expected = messages.map(([type, length]) => {
          const begin = at;
          at += 5 + length;
          return [type, begin];
        });
        expect(seen).to.deep.equal(expected);
      }),
    );
  });
});

describe("PostgreSQL's CPU time", () => {
  it("is that of its processes, those that have ended among them", async function () {
    if (!existsSync("/proc/self/stat")) return this.skip();
    const { postgres } = await getStack();
    const p = await openPipeline({ orders: 0 });
    const before = cpuOfChildren(postgres.pid)!;
    await p.shop.one("select count(*) from generate_series(1, 3000000) g where g % 7 = 0");
    const after = cpuOfChildren(postgres.pid)!;
    expect(after - before).to.be.within(0.05, 60);
    await closeAll();
    expect(cpuOfChildren(postgres.pid)).to.be.at.least(after);
    expect(cpuOfChildren(2 ** 30)).to.equal(undefined);
  });
});
