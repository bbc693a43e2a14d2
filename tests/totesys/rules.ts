import type { Database } from "../../localstack/totesys/shop.ts";

const ORDERS = `(
  select sales_order_id, null::int as purchase_order_id, created_at, last_updated, counterparty_id,
         units_sold * unit_price as value, currency_id, agreed_payment_date, agreed_delivery_date
    from sales_order
  union all
  select null, purchase_order_id, created_at, last_updated, counterparty_id,
         item_quantity * item_unit_price, currency_id, agreed_payment_date, agreed_delivery_date
    from purchase_order
) as ordered`;
const JOINED = `payment join transaction using (transaction_id) join ${ORDERS}
  on ordered.sales_order_id = transaction.sales_order_id
  or ordered.purchase_order_id = transaction.purchase_order_id`;

/** Each rule of the shop, as the rows that break it. */
const BROKEN: Readonly<Record<string, string>> = {
  "an order without its transaction": `
    select 1 from ${ORDERS} left join transaction
        on transaction.sales_order_id = ordered.sales_order_id
        or transaction.purchase_order_id = ordered.purchase_order_id
     where transaction_id is null`,
  "a transaction without its payment": `
    select 1 from transaction left join payment using (transaction_id) where payment_id is null`,
  "a transaction that is not of its order's kind": `
    select 1 from transaction
     where (transaction_type = 'SALE') <> (sales_order_id is not null)
        or (transaction_type = 'PURCHASE') <> (purchase_order_id is not null)`,
  "a payment of another amount than quantity × price": `
    select 1 from ${JOINED} where payment_amount <> value`,
  "a payment on another date than agreed": `
    select 1 from ${JOINED} where payment_date <> agreed_payment_date`,
  "a payment in another currency or of another counterparty": `
    select 1 from ${JOINED} where payment.currency_id <> ordered.currency_id
        or payment.counterparty_id <> ordered.counterparty_id`,
  "a payment of another type than its order's": `
    select 1 from payment join payment_type using (payment_type_id)
      join transaction using (transaction_id)
     where payment_type_name::text <>
           case when sales_order_id is null then 'PURCHASE_PAYMENT' else 'SALES_RECEIPT' end`,
  "made at another moment than its order": `
    select 1 from ${JOINED} where payment.created_at <> ordered.created_at
        or transaction.created_at <> ordered.created_at`,
  "paid, yet last_updated is created_at; or the other way round": `
    select 1 from payment where paid <> (last_updated <> created_at)`,
  "an order or transaction whose last_updated moved": `
    select 1 from ${ORDERS} where last_updated <> created_at
    union all select 1 from transaction where last_updated <> created_at`,
  "an account number that has not eight digits": `
    select 1 from payment
     where company_ac_number not between 10000000 and 99999999
        or counterparty_ac_number not between 10000000 and 99999999`,
  "an agreed date before its order": `
    select 1 from ${ORDERS} where agreed_payment_date < created_at::date::text
        or agreed_delivery_date < created_at::date::text`,
};

/** The rules of the shop that its rows break: none, in a shop that is right. */
export async function brokenRules(shop: Database): Promise<string[]> {
  const broken: string[] = [];
  for (const [rule, sql] of Object.entries(BROKEN)) {
    if (await shop.oneOrNone(`${sql} limit 1`)) broken.push(rule);
  }
  return broken;
}

/** Foreign keys that a row breaks, looked up row by row: none, in a shop that is right. */
export async function brokenReferences(shop: Database): Promise<string[]> {
  const keys = await shop.any<Record<"name" | "child" | "own" | "parent" | "theirs", string>>(
    `select conname as name, child.relname as child, own.attname as own, parent.relname as parent,
            theirs.attname as theirs
       from pg_constraint
       join pg_class child on child.oid = conrelid
       join pg_class parent on parent.oid = confrelid
       join pg_attribute own on own.attrelid = conrelid and own.attnum = conkey[1]
       join pg_attribute theirs on theirs.attrelid = confrelid and theirs.attnum = confkey[1]
      where contype = 'f'`,
  );
  if (keys.length < 14) throw new Error(`only ${keys.length} foreign keys found`);
  const broken: string[] = [];
  for (const key of keys) {
    const row = await shop.oneOrNone(
      `select 1 from $(child:name) as child
        where child.$(own:name) is not null and not exists (
          select 1 from $(parent:name) as parent where parent.$(theirs:name) = child.$(own:name))
        limit 1`,
      key,
    );
    if (row) broken.push(key.name);
  }
  return broken;
}

const TABLES = [
  "address",
  "counterparty",
  "currency",
  "department",
  "design",
  "staff",
  "payment_type",
  "sales_order",
  "purchase_order",
  "transaction",
  "payment",
];

/** A fingerprint of every table's rows, in the order in which they lie in it. */
export async function fingerprints(shop: Database): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const table of TABLES) {
    const { hash } = await shop.one<{ hash: string }>(
      `select count(*) || ' rows, ' || md5(coalesce(string_agg(row::text, e'\\n'), '')) as hash
         from (select * from $1:name order by ctid) as row`,
      [table],
    );
    found[table] = hash;
  }
  return found;
}
