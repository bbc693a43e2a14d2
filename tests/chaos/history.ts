// What the shop does while the pipeline suffers.
import {
  healOrder,
  lateCommit,
  newOrders,
  poisonOrder,
  renameDepartment,
  settlePayments,
  silentUpdates,
  type Database,
  type LateCommit,
  type Random,
} from "../../localstack/totesys/shop.ts";

const ACTS = ["orders", "silence", "payments", "rename", "late", "undone", "poison"] as const;
export type Act = (typeof ACTS)[number];

/** Acts of one tick. */
export function drawActs(chance: Random): readonly Act[] {
  return Array.from({ length: chance.int(1, 3) }, () =>
    chance.chance(0.5) ? chance.pick(["orders", "silence"] as const) : chance.pick(ACTS),
  );
}

/** A shop that trades. */
export class History {
  readonly #shop: Database;
  readonly #chance: Random;
  #minutes = 0;
  readonly #late: LateCommit[] = [];
  readonly #poisoned: number[] = [];

  constructor(shop: Database, chance: Random) {
    this.#shop = shop;
    this.#chance = chance;
  }

  /** Does them one after the other. One that a restart of the server breaks did not happen. */
  async act(acts: readonly Act[]): Promise<void> {
    // What was left open at an earlier tick is now committed, late.
    if (this.#chance.chance(0.6)) await this.#settle();
    for (const act of acts) await this.#try(() => this.#do(act));
  }

  /** Leaves nothing open and nothing that is not good. */
  async end(): Promise<void> {
    await this.#settle();
    for (const order of this.#poisoned.splice(0)) await healOrder(this.#shop, order);
  }

  async #do(act: Act): Promise<unknown> {
    const [shop, chance] = [this.#shop, this.#chance];
    const seed = chance.int(1, 1e9);
    const now = new Date(Date.UTC(2026, 0, 1) + 60_000 * ++this.#minutes);
    switch (act) {
      case "orders":
        return newOrders(shop, { seed, now, orders: chance.int(1, 5) });
      case "silence":
        return silentUpdates(shop, { seed, sales: chance.int(1, 4), purchases: 2, designs: 1 });
      case "payments":
        return settlePayments(shop, { seed, now, overdue: 2 });
      case "rename":
        return renameDepartment(shop, { seed, now });
      case "late":
        this.#late.push(
          await lateCommit(() => shop.connect({ onLost: () => undefined }), { seed, now }),
        );
        return undefined;
      case "undone": {
        const undone = await lateCommit(() => shop.connect({ onLost: () => undefined }), {
          seed,
          now,
        });
        return undone.rollback();
      }
      case "poison":
        this.#poisoned.push((await poisonOrder(shop, { seed, now })).salesOrderId);
        return undefined;
    }
  }

  async #settle(): Promise<void> {
    for (const late of this.#late.splice(0))
      await this.#try(() => (this.#chance.chance(0.7) ? late.commit() : late.rollback()));
  }

  async #try(act: () => Promise<unknown>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!isBroken(error as Error)) throw error;
    }
  }
}

/** Whether it is what a server that went away leaves. */
const isBroken = ({ message, code }: Error & { code?: string }): boolean =>
  ["57P01", "57P02", "57P03", "ECONNRESET", "ECONNREFUSED", "EPIPE"].includes(code ?? "") ||
  /Connection terminated|not queryable|connection .*lost/i.test(message);
