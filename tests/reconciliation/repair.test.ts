// What a reconciliation names is put right by the ordinary path: the named rows are read again.
import { repairOf } from "../../src/reconciliation/difference.ts";
import { getTables } from "../../src/registry.ts";
import { defineSource, defineTable, detect, integer, key, serial, text } from "../../src/table.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, startAnew, type TestPipeline } from "../support/pipeline.ts";
import { ingestWith, loadWith, runWith, tablesOf, transformWith } from "../support/stages.ts";
import { callTotes } from "../support/totes.ts";
import { reconciled, shortly } from "./support.ts";

describe("a repair of what was named", () => {
  let p: TestPipeline;
  beforeEach(async () => {
    p = await openPipeline({ orders: 80 });
    await p.run();
  });
  after(closeAll);

  it("leaves no difference but what reading again cannot put right", async () => {
    await p.shop.none("update design set file_name = 'new.json' where design_id in (3, 4)");
    await p.run();
    await p.star.none(`
      set session_replication_role = replica;
      update dim_design set file_name = 'old.json' where design_id = 3;
      update dim_staff set location = 'Forged' where staff_id = 4;
      delete from dim_location where location_id = 5;
      insert into dim_currency values (99, 'XXX', 'None');
      delete from fact_payment where payment_id in (6, 7);
      update fact_sales_order set units_sold = -1 where sales_order_id = 8;
      delete from dim_date where date_id = (select max(date_id) from dim_date);
      insert into dim_transaction values (999999, 'SALE', 1, null);
      insert into dim_date values ('1999-12-31', 1999, 12, 31, 5, 'Friday', 'December', 4);
      set session_replication_role = origin`);
    const { found } = await reconciled(p);
    expect(found).to.have.length(10);
    const tables = await getTables();
    const { named, rows, left } = repairOf(found);
    expect(rows).to.equal(9);
    expect(left.map(({ key: of }) => of)).to.deep.equal([{ date_id: "1999-12-31" }]);

    const summary = await ingestWith(p, tables, { named });
    await transformWith(p, tables);
    await loadWith(p, tables);

    expect(summary.deleted).to.deep.equal({ currency: 1, transaction: 1 });
    expect(shortly(await reconciled(p))).to.deep.equal(["dim_date 1999-12-31 extra"]);
  });

  it("can be had of the command, which says what it did", async () => {
    await p.star.none("delete from fact_payment where payment_id = 6");
    const { code, out: wrapped } = await callTotes(p.env, [
      "reconcile",
      "--repair",
      "--yes",
      "--table",
      "fact_payment",
    ]);
    const out = wrapped.replaceAll(/\s+/g, " ");
    expect(out).to.include("1 source row to be read again: 1 of payment.");
    // The changes since the last batch come after them, where there are any.
    expect(out).to.match(
      /1 row read again, 0 gone from the source; batch \d is the last that holds them\./,
    );
    expect(code).to.equal(1);
    await p.transform();
    await p.load();
    expect((await callTotes(p.env, ["reconcile"])).code).to.equal(0);
  });

  it("is refused where it would empty a table, until that is confirmed", async () => {
    await p.shop.none("truncate payment cascade");
    const args = ["reconcile", "--repair", "--yes", "--table", "fact_payment"];
    const { count } = await p.star.one<{ count: string }>(
      "select count(distinct payment_id) from fact_payment",
    );
    const refused = await callTotes(p.env, args);
    expect(refused.out.replaceAll(/\s+/g, " ")).to.include(
      `${count} rows of fact_payment will leave the warehouse, all versions included: the source lacks them.`,
    );
    expect(refused.err.replaceAll(/\s+/g, " ")).to.include(
      "ReconciliationError: nothing was repaired: too many rows would leave fact_payment, as after TRUNCATE; if it is meant, add --confirm fact_payment",
    );
    expect(refused.code).to.equal(2);
    const confirmed = await callTotes(p.env, [...args, "--confirm", "fact_payment"]);
    expect(confirmed.out.replaceAll(/\s+/g, " ")).to.include(
      `0 rows read again, ${count} gone from the source`,
    );
    expect(confirmed.code).to.equal(1);
  });
});

describe("rows that are gone from their source", () => {
  let p: TestPipeline;
  const source = defineSource(
    "things",
    { id: key(integer), word: text },
    { schema: "odd", deletes: detect },
  );
  const table = <const N extends `dim_${string}`>(name: N, deleted: "keep" | "mark" | "remove") =>
    defineTable({
      name,
      description: "One row per thing.",
      source,
      columns: { id: key(integer), word: text },
      deleted,
      format: (row) => row,
    });
  const tables = tablesOf(
    table("dim_kept", "keep"),
    table("dim_marked", "mark"),
    table("dim_removed", "remove"),
    defineTable({
      name: "fact_marked",
      description: "One row per version of a thing.",
      source,
      columns: { thing_id: serial, id: key(integer), word: text },
      deleted: "mark",
      format: ({ id, word }) => ({ id, word }),
    }),
  );
  const named = async () => shortly(await reconciled(p, {}, tables));
  const detected = async (...ids: number[]): Promise<void> => {
    const keys = ids.map((id) => ({ id: String(id) }));
    await ingestWith(p, tables, { named: new Map([["things", keys]]), repair: false });
    await transformWith(p, tables);
    await loadWith(p, tables);
  };
  beforeEach(async () => {
    p = await openPipeline({ orders: 0 });
    await startAnew(p);
    await p.shop.none(
      "create schema odd; create table odd.things (id int primary key, word text not null); insert into odd.things select n, 'w' || n from generate_series(1, 10) n",
    );
    await runWith(p, tables);
    await p.shop.none("delete from odd.things where id in (3, 4)");
  });
  after(closeAll);

  it("are named until a batch says so, and then no more, whatever their tables do", async () => {
    expect(await named()).to.have.length(8);
    await detected(3, 4);
    expect(await named()).to.deep.equal([]);
  });

  it("are named where a table that removes them has them still", async () => {
    await detected(3, 4);
    await p.star.none("insert into dim_removed values (4, 'w4')");
    const { found } = await reconciled(p, {}, tables);
    expect(found.map(({ kind, note }) => [kind, note])).to.deep.equal([
      ["extra", "the lake says that it is gone"],
    ]);
  });

  it("are none of those that came back, and one that is marked though the source has it is named", async () => {
    await detected(3, 4);
    await p.shop.none("insert into odd.things values (3, 'again')");
    expect(await named()).to.deep.equal([]);
    await runWith(p, tables);
    expect(await named()).to.deep.equal([]);
    await p.star.none("update dim_marked set deleted_at = '2026-01-02' where id = 5");
    const { found } = await reconciled(p, {}, tables);
    expect(found.map(({ key: of, kind, columns }) => ({ ...of, kind, columns }))).to.deep.equal([
      {
        id: "5",
        kind: "different",
        columns: [{ column: "deleted_at", expected: null, found: "2026-01-02 00:00:00+00" }],
      },
    ]);
  });
});
