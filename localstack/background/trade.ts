import pgPromise from "pg-promise";
import { Clock } from "../demo/scene.ts";
import { random, trade, type Traded } from "../totesys/shop.ts";
import type { StackState } from "./state.ts";

const pgp = pgPromise({ noWarnings: true });

/** The shop's clock goes on by so much from one time to the next. */
const MINUTES = 30;

/** A shop that goes on trading. */
export interface Trading {
  /** New orders, payments, and changes in silence to `silent` rows; each act in a transaction of its own. */
  trade(much: { readonly orders: number; readonly silent?: number | undefined }): Promise<Traded>;
  close(): Promise<void>;
}

/** Opens the shop of a stack; its clock goes on after its newest row. No two times are alike. */
export async function openTrade({ source }: Pick<StackState, "source">): Promise<Trading> {
  const shop = pgp({ ...source });
  shop.$pool.on("error", () => undefined);
  const clock = await Clock.after(shop);
  const seed = random(Date.now() % 2 ** 32);
  return {
    trade: (much) => trade(shop, { ...much, seed, now: clock.later(MINUTES) }),
    close: () => shop.$pool.end(),
  };
}
