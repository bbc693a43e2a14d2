// The shop of the stack on this machine goes on trading.
import { setTimeout as delay } from "node:timers/promises";
import { LOCAL_FOLDER, runningStack } from "../../localstack/background/state.ts";
import { openTrade } from "../../localstack/background/trade.ts";
import { UsageError, wholeNumber } from "../options.ts";
import { LOCAL, StageError } from "../stage.ts";
import { defineVerb, stageOptions, type Verb } from "../verb.ts";

/** Orders that come in at a time, and seconds between two times. */
const PACE = { orders: 3, every: 5 } as const;

/** @param folder where the stack's state is */
export const tradeIn = (folder: string): Verb =>
  defineVerb({
    command: "trade",
    describe: "has the local shop go on trading: new orders, payments, changes in silence",
    about:
      "It writes to the shop, so it is for the stack that `totes up` started alone. A change in silence is one that does not " +
      "touch last_updated: what a watermark would lose. It goes on until Ctrl-C.",
    examples: [
      ["trade", `${PACE.orders} orders every ${PACE.every} s`],
      ["trade --orders 500 --once", "a big one, once"],
      ["trade --silent-updates 20", "more changes in silence"],
    ],
    stopped: "the shop is as the last line says",
    build: (args) =>
      stageOptions(args)
        .option("orders", {
          type: "string",
          default: String(PACE.orders),
          describe: "new orders at a time",
          coerce: (text: string) => wholeNumber("orders", text, 1, 100_000),
        })
        .option("silent-updates", {
          type: "string",
          describe: "rows changed in silence at a time (half as many as orders unless said)",
          coerce: (text: string | undefined) =>
            text === undefined ? undefined : wholeNumber("silent-updates", text, 0, 100_000),
        })
        .option("every", {
          type: "string",
          default: String(PACE.every),
          describe: "seconds between two times",
          coerce: (text: string) => wholeNumber("every", text, 1, 86_400),
        })
        .option("once", { type: "boolean", default: false, describe: "once, and no more" }),
    run: async ({ stage, orders, silentUpdates, every, once }, { terminal, answerLine }) => {
      if (stage !== LOCAL)
        throw new UsageError(
          `trade writes to the shop: it is for stage ${LOCAL} alone, and ${stage}'s shop is a real one`,
        );
      const state = runningStack(folder);
      if (!state)
        throw new StageError("no stack that `totes up` started is running here: `npx totes up`");
      const shop = await openTrade(state);
      try {
        for (;;) {
          const traded = await shop.trade({ orders, silent: silentUpdates });
          await answerLine(traded);
          terminal.paragraph(traded.summary);
          if (once) return 0;
          await delay(every * 1000);
        }
      } finally {
        await shop.close();
      }
    },
  });

export const trade = tradeIn(LOCAL_FOLDER);
