import { S3Client } from "@aws-sdk/client-s3";
import pgPromise from "pg-promise";
import type { Stack } from "../stack.ts";
import { loadDump } from "../totesys/dump.ts";
import { openShop, random, type Database, type Done } from "../totesys/shop.ts";
import { firstLoad, lateness, renaming, silence, tradingDay } from "./acts.ts";
import { showAnswers } from "./answers.ts";
import { checkWarehouse, showCheck } from "./check.ts";
import { keepUp, showDoors } from "./keep.ts";
import { showBucket } from "./lake.ts";
import type { RunOptions } from "./options.ts";
import { poison } from "./poison.ts";
import { Clock, sum, type Scene } from "./scene.ts";
import type { Service } from "./service.ts";
import { counted, seconds, type Terminal } from "./terminal.ts";

const pgp = pgPromise({ noWarnings: true });

/**
 * Plays the acts on a running stack, one after the other, and shows what they come to. Gives the exit code: 0 where the
 * warehouse equals the shop at the end, else 1. With `keep` it does not return.
 */
export async function play(
  options: RunOptions,
  terminal: Terminal,
  stack: Stack,
  service: Service,
  log: string,
): Promise<0 | 1> {
  const { env, postgres, aws } = stack;
  terminal.field("S3, secrets", aws.endpoint);
  terminal.field("PostgreSQL", `${postgres.host}:${postgres.port}: totesys, warehouse`);
  terminal.field("Functions", `ingestion, transformation, loading; their log is ${log}`);

  const shop = open(stack, "totesys");
  const warehouse = open(stack, "warehouse");
  const s3 = openS3(stack);
  await firstLoad({ terminal, service }, () => fill(options, terminal, shop));
  const scene: Scene = {
    terminal,
    service,
    shop,
    warehouse,
    s3,
    processedBucket: env.PROCESSED_BUCKET,
    chance: random(options.seed),
    clock: await Clock.after(shop),
  };
  for (const act of [tradingDay, silence, renaming, lateness, poison]) await act(scene);

  terminal.heading("Does the warehouse equal the shop?");
  const check = await terminal.working("every row is compared", () =>
    checkWarehouse(shop, warehouse),
  );
  const code = showCheck(terminal, check);
  terminal.heading("What the star answers");
  await showAnswers(terminal, warehouse);
  terminal.heading("What lies in the lake");
  for (const bucket of [env.INGESTION_BUCKET, env.PROCESSED_BUCKET])
    await showBucket(terminal, s3, bucket);

  if (options.keep) {
    showDoors(terminal, stack);
    await keepUp(scene, options.trade);
  }
  showWhatNext(terminal);
  return code;
}

/** Opens a database of the stack; it is left before PostgreSQL stops. */
function open(stack: Stack, database: string): Database {
  const { host, port, user, password } = stack.postgres;
  const db = pgp({ host, port, user, password, database });
  db.$pool.on("error", () => undefined);
  // Not waited for: a connection that an act holds open would never end.
  stack.defer(`connections to ${database}`, () => void db.$pool.end());
  return db;
}

function openS3(stack: Stack): S3Client {
  const { env } = stack;
  const s3 = new S3Client({
    endpoint: env.AWS_ENDPOINT_URL,
    region: env.AWS_REGION,
    forcePathStyle: true,
    credentials: {
      accessKeyId: env.AWS_ACCESS_KEY_ID,
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
    },
  });
  stack.defer("S3 client", () => s3.destroy());
  return s3;
}

/** Loads the dump, or has the generator make a shop. */
async function fill(
  { dump, orders, seed }: RunOptions,
  terminal: Terminal,
  shop: Database,
): Promise<Done> {
  const startedAt = performance.now();
  const purchases = Math.round(orders * 0.44);
  const rows =
    dump === undefined
      ? await terminal.progress(orders + purchases, "orders", (progress) =>
          openShop(shop, { seed, salesOrders: orders, purchaseOrders: purchases, progress }),
        )
      : await terminal.working(`${dump} is loaded`, () => loadDump(shop, dump));
  const took = seconds(performance.now() - startedAt);
  return {
    summary:
      `${counted(rows.sales_order, "sales order")}, ${counted(rows.purchase_order, "purchase order")} ` +
      `and ${counted(rows.payment, "payment")}, in ${counted(sum(Object.values(rows)), "row")} of ` +
      `${Object.keys(rows).length} tables, ${dump === undefined ? "made" : "loaded"} in ${took}.`,
  };
}

function showWhatNext(terminal: Terminal): void {
  terminal.heading("What to try next");
  for (const [command, gives] of [
    ["make run KEEP=1", "leave it all up: psql, the AWS CLI, sls invoke"],
    ["make run KEEP=1 ARGS=--trade", "the same, and the shop goes on trading"],
    ['make run ARGS="--orders 20000"', "a bigger shop; --seed 7: another one"],
    ["make run DUMP=folder", "a real dump: <table>.jsonl.gz, eleven of them"],
    ["make test", "what the promises rest on"],
    ["less tables/README.md", "add a star table: one file"],
  ] as const)
    terminal.line(`  ${command.padEnd(32)}${gives}`);
  terminal.line();
}
