// P7: no function takes more memory than it is given, whatever the rows: as bundles, by Node 24 alone, as on Lambda.
import { STAGES, type FunctionName } from "../../scripts/bundle.ts";
import { openShop } from "../../localstack/totesys/shop.ts";
import { expect } from "../support/chai.ts";
import { Deployed } from "../support/deployed.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";

/** What a function may take at its peak, in bytes. */
const MOST = 256 * 1024 * 1024;

describe("the memory that the functions take", () => {
  let deployed: Deployed;
  let p: TestPipeline;
  before(async () => {
    deployed = await Deployed.make(...STAGES, "reconciliation");
  });
  after(async () => {
    await closeAll();
    await deployed.remove();
  });
  beforeEach(async () => {
    p = await openPipeline({ orders: 0 });
    await openShop(p.shop, { seed: 1, salesOrders: 0 });
  });

  /** The peak of one function, and what it answered. */
  async function run(
    name: FunctionName,
    memoryMb = 512,
  ): Promise<{ peak: number; answer: unknown }> {
    const started = deployed.start(name, { env: { ...p.env }, memoryMb, timeoutMs: 200_000 });
    try {
      const answer = await started.invoke({});
      return { answer, peak: (await started.usage())!.peakRssBytes };
    } finally {
      await started.stop();
    }
  }

  /** The peak of each function, once all three have brought the shop to the warehouse. */
  async function peaks(): Promise<number[]> {
    const found: number[] = [];
    for (const name of STAGES) found.push((await run(name)).peak);
    return found;
  }

  it("is bounded for many rows, and for as many differences", async () => {
    await p.shop.none(`
      insert into sales_order (sales_order_id, created_at, last_updated, design_id, staff_id, counterparty_id, units_sold,
                               unit_price, currency_id, agreed_delivery_date, agreed_payment_date, agreed_delivery_location_id)
      select i, at, at, (select min(design_id) from design), (select min(staff_id) from staff),
             (select min(counterparty_id) from counterparty), 1000 + i % 90000, (200 + i % 200) / 100.0,
             (select min(currency_id) from currency), to_char(at + interval '3 days', 'YYYY-MM-DD'),
             to_char(at + interval '2 days', 'YYYY-MM-DD'), (select min(address_id) from address)
        from (select i, timestamp '2022-11-03 14:20:52.186' + i * interval '317 milliseconds' as at
                from generate_series(1, 250000) i) o`);
    for (const peak of await peaks()) expect(peak).to.be.lessThan(MOST);
    const { rows } = await p.star.one<{ rows: string }>(
      "select count(*) as rows from fact_sales_order",
    );
    expect(rows).to.equal("250000");
    // Many rows that differ, range by range, and in the last range many that the source lacks.
    await p.star.none("update fact_sales_order set units_sold = units_sold + 1");
    await p.shop.none("delete from sales_order where sales_order_id > 150000");
    // A heap that is too small for what is held ends the process, while a peak depends on when Node collects. 57 MB suffice,
    // and 86 are given; the last range, read at once, wants more than 115, and all that differs, settled at once, more than 230.
    const { answer } = await run("reconciliation", 96);
    expect(answer).to.include({ differences: 250_000 });
  });

  it("is bounded for texts of a megabyte, of one byte a character and of two", async () => {
    // Texts that compress badly: pieces of random characters, cut and put together anew for each.
    await p.shop.none(`
      create temporary table noise as
        select t, string_agg(chr(case t when 1 then 33 else 913 end + (random() * 80)::int), '') as text
          from generate_series(1, 2) t, generate_series(1, 40000) i group by t;
      insert into design (design_id, created_at, design_name, file_location, file_name, last_updated)
      select 900000 + i, now(), 'long ' || i, string_agg(substr(text, (random() * 30000)::int, 1000), ''), 'x', now()
        from generate_series(1, 70) i join noise on t = 1 + i % 2, generate_series(1, 1000) k
       where k <= 1000 / t
       group by i`);
    for (const peak of await peaks()) expect(peak).to.be.lessThan(MOST);
    const { bytes } = await p.star.one<{ bytes: string }>(
      "select sum(octet_length(file_location)) as bytes from dim_design where design_id > 900000",
    );
    expect(Number(bytes)).to.be.greaterThan(60_000_000);
  });
});
