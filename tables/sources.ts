// The tables of totesys that the star is made from. `key` is the primary key; columns that nobody reads may be left out.
import {
  boolean,
  decimal,
  defineSource,
  integer,
  key,
  nullable,
  text,
  timestamp,
} from "../src/table.ts";

const stamps = { created_at: timestamp, last_updated: timestamp };

export const address = defineSource("address", {
  address_id: key(integer),
  address_line_1: text,
  address_line_2: nullable(text),
  district: nullable(text),
  city: text,
  postal_code: text,
  country: text,
  phone: text,
  ...stamps,
});

export const counterparty = defineSource("counterparty", {
  counterparty_id: key(integer),
  counterparty_legal_name: text,
  legal_address_id: integer,
  commercial_contact: nullable(text),
  delivery_contact: nullable(text),
  ...stamps,
});

export const currency = defineSource("currency", {
  currency_id: key(integer),
  currency_code: text,
  ...stamps,
});

export const department = defineSource("department", {
  department_id: key(integer),
  department_name: text,
  location: nullable(text),
  manager: nullable(text),
  ...stamps,
});

export const design = defineSource("design", {
  design_id: key(integer),
  design_name: text,
  file_location: text,
  file_name: text,
  ...stamps,
});

export const staff = defineSource("staff", {
  staff_id: key(integer),
  first_name: text,
  last_name: text,
  department_id: integer,
  email_address: text,
  ...stamps,
});

export const payment_type = defineSource("payment_type", {
  payment_type_id: key(integer),
  payment_type_name: text,
  ...stamps,
});

// The agreed dates are text in totesys: nothing there keeps them from being no date at all.
export const sales_order = defineSource("sales_order", {
  sales_order_id: key(integer),
  design_id: integer,
  staff_id: integer,
  counterparty_id: integer,
  units_sold: integer,
  unit_price: decimal(10, 2),
  currency_id: integer,
  agreed_delivery_date: text,
  agreed_payment_date: text,
  agreed_delivery_location_id: integer,
  ...stamps,
});

export const purchase_order = defineSource("purchase_order", {
  purchase_order_id: key(integer),
  staff_id: integer,
  counterparty_id: integer,
  item_code: text,
  item_quantity: integer,
  item_unit_price: decimal(10, 2),
  currency_id: integer,
  agreed_delivery_date: text,
  agreed_payment_date: text,
  agreed_delivery_location_id: integer,
  ...stamps,
});

export const transaction = defineSource("transaction", {
  transaction_id: key(integer),
  transaction_type: text,
  sales_order_id: nullable(integer),
  purchase_order_id: nullable(integer),
  ...stamps,
});

export const payment = defineSource("payment", {
  payment_id: key(integer),
  transaction_id: integer,
  counterparty_id: integer,
  payment_amount: decimal(10, 2),
  currency_id: integer,
  payment_type_id: integer,
  paid: boolean,
  payment_date: text,
  company_ac_number: integer,
  counterparty_ac_number: integer,
  ...stamps,
});
