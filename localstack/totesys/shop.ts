import { timeline } from "./calendar.ts";
import type { Timeline } from "./calendar.ts";
import { enter, newBook, readReferences, write } from "./orders.ts";
import { random } from "./random.ts";
import type { Random, Seed } from "./random.ts";
import { designMade, designsBy, designsFor, referenceRows } from "./reference.ts";
import { assertEmpty, copyRows, onConnection, resetSequences, trustReferences } from "./source.ts";
import type { Database, RowCounts, SourceTable } from "./source.ts";

export { random } from "./random.ts";
export type { Random, Seed } from "./random.ts";
export type { Connection, Database, RowCounts } from "./source.ts";
export { newOrders, renameDepartment, settlePayments, silentUpdates } from "./acts.ts";
export type { Act, Done } from "./acts.ts";
export { healOrder, lateCommit, poisonOrder } from "./mishaps.ts";
export type { LateCommit } from "./mishaps.ts";
export { trade } from "./trade.ts";
export type { Traded } from "./trade.ts";

/** What shop to open. */
export interface ShopOptions {
  /** The same seed and options give the same rows. */
  seed: Seed;
  /** How many sales orders: any number, millions included. */
  salesOrders: number;
  /** How many purchase orders. Default: 44 for each 100 sales orders. */
  purchaseOrders?: number;
  /** When the shop opened. Default: 2023-01-03 09:00 UTC. */
  from?: Date;
  /** Up to when it has traded: payments due by then are paid. Default: 2023-12-29 17:00 UTC. */
  to?: Date;
  /** Called as orders are written, with how many are. */
  progress?: (orders: number) => void;
}

/** Orders drawn and written at a time: bounds the memory at some 20 MB. */
const CHUNK = 10_000;

/**
 * Fills the eleven tables of an empty totesys with a shop that has traded from `from` to `to`, in one
 * transaction, and gives how many rows went into each. Throws when a table is missing or holds rows, and a
 * RangeError when the period or a number makes no sense.
 */
export async function openShop(db: Database, options: ShopOptions): Promise<RowCounts> {
  const { salesOrders, progress } = options;
  const purchaseOrders = options.purchaseOrders ?? Math.round(salesOrders * 0.44);
  for (const count of [salesOrders, purchaseOrders]) {
    if (!Number.isSafeInteger(count) || count < 0) throw new RangeError(`${count} orders`);
  }
  const chance = random(options.seed);
  const openedAt = (options.from ?? new Date("2023-01-03T09:00:00.214Z")).getTime();
  const closedAt = (options.to ?? new Date("2023-12-29T17:00:00.000Z")).getTime();
  const line = timeline(openedAt, closedAt);
  const total = salesOrders + purchaseOrders;

  const designs = designsFor(total);
  const designDates = Array.from({ length: designs }, (_, i) => {
    const part = designMade(designs, i);
    return part === 0 ? openedAt : line.at(part);
  });
  const reference = referenceRows(chance, openedAt, designDates);

  await onConnection(db, (connection) =>
    connection.tx(async (tx) => {
      await assertEmpty(tx);
      await trustReferences(tx);
      for (const { table, columns, rows } of reference) {
        await copyRows(connection, table, columns, rows);
      }
      const references = await readReferences(tx);
      const moments = orderMoments(chance, total, openedAt, line);
      const next = { sale: 1, purchase: 1, order: 1 };

      for (let done = 0; done < total;) {
        const size = Math.min(CHUNK, total - done);
        const drafts = moments.take(size).map(({ createdAt, part }, i) => {
          // Takes exactly as many sales as asked, evenly spread, without knowing what is to come.
          const salesLeft = salesOrders - (next.sale - 1);
          const kind = chance.next() * (total - done - i) < salesLeft ? "sale" : "purchase";
          return {
            kind,
            orderId: next[kind]++,
            transactionId: next.order,
            paymentId: next.order++,
            createdAt,
            designs: designsBy(designs, part),
            settledBy: closedAt,
          } as const;
        });
        const book = newBook();
        for (const draft of untidy(chance, drafts)) enter(book, chance, references, draft);
        // Tables hold rows in the order of their writing, which is no order: nobody may rely on it.
        for (const rows of Object.values(book)) chance.shuffle(rows);
        await write(connection, book);
        done += size;
        progress?.(done);
      }
      await resetSequences(tx);
    }),
  );

  const count = (name: SourceTable): number =>
    reference.find(({ table }) => table === name)?.rows.length ?? 0;
  return {
    address: count("address"),
    currency: count("currency"),
    department: count("department"),
    design: count("design"),
    payment_type: count("payment_type"),
    counterparty: count("counterparty"),
    staff: count("staff"),
    sales_order: salesOrders,
    purchase_order: purchaseOrders,
    transaction: total,
    payment: total,
  };
}

interface Moment {
  createdAt: number;
  /** The part of the period (0 to 1) that has gone. */
  part: number;
}

/** When each of `total` orders is made: a burst at the opening, then through the period, some sharing a millisecond. */
function orderMoments(
  chance: Random,
  total: number,
  openedAt: number,
  line: Timeline,
): { take(count: number): Moment[] } {
  const burst = Math.min(total, 24, Math.max(3, Math.floor(total / 10)));
  let index = 0;
  let last: Moment = { createdAt: openedAt, part: 0 };

  return {
    take: (count) =>
      Array.from({ length: count }, () => {
        if (index < burst) {
          last = { createdAt: openedAt + Math.floor(index / 8), part: 0 };
        } else if (!chance.chance(0.02)) {
          const part = (index - burst + chance.next()) / (total - burst);
          last = { createdAt: Math.max(line.at(part), openedAt + 3), part };
        }
        index++;
        return last;
      }),
  };
}

/** Swaps some neighbours' ids: as in the real shop, a lower id does not say that a row came first. */
function untidy<
  T extends { kind: string; orderId: number; transactionId: number; paymentId: number },
>(chance: Random, drafts: T[]): T[] {
  drafts.forEach((draft, i) => {
    const before = drafts[i - 1];
    if (!before) return;
    if (before.kind === draft.kind && chance.chance(0.05)) {
      [before.orderId, draft.orderId] = [draft.orderId, before.orderId];
    }
    if (chance.chance(0.05)) {
      [before.transactionId, draft.transactionId] = [draft.transactionId, before.transactionId];
    }
    if (chance.chance(0.05)) {
      [before.paymentId, draft.paymentId] = [draft.paymentId, before.paymentId];
    }
  });
  return drafts;
}
