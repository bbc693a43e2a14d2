import { setTimeout as delay } from "node:timers/promises";
import type { Stack } from "../stack.ts";
import { trade } from "../totesys/shop.ts";
import { changes, perform, type Scene } from "./scene.ts";
import type { Terminal } from "../../cli/terminal.ts";

/** S3's port while everything is left up: LocalStack's, which .env.local has. */
export const KEPT_PORT = 4566;

/** Between two ticks, in milliseconds: ten minutes are too long to watch. */
const PACE = { idle: 10_000, trading: 5_000 };

/**
 * Says how to get at the databases and the buckets.
 * @param byHand the commands that start ingestion
 */
export function showDoors(
  terminal: Terminal,
  { postgres, env, aws }: Pick<Stack, "postgres" | "env" | "aws">,
  byHand: readonly string[],
): void {
  terminal.heading("Everything is up");
  terminal.line("  PostgreSQL: totesys is the shop, warehouse the star");
  terminal.line(`    export PGPASSWORD=${postgres.password}`);
  terminal.line(`    psql -h ${postgres.host} -p ${postgres.port} -U ${postgres.user} warehouse`);
  terminal.line();
  terminal.line("  S3 and Secrets Manager, for the AWS CLI");
  terminal.line(
    `    export AWS_ACCESS_KEY_ID=${env.AWS_ACCESS_KEY_ID} AWS_SECRET_ACCESS_KEY=${env.AWS_SECRET_ACCESS_KEY}`,
  );
  terminal.line(`    export AWS_REGION=${env.AWS_REGION} AWS_ENDPOINT_URL=${aws.endpoint}`);
  terminal.line(`    aws s3 ls --recursive s3://${env.PROCESSED_BUCKET}`);
  terminal.line();
  terminal.line("  The functions, by hand, from another terminal");
  for (const line of byHand) terminal.line(`    ${line}`);
}

/** Ticks on and says what arrives, with `trading` after some trade each time; until the process is ended. */
export async function keepUp(scene: Scene, trading: boolean): Promise<never> {
  const { terminal } = scene;
  const pace = trading ? PACE.trading : PACE.idle;
  terminal.line();
  terminal.paragraph(
    trading
      ? `The shop trades and the schedule ticks every ${pace / 1000} seconds. Ctrl-C stops and removes everything.`
      : `The schedule ticks every ${pace / 1000} seconds: change a row of totesys, and see it arrive. ` +
          "Ctrl-C stops and removes everything.",
  );
  let said = "";
  for (;;) {
    await delay(pace);
    try {
      await (trading ? tradeOn(scene) : watch(scene));
      said = "";
    } catch (error) {
      // Whoever looks around may break things, and repair them: that is no reason to take everything down.
      const message = error instanceof Error ? error.message : String(error);
      if (message !== said) terminal.alarm(message);
      said = message;
    }
  }
}

async function tradeOn(scene: Scene): Promise<void> {
  const { terminal, shop, chance: seed, clock } = scene;
  terminal.line();
  const { tick } = await perform(scene, () =>
    trade(shop, { seed, now: clock.later(30), orders: 3 }),
  );
  terminal.field("Warehouse", changes(tick.loaded));
}

async function watch({ terminal, service }: Scene): Promise<void> {
  const { loaded } = await service.tick();
  if (loaded.length === 0) return;
  const rejected = loaded.reduce((sum, batch) => sum + batch.rejected, 0);
  terminal.field(
    loaded.length === 1
      ? `Batch ${loaded[0]!.batch}`
      : `Batches ${loaded[0]!.batch} to ${loaded.at(-1)!.batch}`,
    `${changes(loaded)}${rejected > 0 ? ` In quarantine: ${rejected}.` : ""}`,
  );
}
