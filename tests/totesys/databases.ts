import pgPromise from "pg-promise";
import type { Database } from "../../localstack/totesys/shop.ts";
import type { Star } from "../../localstack/totesys/star.ts";
import { freshDatabases, type PgCredentials } from "../support/stack.ts";

// Tests open one database twice, which pg-promise would warn of.
const pgp = pgPromise({ noWarnings: true });
const opened: Database[] = [];

/** Opens a database; `closeDatabases` closes it. */
export function open(credentials: PgCredentials): Database {
  const db = pgp({ ...credentials });
  db.$pool.on("error", () => undefined);
  opened.push(db);
  return db;
}

/** An empty totesys and an empty warehouse, of the caller's own. */
export async function newDatabases(): Promise<{
  shop: Database;
  warehouse: Database;
  credentials: PgCredentials;
}> {
  const { source, warehouse } = await freshDatabases();
  return { shop: open(source), warehouse: open(warehouse), credentials: source };
}

/** An empty totesys of the caller's own. */
export async function newShop(): Promise<Database> {
  return (await newDatabases()).shop;
}

/** Closes what this file opened, so that the process can end. */
export async function closeDatabases(): Promise<void> {
  await Promise.all(opened.splice(0).map((db) => db.$pool.end()));
}

const MOMENTS =
  "created_date date, created_time time, last_updated_date date, last_updated_time time";

/** The star's tables as TOTESYS.md has them, prepared by hand: without rows, without foreign keys. */
const WAREHOUSE = `
  create table dim_date (date_id date primary key, year int, month int, day int, day_of_week int,
    day_name varchar, month_name varchar, quarter int);
  create table dim_staff (staff_id int primary key, first_name varchar, last_name varchar,
    department_name varchar, location varchar, email_address varchar);
  create table dim_location (location_id int primary key, address_line_1 varchar,
    address_line_2 varchar, district varchar, city varchar, postal_code varchar, country varchar,
    phone varchar);
  create table dim_currency (currency_id int primary key, currency_code varchar,
    currency_name varchar);
  create table dim_design (design_id int primary key, design_name varchar, file_location varchar,
    file_name varchar);
  create table dim_counterparty (counterparty_id int primary key, counterparty_legal_name varchar,
    counterparty_legal_address_line_1 varchar, counterparty_legal_address_line_2 varchar,
    counterparty_legal_district varchar, counterparty_legal_city varchar,
    counterparty_legal_postal_code varchar, counterparty_legal_country varchar,
    counterparty_legal_phone_number varchar);
  create table dim_payment_type (payment_type_id int primary key, payment_type_name varchar);
  create table dim_transaction (transaction_id int primary key, transaction_type varchar,
    sales_order_id int, purchase_order_id int);
  create table fact_sales_order (sales_record_id serial primary key, sales_order_id int, ${MOMENTS},
    sales_staff_id int, counterparty_id int, units_sold int, unit_price numeric(10,2),
    currency_id int, design_id int, agreed_payment_date date, agreed_delivery_date date,
    agreed_delivery_location_id int);
  create table fact_purchase_order (purchase_record_id serial primary key, purchase_order_id int,
    ${MOMENTS}, staff_id int, counterparty_id int, item_code varchar, item_quantity int,
    item_unit_price numeric(10,2), currency_id int, agreed_delivery_date date,
    agreed_payment_date date, agreed_delivery_location_id int);
  create table fact_payment (payment_record_id serial primary key, payment_id int, ${MOMENTS},
    transaction_id int, counterparty_id int, payment_amount numeric(10,2), currency_id int,
    payment_type_id int, paid boolean, payment_date date);`;

/** Creates the star's tables and puts the rows of `star` into them, as a pipeline without faults would. */
export async function fillWarehouse(warehouse: Database, star: Star): Promise<void> {
  await warehouse.none(WAREHOUSE);
  for (const [table, { columns, rows }] of star) {
    const records = rows.map((row) =>
      Object.fromEntries(columns.map((column, i) => [column, row[i] ?? null])),
    );
    await warehouse.none(
      `insert into $(table:name) ($(columns:name))
       select $(columns:name) from json_populate_recordset(null::$(table:name), $(json)::json)`,
      { table, columns, json: JSON.stringify(records) },
    );
  }
}
