import { openShop, poisonOrder } from "../../localstack/totesys/shop.ts";
import { compare, problems, starOf, type Star } from "../../localstack/totesys/star.ts";
import { expect } from "../support/chai.ts";
import { closeDatabases, newShop, open } from "./databases.ts";
import { delivered, tinyShop } from "./tiny-shop.ts";

after(closeDatabases);

const rowsOf = (star: Star, table: string): unknown[] =>
  [...(star.get(table)?.rows ?? [])].toSorted((a, b) => String(a[0]).localeCompare(String(b[0])));
const keysOf = (star: Star, table: string): unknown[] =>
  rowsOf(star, table).map((row) => (row as unknown[])[0]);
const quarantinedOf = (star: Star, table: string): unknown[] => star.get(table)?.quarantined ?? [];

describe("starOf", () => {
  it("makes each of the eleven tables as the rules say", async () => {
    const { shop } = await tinyShop();
    const star = await starOf(shop);
    const expected: Record<string, (string | null)[][]> = {
      dim_date: [
        ["2024-02-28", "2024", "2", "28", "3", "Wednesday", "February", "1"],
        ["2024-02-29", "2024", "2", "29", "4", "Thursday", "February", "1"],
        ["2024-03-01", "2024", "3", "1", "5", "Friday", "March", "1"],
        ["2024-12-31", "2024", "12", "31", "2", "Tuesday", "December", "4"],
      ],
      dim_staff: [
        ["1", "Niamh", "O'Keefe", "Dispatch", "Leds", "niamh.o'keefe@x.example"],
        ["2", "Ewa", "Nowak", "Press", "Unknown", "e@x.example"],
      ],
      dim_location: [
        [
          "1",
          "1 Mill Lane",
          "Unit 4",
          "St. Ann's",
          "Leeds",
          "00123",
          "Democratic People's Republic of Korea",
          "0113 1",
        ],
        ["2", "2 Kiln Row", null, null, "Île-Rousse", "X", "Japan", "2"],
      ],
      dim_currency: [
        ["1", "GBP", "Pound Sterling"],
        ["5", "JPY", "Yen"],
        ["6", "CHF", "Swiss Franc"],
      ],
      dim_design: [["1", "Cotton", "/srv", "c.json"]],
      dim_counterparty: [
        [
          "1",
          "Bell, Stone and Co",
          "1 Mill Lane",
          "Unit 4",
          "St. Ann's",
          "Leeds",
          "00123",
          "Democratic People's Republic of Korea",
          "0113 1",
        ],
      ],
      dim_payment_type: [
        ["1", "SALES_RECEIPT"],
        ["3", "PURCHASE_PAYMENT"],
      ],
      dim_transaction: [
        ["1", "SALE", "1", null],
        ["2", "PURCHASE", null, "1"],
      ],
      fact_sales_order: [
        [
          "1",
          "2024-02-28",
          "09:05:07.120000",
          "2024-02-28",
          "09:05:07.120000",
          "1",
          "1",
          "1000",
          "2.50",
          "1",
          "1",
          "2024-03-01",
          "2024-02-29",
          "2",
        ],
      ],
      fact_purchase_order: [
        [
          "1",
          "2024-02-28",
          "23:59:59.999000",
          "2024-02-28",
          "23:59:59.999000",
          "2",
          "1",
          "AB12",
          "3",
          "7.00",
          "5",
          "2024-12-31",
          "2024-02-28",
          "1",
        ],
      ],
      fact_payment: [
        [
          "1",
          "2024-02-28",
          "09:05:07.120000",
          "2024-03-01",
          "07:55:11.000000",
          "1",
          "1",
          "2500.00",
          "1",
          "1",
          "true",
          "2024-03-01",
        ],
        [
          "2",
          "2024-02-28",
          "23:59:59.999000",
          "2024-02-28",
          "23:59:59.999000",
          "2",
          "1",
          "21.00",
          "5",
          "3",
          "false",
          "2024-02-28",
        ],
      ],
    };
    expect([...star.keys()]).to.have.members(Object.keys(expected));
    for (const [table, rows] of Object.entries(expected)) {
      expect(rowsOf(star, table), table).to.deep.equal(rows);
      expect(quarantinedOf(star, table), table).to.deep.equal([]);
    }
    expect(star.get("fact_sales_order")?.columns).to.deep.equal([
      "sales_order_id",
      "created_date",
      "created_time",
      "last_updated_date",
      "last_updated_time",
      "sales_staff_id",
      "counterparty_id",
      "units_sold",
      "unit_price",
      "currency_id",
      "design_id",
      "agreed_payment_date",
      "agreed_delivery_date",
      "agreed_delivery_location_id",
    ]);
    expect(star.get("fact_sales_order")?.key).to.deep.equal(["sales_order_id"]);
  });

  const days: [string, boolean][] = [
    ["0001-01-01", true],
    ["9999-12-31", true],
    ["2024-02-29", true],
    ["2000-02-29", true],
    ["1900-02-29", false],
    ["2023-02-29", false],
    ["2024-02-30", false],
    ["2024-04-31", false],
    ["2024-06-31", false],
    ["2024-07-31", true],
    ["2024-00-10", false],
    ["2024-13-01", false],
    ["2024-01-00", false],
    ["2024-01-32", false],
    ["0000-01-01", false],
    ["10000-01-01", false],
    ["", false],
    ["infinity", false],
    ["30/06/2024", false],
    ["2024-1-1", false],
    [" 2024-01-01", false],
    ["2024-01-01 ", false],
    ["2024-01-01\n", false],
    ["2024-01-01T00:00:00", false],
    ["٢٠٢٤-٠١-٠١", false],
    ["today", false],
  ];
  it("tells days from what is none, and fails at no text", async () => {
    const { shop } = await tinyShop();
    for (const [i, [day]] of days.entries()) await shop.none(delivered(100 + i, day));
    const star = await starOf(shop);
    const kept = new Set(keysOf(star, "fact_sales_order"));
    for (const [i, [day, real]] of days.entries()) {
      expect(kept.has(String(100 + i)), JSON.stringify(day)).to.equal(real);
    }
    expect(quarantinedOf(star, "fact_sales_order")).to.have.length(
      days.filter(([, real]) => !real).length,
    );
    expect(keysOf(star, "dim_date")).to.include.members(["0001-01-01", "9999-12-31"]);
  });

  it("knows every day of common, leap and century years as PostgreSQL does", async () => {
    const { shop } = await tinyShop();
    await shop.none(
      `insert into sales_order
       select 1000 + row_number() over (), '2024-02-28', '2024-02-28', 1, 1, 1, 1, 1, 1,
              to_char(day, 'YYYY-MM-DD'), '2024-03-01', 2
         from (select generate_series(timestamp '1899-01-01', '1900-12-31', '1 day') as day
               union all select generate_series(timestamp '1999-01-01', '2004-12-31', '1 day')) as days`,
    );
    const star = await starOf(shop);
    expect(star.get("fact_sales_order")?.rows).to.have.length(2 * 365 + 6 * 365 + 2 + 1);
    expect(quarantinedOf(star, "fact_sales_order")).to.deep.equal([]);
  });

  it("leaves out what does not fit, and names its keys", async () => {
    const { shop } = await tinyShop();
    await shop.none(
      `insert into currency values (8, 'XQZ', '2024-01-01', '2024-01-01'), (9, 'gbp', '2024-01-01', '2024-01-01');
       ${delivered(2, "2024-05-05")} update sales_order set unit_price = 'NaN' where sales_order_id = 2;
       ${delivered(3, "2024-05-06")} update sales_order set created_at = 'infinity' where sales_order_id = 3;
       ${delivered(4, "2024-05-07")} update sales_order set last_updated = '10000-01-01' where sales_order_id = 4;
       ${delivered(5, "2024-05-08")} update sales_order set created_at = '0044-03-15 BC' where sales_order_id = 5;
       ${delivered(6, "2024-02-29")} update sales_order set agreed_payment_date = '2024-02-31' where sales_order_id = 6;
       update purchase_order set item_unit_price = 'NaN';
       update payment set payment_amount = 'NaN' where payment_id = 1;
       update payment set payment_date = '' where payment_id = 2;
       alter table staff alter column department_id drop not null;
       update staff set department_id = null where staff_id = 2;
       alter table counterparty drop constraint counterparty_legal_address_id_fkey;
       update counterparty set legal_address_id = 77;
       alter table design alter column file_name drop not null;
       update design set file_name = null`,
    );
    const star = await starOf(shop);
    const quarantined = Object.fromEntries(
      [...star].map(([table, rows]) => [
        table,
        rows.quarantined.map(([id]) => Number(id)).toSorted((a, b) => a - b),
      ]),
    );
    expect(quarantined).to.deep.equal({
      dim_date: [],
      dim_staff: [2],
      dim_location: [],
      dim_currency: [8, 9],
      dim_design: [1],
      dim_counterparty: [1],
      dim_payment_type: [],
      dim_transaction: [],
      fact_sales_order: [2, 3, 4, 5, 6],
      fact_purchase_order: [1],
      fact_payment: [1, 2],
    });
    expect(keysOf(star, "fact_sales_order")).to.deep.equal(["1"]);
    expect(keysOf(star, "dim_date")).to.deep.equal(["2024-02-28", "2024-02-29", "2024-03-01"]);
    expect((star.get("dim_date")?.allowed ?? []).map(([day]) => day)).to.have.members([
      "2024-05-05",
      "2024-05-06",
      "2024-05-07",
      "2024-05-08",
      "2024-12-31",
    ]);
  });

  it("reads in any session: other DateStyle, time zone and search path", async () => {
    const { shop, credentials } = await tinyShop();
    const expected = await starOf(shop);
    const { name } = await shop.one<{ name: string }>("select current_database() as name");
    for (const setting of [
      "datestyle = 'German, DMY'",
      "timezone = 'Asia/Tokyo'",
      "search_path = 'pg_catalog'",
      "extra_float_digits = 0",
    ]) {
      await shop.none(`alter database $1:name set ${setting}`, [name]);
    }
    const again = open({ ...credentials });
    expect(await again.one("show datestyle")).to.deep.equal({ DateStyle: "German, DMY" });
    expect(problems(compare(expected, await starOf(again)))).to.deep.equal([]);
  });

  it("sees one moment of the source, its totals the shop's own", async () => {
    const shop = await newShop();
    await openShop(shop, { seed: 6, salesOrders: 500 });
    await poisonOrder(shop, { seed: 1, now: new Date("2024-01-04T10:00:00Z") });
    const star = await starOf(shop);
    expect(star.get("fact_sales_order")?.rows).to.have.length(500);
    expect(star.get("fact_payment")?.rows).to.have.length(721);
    expect(star.get("dim_transaction")?.rows).to.have.length(721);
  });
});
