import { DAY, dayOf, settlement, stamp } from "./calendar.ts";
import type { Random } from "./random.ts";
import { copyRows } from "./source.ts";
import type { Cell, Connection, Queryable } from "./source.ts";

/** The ids that an order may refer to. */
export interface References {
  staff: number[];
  counterparties: number[];
  addresses: number[];
  currencies: number[];
  designs: number[];
  salesReceipt: number;
  purchasePayment: number;
}

/** What an order is to be: the ids of its rows, and when it was made. */
export interface Draft {
  kind: "sale" | "purchase";
  orderId: number;
  transactionId: number;
  paymentId: number;
  /** Milliseconds since 1970, UTC. */
  createdAt: number;
  /** How many of the designs there are by then. */
  designs: number;
  /** Payments that are settled by this moment are paid; none are without it. Milliseconds since 1970, UTC. */
  settledBy?: number;
  /** Written into agreed_delivery_date as it is, instead of a day. */
  deliveryDate?: string;
}

/** Rows of orders, with their transactions and payments, that wait to be written together. */
export interface Book {
  sales: Cell[][];
  purchases: Cell[][];
  transactions: Cell[][];
  payments: Cell[][];
}

const SALES_COLUMNS = [
  "sales_order_id",
  "created_at",
  "last_updated",
  "design_id",
  "staff_id",
  "counterparty_id",
  "units_sold",
  "unit_price",
  "currency_id",
  "agreed_delivery_date",
  "agreed_payment_date",
  "agreed_delivery_location_id",
];
const PURCHASE_COLUMNS = [
  "purchase_order_id",
  "created_at",
  "last_updated",
  "staff_id",
  "counterparty_id",
  "item_code",
  "item_quantity",
  "item_unit_price",
  "currency_id",
  "agreed_delivery_date",
  "agreed_payment_date",
  "agreed_delivery_location_id",
];
const TRANSACTION_COLUMNS = [
  "transaction_id",
  "transaction_type",
  "sales_order_id",
  "purchase_order_id",
  "created_at",
  "last_updated",
];
const PAYMENT_COLUMNS = [
  "payment_id",
  "created_at",
  "last_updated",
  "transaction_id",
  "counterparty_id",
  "payment_amount",
  "currency_id",
  "payment_type_id",
  "paid",
  "payment_date",
  "company_ac_number",
  "counterparty_ac_number",
];

/** An empty book. */
export function newBook(): Book {
  return { sales: [], purchases: [], transactions: [], payments: [] };
}

/**
 * Reads what orders may refer to. Throws when the shop has no currency of GBP, USD and EUR, or lacks the
 * payment types of sales and purchases.
 */
export async function readReferences(db: Queryable): Promise<References> {
  const row = await db.one<Omit<References, "salesReceipt" | "purchasePayment"> & PaymentTypes>(
    `select array(select staff_id from public.staff order by 1) as staff,
            array(select counterparty_id from public.counterparty order by 1) as counterparties,
            array(select address_id from public.address order by 1) as addresses,
            array(select currency_id from public.currency
                   where currency_code in ('GBP', 'USD', 'EUR') order by 1) as currencies,
            array(select design_id from public.design order by 1) as designs,
            (select min(payment_type_id) from public.payment_type
              where payment_type_name::text = 'SALES_RECEIPT') as sales_receipt,
            (select min(payment_type_id) from public.payment_type
              where payment_type_name::text = 'PURCHASE_PAYMENT') as purchase_payment`,
  );
  const { sales_receipt: salesReceipt, purchase_payment: purchasePayment, ...ids } = row;
  const absent = Object.entries(ids).find(([, found]) => found.length === 0);
  if (absent) throw new Error(`the shop has no ${absent[0]} to trade with: open it first`);
  if (salesReceipt === null || purchasePayment === null) {
    throw new Error("the shop lacks the payment types SALES_RECEIPT and PURCHASE_PAYMENT");
  }
  return { ...ids, salesReceipt, purchasePayment };
}

interface PaymentTypes {
  sales_receipt: number | null;
  purchase_payment: number | null;
}

/** Draws the rows of one order, its transaction and its payment, and adds them to `book`. */
export function enter(book: Book, random: Random, references: References, draft: Draft): void {
  const { kind, createdAt, orderId, transactionId } = draft;
  const created = stamp(createdAt);
  const counterparty = random.pick(references.counterparties);
  const currency = random.pick(references.currencies);
  const staff = random.pick(references.staff);
  const due = createdAt + random.int(0, 6) * DAY;
  const delivery = draft.deliveryDate ?? dayOf(createdAt + deliveryDays(random) * DAY);
  const address = random.pick(references.addresses);
  // In pennies, so that quantity × price is exact.
  let price: number;
  let quantity: number;

  if (kind === "sale") {
    price = random.int(200, 400);
    quantity = random.int(1000, 99_999);
    book.sales.push([
      orderId,
      created,
      created,
      // The low ids are drawn more often, so that some designs sell better than others.
      references.designs[Math.floor(random.next() ** 1.6 * draft.designs)] ?? 1,
      staff,
      counterparty,
      quantity,
      money(price),
      currency,
      delivery,
      dayOf(due),
      address,
    ]);
  } else {
    price = random.int(300, 99_999);
    quantity = random.int(1, 999);
    book.purchases.push([
      orderId,
      created,
      created,
      staff,
      counterparty,
      itemCode(random),
      quantity,
      money(price),
      currency,
      delivery,
      dayOf(due),
      address,
    ]);
  }

  book.transactions.push([
    transactionId,
    kind === "sale" ? "SALE" : "PURCHASE",
    kind === "sale" ? orderId : null,
    kind === "sale" ? null : orderId,
    created,
    created,
  ]);

  const settled = settlement(createdAt, due, random.int(8000, 12_999));
  const paid = settled !== null && draft.settledBy !== undefined && settled <= draft.settledBy;
  book.payments.push([
    draft.paymentId,
    created,
    paid ? stamp(settled) : created,
    transactionId,
    counterparty,
    money(price * quantity),
    currency,
    kind === "sale" ? references.salesReceipt : references.purchasePayment,
    paid,
    dayOf(due),
    random.int(10_000_000, 99_999_999),
    random.int(10_000_000, 99_999_999),
  ]);
}

/** Writes a book, in the order that its foreign keys want, and empties it. Throws what PostgreSQL says. */
export async function write(connection: Connection, book: Book): Promise<void> {
  await copyRows(connection, "sales_order", SALES_COLUMNS, book.sales.splice(0));
  await copyRows(connection, "purchase_order", PURCHASE_COLUMNS, book.purchases.splice(0));
  await copyRows(connection, "transaction", TRANSACTION_COLUMNS, book.transactions.splice(0));
  await copyRows(connection, "payment", PAYMENT_COLUMNS, book.payments.splice(0));
}

/** How many days after its order a delivery is agreed: nearly always a week at most. */
export function deliveryDays(random: Random): number {
  return random.chance(0.005) ? random.int(10, 300) : random.int(0, 7);
}

function money(pennies: number): string {
  return (pennies / 100).toFixed(2);
}

const CODE_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

function itemCode(random: Random): string {
  let code = "";
  for (let i = 0; i < 7; i++) code += CODE_CHARACTERS[random.int(0, CODE_CHARACTERS.length - 1)];
  return code;
}
