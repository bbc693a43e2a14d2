import { boolean, decimal, defineTable, integer, key, references, serial } from "../src/table.ts";
import { payment } from "./sources.ts";
import { dateOf, day, stampColumns, timeOf } from "./stamps.ts";

export default defineTable({
  name: "fact_payment",
  description: "One row per version of a payment: one that turns paid adds a row.",
  source: payment,
  columns: {
    payment_record_id: serial,
    payment_id: key(integer),
    ...stampColumns,
    transaction_id: references("dim_transaction", integer),
    counterparty_id: references("dim_counterparty", integer),
    payment_amount: decimal(10, 2),
    currency_id: references("dim_currency", integer),
    payment_type_id: references("dim_payment_type", integer),
    paid: boolean,
    payment_date: day,
  },
  format: (payment) => ({
    payment_id: payment.payment_id,
    created_date: dateOf(payment.created_at),
    created_time: timeOf(payment.created_at),
    last_updated_date: dateOf(payment.last_updated),
    last_updated_time: timeOf(payment.last_updated),
    transaction_id: payment.transaction_id,
    counterparty_id: payment.counterparty_id,
    payment_amount: payment.payment_amount,
    currency_id: payment.currency_id,
    payment_type_id: payment.payment_type_id,
    paid: payment.paid,
    payment_date: payment.payment_date,
  }),
});
