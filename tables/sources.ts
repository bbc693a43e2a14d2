// The tables of totesys that the star is made from. `key` is the primary key; columns that nobody reads may be left out.
// What a column means is said here: star columns that hand its values on mean the same.
import {
  boolean,
  decimal,
  defineSource,
  described,
  integer,
  key,
  nullable,
  text,
  timestamp,
} from "../src/table.ts";

const stamps = {
  created_at: described("When the row was made.", timestamp),
  last_updated: described(
    "When the shop says that it changed the row last. It changes rows without saying so.",
    timestamp,
  ),
};

export const address = defineSource("address", {
  address_id: described("Number of the address.", key(integer)),
  address_line_1: described("House and street.", text),
  address_line_2: described("Second line of the address, where it has one.", nullable(text)),
  district: described("District, where the address names one.", nullable(text)),
  city: described("Town or city.", text),
  postal_code: described("Postal code, as its country writes it.", text),
  country: described("Name of the country, in English.", text),
  phone: described("Telephone number at the address, as it was typed in.", text),
  ...stamps,
});

export const counterparty = defineSource("counterparty", {
  counterparty_id: described(
    "Number of the counterparty: a company that the shop sells to or buys from.",
    key(integer),
  ),
  counterparty_legal_name: described("Name of the company, in law.", text),
  legal_address_id: described("The company's registered address.", integer),
  commercial_contact: described("Who answers for prices and orders.", nullable(text)),
  delivery_contact: described("Who answers for deliveries.", nullable(text)),
  ...stamps,
});

export const currency = defineSource("currency", {
  currency_id: described("Number of the currency.", key(integer)),
  currency_code: described("ISO 4217 code of the currency.", text, "GBP", "EUR", "USD"),
  ...stamps,
});

export const department = defineSource("department", {
  department_id: described("Number of the department.", key(integer)),
  department_name: described("Name of the department.", text),
  location: described("Town in which the department is.", nullable(text)),
  manager: described("Name of the department's manager.", nullable(text)),
  ...stamps,
});

export const design = defineSource("design", {
  design_id: described("Number of the design.", key(integer)),
  design_name: described(
    "Name of the design. Several designs may share one: the file tells them apart.",
    text,
  ),
  file_location: described(
    "Folder of the design's picture. It moves without a trace in last_updated.",
    text,
  ),
  file_name: described("File of the design's picture.", text),
  ...stamps,
});

export const staff = defineSource("staff", {
  staff_id: described("Number of the member of staff.", key(integer)),
  first_name: described("First name.", text),
  last_name: described("Last name.", text),
  department_id: described("The department that they work in.", integer),
  email_address: described("E-mail address at work.", text),
  ...stamps,
});

export const payment_type = defineSource("payment_type", {
  payment_type_id: described("Number of the type of payment.", key(integer)),
  payment_type_name: described(
    "What is paid: receipts and purchase refunds come in, purchase payments and sales refunds go out.",
    text,
    "SALES_RECEIPT",
    "SALES_REFUND",
    "PURCHASE_PAYMENT",
    "PURCHASE_REFUND",
  ),
  ...stamps,
});

// The agreed dates are text in totesys: nothing there keeps them from being no date at all.
export const sales_order = defineSource("sales_order", {
  sales_order_id: described("Number of the sales order.", key(integer)),
  design_id: described("The design that was ordered: an order is for one.", integer),
  staff_id: described("The member of staff who sold it.", integer),
  counterparty_id: described("The customer.", integer),
  units_sold: described("Totes ordered.", integer),
  unit_price: described("Price of one tote, in the order's currency.", decimal(10, 2)),
  currency_id: described(
    "The currency of the price. There are no rates: amounts of two currencies are never added.",
    integer,
  ),
  agreed_delivery_date: described(
    "The day for which delivery was agreed.",
    text,
    "2023-11-10",
    "2024-02-29",
  ),
  agreed_payment_date: described(
    "The day by which payment was agreed.",
    text,
    "2023-11-08",
    "2024-03-01",
  ),
  agreed_delivery_location_id: described("The address to deliver to.", integer),
  ...stamps,
});

export const purchase_order = defineSource("purchase_order", {
  purchase_order_id: described("Number of the purchase order.", key(integer)),
  staff_id: described("The member of staff who bought it.", integer),
  counterparty_id: described("The supplier.", integer),
  item_code: described("The supplier's code of what was bought.", text),
  item_quantity: described("Items ordered.", integer),
  item_unit_price: described("Price of one item, in the order's currency.", decimal(10, 2)),
  currency_id: described(
    "The currency of the price. There are no rates: amounts of two currencies are never added.",
    integer,
  ),
  agreed_delivery_date: described(
    "The day for which delivery was agreed.",
    text,
    "2023-11-10",
    "2024-02-29",
  ),
  agreed_payment_date: described(
    "The day by which payment was agreed.",
    text,
    "2023-11-08",
    "2024-03-01",
  ),
  agreed_delivery_location_id: described("The address that the supplier delivers to.", integer),
  ...stamps,
});

export const transaction = defineSource("transaction", {
  transaction_id: described("Number of the transaction.", key(integer)),
  transaction_type: described("Whether it is a sale or a purchase.", text, "SALE", "PURCHASE"),
  sales_order_id: described("The order that was sold; null of a purchase.", nullable(integer)),
  purchase_order_id: described("The order that was bought; null of a sale.", nullable(integer)),
  ...stamps,
});

export const payment = defineSource("payment", {
  payment_id: described("Number of the payment: there is one for each transaction.", key(integer)),
  transaction_id: described("The sale or the purchase that is paid for.", integer),
  counterparty_id: described("Who pays, or is paid.", integer),
  payment_amount: described(
    "Amount, in the payment's currency: quantity times price of the order.",
    decimal(10, 2),
  ),
  currency_id: described(
    "The currency of the amount. There are no rates: amounts of two currencies are never added.",
    integer,
  ),
  payment_type_id: described("What is paid, and which way.", integer),
  paid: described(
    "Whether it has been paid. A payment that turns paid gets a new version.",
    boolean,
  ),
  payment_date: described(
    "The day on which it is due: the order's agreed payment date.",
    text,
    "2023-11-08",
    "2024-03-01",
  ),
  company_ac_number: described("Number of the shop's account.", integer),
  counterparty_ac_number: described("Number of the counterparty's account.", integer),
  ...stamps,
});
