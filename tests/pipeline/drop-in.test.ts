// P6: a new table is one new file. It needs no edit anywhere else, and fills itself at the next run.
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import path from "node:path";
import { getTables, readTables } from "../../src/registry.ts";
import type { Table } from "../../src/table.ts";
import { expect } from "../support/chai.ts";
import { dropIn } from "../support/drop-in.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import {
  ingestWith,
  loadWith,
  runWith,
  tablesOf,
  type Module,
  transformWith,
} from "../support/stages.ts";
import fact_design_use from "../fixtures/tables/fact_design_use.ts";

const root = path.join(import.meta.dirname, "..", "..");

describe("a new table module", () => {
  let p: TestPipeline;
  let before_: readonly Table[];
  let after_: readonly Table[];
  let modules: Module[];
  before(async () => {
    p = await openPipeline();
    before_ = await getTables();
    modules = await Promise.all(
      before_.map(async ({ name }) => {
        const file = (await import(`../../tables/${name}.ts`)) as { default: Module };
        return file.default;
      }),
    );
    after_ = tablesOf(...modules, fact_design_use);
    await runWith(p, before_);
    await p.shop.none("update sales_order set units_sold = units_sold + 1");
    await runWith(p, before_);
  });
  after(closeAll);

  /** What the fixture's table should hold, by SQL on both sides. */
  async function expectFilled(): Promise<void> {
    const expected = await p.shop.any(
      `select o.sales_order_id, o.design_id, d.file_location || '/' || d.file_name as file
         from sales_order o join design d using (design_id) order by 1`,
    );
    const found = await p.star.any(
      `select distinct on (sales_order_id) sales_order_id, design_id, file
         from fact_design_use order by sales_order_id, use_record_id desc`,
    );
    expect(found).to.deep.equal(expected);
  }

  it("is filled with its source's history at the next run, and nothing else is read from the start", async () => {
    const { kind, reasons, rows } = await runWith(p, after_);
    expect(kind).to.equal("backfill");
    expect(reasons).to.deep.equal(["fact_design_use is new"]);
    const orders = await p.shop.one<{ n: string }>("select count(*) n from sales_order");
    expect(rows["sales_order"]).to.equal(Number(orders.n));
    expect(rows).to.have.all.keys("sales_order", "design");
    await expectFilled();
    await p.expectTrue({ allowExtraDates: true });
  });

  it("is followed from then on, its lookups too", async () => {
    await p.shop.none("update design set file_location = '/elsewhere' where design_id = 1");
    expect(await runWith(p, after_)).to.include({ kind: "changes" });
    await expectFilled();
  });

  it("leaves a batch alone that was read without it, and is filled after it all the same", async () => {
    await p.shop.none("update sales_order set design_id = 3 where sales_order_id = 1");
    // Ingested before the deployment, transformed after it.
    await ingestWith(p, before_);
    await transformWith(p, after_);
    await loadWith(p, after_);
    expect(await p.rejected()).to.deep.equal([]);
    await runWith(p, after_);
    await expectFilled();
    expect(await p.rejected()).to.deep.equal([]);
  });

  /** Does something as code of that age. */
  const as = async <T>(build: string, work: () => Promise<T>): Promise<T> => {
    process.env["BUILD"] = build;
    try {
      return await work();
    } finally {
      delete process.env["BUILD"];
    }
  };

  it("waits, in a function that the deploy has not reached yet, and loses nothing", async () => {
    const raised = tablesOf(...modules, Object.assign({}, fact_design_use, { version: 2 }));
    await as("2000", () => ingestWith(p, raised));
    const refusal =
      /^batch \d+ was made by newer code \(built 1970-01-01T00:00:02\.000Z\), with other modules for fact_design_use: a deploy/;
    await expect(as("1000", () => transformWith(p, before_))).to.be.rejectedWith(refusal);
    await as("2000", () => transformWith(p, raised));
    await expect(as("1000", () => loadWith(p, before_))).to.be.rejectedWith(refusal);
    const { loaded } = await as("2000", () => loadWith(p, raised));
    expect(loaded.map(({ tables }) => tables["fact_design_use"]?.changed)).to.deep.equal([0]);
    await expectFilled();
    // And back to the module as it was.
    await runWith(p, after_);
  });

  it("that was deployed and rolled back holds nobody up, and is filled when it comes again", async () => {
    const raised = tablesOf(...modules, Object.assign({}, fact_design_use, { version: 3 }));
    await as("4000", () => ingestWith(p, raised));
    // Ingestion alone is the newer one: however long that lasts, nothing of the batch is left out.
    await expect(as("3000", () => transformWith(p, after_))).to.be.rejectedWith(
      /a deploy is under way/,
    );
    await as("3000", async () => {
      expect(await ingestWith(p, after_)).to.include({ outcome: "committed", kind: "backfill" });
      await transformWith(p, after_);
      expect((await loadWith(p, after_)).loaded).to.have.length(2);
    });
    await expectFilled();
    const { reasons } = await as("5000", () => runWith(p, raised));
    expect(reasons).to.deep.equal(["fact_design_use has changed"]);
    await as("6000", () => runWith(p, after_));
  });

  it("is filled again when its version is raised, and rows that stayed the same get no version", async () => {
    const raised = tablesOf(...modules, Object.assign({}, fact_design_use, { version: 2 }));
    const count = "select count(*) n from fact_design_use";
    const versions = await p.star.one<{ n: string }>(count);
    expect((await runWith(p, raised)).reasons).to.deep.equal(["fact_design_use has changed"]);
    expect(await p.star.one<{ n: string }>(count)).to.deep.equal(versions);
  });

  it("that is taken away again leaves its table as it is", async () => {
    await p.shop.none("update sales_order set design_id = 2 where sales_order_id = 1");
    await runWith(p, before_);
    expect(await p.star.any("select from fact_design_use")).to.have.length.greaterThan(0);
  });
});

describe("the registry", () => {
  it("finds the eleven tables of the project", async () => {
    expect((await getTables()).map(({ name }) => name)).to.have.members([
      "dim_counterparty",
      "dim_currency",
      "dim_date",
      "dim_design",
      "dim_location",
      "dim_payment_type",
      "dim_staff",
      "dim_transaction",
      "fact_payment",
      "fact_purchase_order",
      "fact_sales_order",
    ]);
  });

  it("finds a file that is dropped into the folder, without any other edit", async () => {
    // A copy of tables/ beside it, so that the modules' imports lead where they should.
    const folder = mkdtempSync(path.join(root, ".local-tables-"));
    try {
      cpSync(path.join(root, "tables"), folder, { recursive: true });
      dropIn(folder);
      expect((await readTables(folder)).map(({ name }) => name)).to.include("fact_design_use");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("names the file that cannot be read", async () => {
    const nested = path.join(root, "tests", "fixtures", "broken-tables");
    await expect(readTables(nested)).to.be.rejectedWith(
      /tables\/dim_broken\.ts: cannot be read: this module cannot be loaded/,
    );
  });
});
