import { S3Client } from "@aws-sdk/client-s3";
import type { Stack } from "../stack.ts";
import { random } from "../totesys/shop.ts";
import { firstLoad, lateness, renaming, silence, tradingDay } from "./acts.ts";
import { showAnswers } from "./answers.ts";
import { checkWarehouse, showCheck } from "./check.ts";
import { fillShop, openDatabase } from "./databases.ts";
import { keepUp, showDoors } from "./keep.ts";
import { showBucket } from "./lake.ts";
import type { RunOptions } from "./options.ts";
import { poison } from "./poison.ts";
import { Clock, type Scene } from "./scene.ts";
import type { Service } from "./service.ts";
import type { Terminal } from "../../cli/terminal.ts";

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

  const shop = openDatabase(stack, "totesys");
  const warehouse = openDatabase(stack, "warehouse");
  const s3 = openS3(stack);
  await firstLoad({ terminal, service }, () => fillShop(options, terminal, shop));
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
    showDoors(terminal, stack, ["npx sls invoke local -f ingestion --stage local --data '{}'"]);
    await keepUp(scene, options.trade);
  }
  showWhatNext(terminal);
  return code;
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
