import { S3Client } from "@aws-sdk/client-s3";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { setTimeout as delay } from "node:timers/promises";
import pgPromise from "pg-promise";
import { freePort } from "../../localstack/postgres.ts";
import {
  applySchema,
  putSecret,
  startStack,
  type Stack,
  type StackEnv,
} from "../../localstack/stack.ts";
import { openShop, type Database } from "../../localstack/totesys/shop.ts";
import type { PgCredentials } from "../support/stack.ts";
import type { Point } from "./calls.ts";
import { makeBundles, Slot, Slots, type Bundles } from "./slots.ts";
import { Switchboard } from "./switchboard.ts";

const pgp = pgPromise<Record<never, never>>({ noWarnings: true });

/** Sales orders of the shops that scenarios begin with. */
const SHOPS = [4, 8, 14, 24];

/** The users of the functions' connections, as a deployment has them: neither is a superuser. */
export const ROLES = { source: "chaos_source", warehouse: "chaos_warehouse" } as const;
export type Role = keyof typeof ROLES;

/** A pipeline of a scenario's own: nothing in it is anybody else's. */
export interface World {
  readonly env: StackEnv;
  /** How each role connects now, past the proxies. */
  readonly source: PgCredentials;
  readonly warehouse: PgCredentials;
  /** Past the proxies, as a superuser. */
  readonly shop: Database;
  readonly star: Database;
  /** The names of both databases. */
  readonly databases: Readonly<Record<Role, string>>;
  /** Gives a role another password, and its secret too. */
  rotate(role: Role): Promise<void>;
  /** Every password that there ever was. */
  readonly passwords: readonly string[];
  /** Drops the databases. */
  close(): Promise<void>;
}

/** A stack with processes for the functions: one scenario at a time has it. */
export interface Lane {
  readonly stack: Stack;
  readonly slots: Slots;
  readonly board: Switchboard;
  readonly admin: Database;
  readonly s3: S3Client;
  /** Every line that a function has printed since the last scenario began. */
  readonly printed: string[];
  /** The points of the running code. Empty until they are recorded. */
  points: readonly Point[];
  open(shop: number, secret: string): Promise<World>;
  /** Stops PostgreSQL and starts it again; one restart after the other. */
  restart(mode: "immediate" | "fast"): Promise<void>;
  stop(): Promise<void>;
}

/** How many shops there are to choose from. */
export const SHOP_COUNT = SHOPS.length;

/** Starts a stack and bundles the functions (3 s). */
export async function startLane(): Promise<Lane> {
  const stack = await startStack({ quiet: true, postgresPort: await quietPort() });
  const { postgres, aws } = stack;
  const connectTo = (database: string): Database => {
    const { host, port, user, password } = postgres;
    const db = pgp({ host, port, user, password, database, allowExitOnIdle: true });
    // A restart breaks what is idle.
    db.$pool.on("error", () => undefined);
    return db;
  };
  const admin = connectTo("postgres");
  const client = {
    endpoint: aws.endpoint,
    region: aws.region,
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  };
  const s3 = new S3Client({ ...client, forcePathStyle: true });
  const secrets = new SecretsManagerClient(client);
  for (const role of Object.values(ROLES)) await admin.none("create role $1:name login", [role]);
  await Promise.all(SHOPS.map((orders, i) => makeTemplate(stack, connectTo, `shop_${i}`, orders)));

  const board = new Switchboard();
  const printed: string[] = [];
  let bundles: Promise<Bundles> | undefined;
  const slots = new Slots(async () =>
    Slot.start(
      await (bundles ??= makeBundles(postgres.folder)),
      {
        aws: aws.port,
        postgres: postgres.port,
        roleOf: (bucket) => bucket.replace(/-\d+$/, ""),
        serviceOf: (database) => (database.startsWith("source") ? "source" : "warehouse"),
      },
      board,
      (line) => printed.push(line),
    ),
  );
  let restarting: Promise<void> = Promise.resolve();
  let count = 0;

  const open = async (shop: number, secret: string): Promise<World> => {
    const number = ++count;
    const databases = { source: `source_${number}`, warehouse: `warehouse_${number}` };
    const passwords: string[] = [];
    const current: Partial<Record<Role, PgCredentials>> = {};
    const rotate = async (role: Role): Promise<void> => {
      // With all that has ever bent a connection's URL.
      const password = `${secret}-${passwords.length}'"@/%é\\`;
      passwords.push(password);
      await admin.none("alter role $1:name password $2", [ROLES[role], password]);
      const { host, port } = postgres;
      const credentials = { host, port, user: ROLES[role], password, database: databases[role] };
      current[role] = credentials;
      await putSecret(secrets, `chaos/${number}/${role}`, credentials);
    };
    await Promise.all([
      postgres.createDatabase(databases.source, { template: `shop_${shop}` }),
      postgres.createDatabase(databases.warehouse),
    ]);
    const pipeline = await stack.addPipeline({
      ...databases,
      ingestionBucket: `ingestion-${number}`,
      processedBucket: `processed-${number}`,
      sourceSecret: `chaos/${number}/source`,
      warehouseSecret: `chaos/${number}/warehouse`,
      ingestionQueue: `ingestion-${number}`,
      transformationQueue: `transformation-${number}`,
      loadingQueue: `loading-${number}`,
    });
    await admin.none("alter database $1:name owner to $2:name", [
      databases.warehouse,
      ROLES.warehouse,
    ]);
    await rotate("source");
    await rotate("warehouse");
    const [source, star] = [connectTo(databases.source), connectTo(databases.warehouse)];
    return {
      env: pipeline.env,
      get source() {
        return current.source!;
      },
      get warehouse() {
        return current.warehouse!;
      },
      shop: source,
      star,
      databases,
      rotate,
      passwords,
      async close() {
        await Promise.all([source.$pool.end(), star.$pool.end()]);
        await Promise.all(Object.values(databases).map((name) => postgres.dropDatabase(name)));
      },
    };
  };
  return {
    stack,
    slots,
    board,
    admin,
    s3,
    printed,
    points: [],
    open,
    restart(mode) {
      const restarted = restarting.then(() => untilUp(() => postgres.restart(mode)));
      restarting = restarted.catch(() => undefined);
      return restarted;
    },
    async stop() {
      await slots.stop();
      await admin.$pool.end();
      s3.destroy();
      secrets.destroy();
      await stack.stop();
    },
  };
}

async function makeTemplate(
  stack: Stack,
  connectTo: (database: string) => Database,
  name: string,
  orders: number,
): Promise<void> {
  await stack.postgres.createDatabase(name);
  await applySchema(stack.postgres, name);
  const db = connectTo(name);
  await openShop(db, { seed: orders, salesOrders: orders });
  // All that the source's user needs.
  await db.none("grant select on all tables in schema public to $1:name", [ROLES.source]);
  await db.$pool.end();
}

/**
 * A port that no outgoing connection is given: while the server restarts somebody would have it, a function that tries to
 * connect to it even by itself.
 */
async function quietPort(): Promise<number> {
  for (let tries = 1; ; tries++)
    try {
      return await freePort(10_000 + Math.floor(Math.random() * 20_000));
    } catch (error) {
      if (tries === 20) throw error;
    }
}

/** On a machine that is busy a server may not be up when `pg_ctl` has waited long enough: it is asked again. */
async function untilUp(restart: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries++)
    try {
      return await restart();
    } catch (error) {
      if (tries === 5) throw error;
      await delay(500);
    }
}
