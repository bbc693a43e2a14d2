import type { Database } from "../localstack/totesys/shop.ts";
import { openShop } from "../localstack/totesys/shop.ts";

/** As the real shop has them. */
const DESIGNS = 249;

/**
 * Fills an empty totesys with a shop that has taken `orders` sales orders in three years, and nothing else; the same each
 * time. The orders are made by the server: some 100,000 a second.
 */
export async function fillSource(db: Database, orders: number): Promise<void> {
  await openShop(db, { seed: 1, salesOrders: 0 });
  await db.tx(async (tx) => {
    // Foreign keys are kept by the way that ids are drawn: checking them would take four fifths of the time.
    await tx.none("set local session_replication_role = replica");
    await tx.none(MORE_DESIGNS, [DESIGNS]);
    await tx.one("select setseed(0.42)");
    await tx.none(ORDERS, [orders]);
    for (const table of ["sales_order", "design"])
      await tx.one("select setval($1, max($2:name)) from $3:name", [
        `${table}_${table}_id_seq`,
        `${table}_id`,
        table,
      ]);
  });
  await db.none("vacuum analyze");
}

const MORE_DESIGNS = `
insert into design (design_id, created_at, design_name, file_location, file_name, last_updated)
select g, created_at, design_name, file_location, format('%s-%s.json', lower(design_name), g), last_updated
  from generate_series((select max(design_id) + 1 from design), $1) g
  join design on design_id = 1 + g % (select max(design_id) from design)`;

/** Prices of 2.00 to 4.00 and some at the edge of numeric(10,2); one order in twenty amended a day or so later. */
const ORDERS = `
insert into sales_order (sales_order_id, created_at, last_updated, design_id, staff_id, counterparty_id, units_sold,
                         unit_price, currency_id, agreed_delivery_date, agreed_payment_date, agreed_delivery_location_id)
select id, made,
       case when id % 20 = 0 then made + interval '1 day' + floor(random() * 7200000) * interval '1 ms' else made end,
       1 + floor(random() * designs), 1 + floor(random() * staff), 1 + floor(random() * counterparties),
       1000 + floor(random() * 99001),
       case when id % 9973 = 0 then 99999999.99 else (200 + floor(random() * 201)) / 100 end,
       1 + floor(random() * currencies),
       to_char(made::date + 1 + floor(random() * 6)::int, 'YYYY-MM-DD'),
       to_char(made::date + floor(random() * 6)::int, 'YYYY-MM-DD'),
       1 + floor(random() * addresses)
  from (select id, timestamp '2022-11-03 14:20:52.186'
                   -- three to a millisecond
                   + floor((id / 3) * (94608000000.0 / ($1 / 3.0))) * interval '1 ms' as made
          from generate_series(1, $1) id) as orders,
       (select (select max(design_id) from design) as designs, (select max(staff_id) from staff) as staff,
               (select max(counterparty_id) from counterparty) as counterparties,
               (select max(currency_id) from currency) as currencies,
               (select max(address_id) from address) as addresses) as sizes`;
