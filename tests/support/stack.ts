import { applySchema, startStack, type Pipeline, type Stack } from "../../localstack/stack.ts";

/** How to connect to one database, as the secrets have it. */
export interface PgCredentials {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** A pipeline of a test's own: nothing in it is anybody else's. Its buckets are empty, its warehouse has no tables. */
export interface FreshDatabases extends Pipeline {
  /** The shop's database, its schema without rows, as its superuser: the tests' own hands. */
  readonly source: PgCredentials;
  readonly warehouse: PgCredentials;
}

const template = "template_totesys";

// Mocha may load one file with require() and another with import(): this module is then there twice, the stack is not.
const shared: { starting?: Promise<Stack> | undefined; count: number } = ((
  globalThis as { [key: symbol]: typeof shared | undefined }
)[Symbol.for("totes.stack")] ??= { count: 0 });

/** The stack of this test process. The first call starts it (1 to 2 s); `hooks.ts` stops it after the last test. */
export function getStack(): Promise<Stack> {
  return (shared.starting ??= start());
}

/** Stops the stack, if there is one. */
export async function stopStack(): Promise<void> {
  const stack = await shared.starting;
  shared.starting = undefined;
  await stack?.stop();
}

/** Makes two databases, two buckets, two secrets and two queues (0.2 s). They go with the stack. */
export async function freshDatabases(): Promise<FreshDatabases> {
  const stack = await getStack();
  const { postgres } = stack;
  const number = ++shared.count;
  const source = `source_${number}`;
  const warehouse = `warehouse_${number}`;
  await Promise.all([
    postgres.createDatabase(source, { template }),
    postgres.createDatabase(warehouse),
  ]);
  const pipeline = await stack.addPipeline({
    source,
    warehouse,
    ingestionBucket: `ingestion-${number}`,
    processedBucket: `processed-${number}`,
    sourceSecret: `test/${number}/source`,
    warehouseSecret: `test/${number}/warehouse`,
    ingestionQueue: `ingestion-${number}`,
    transformationQueue: `transformation-${number}`,
    loadingQueue: `loading-${number}`,
  });
  const { host, port, user, password } = postgres;
  return {
    ...pipeline,
    source: { host, port, user, password, database: source },
    warehouse: { host, port, user, password, database: warehouse },
  };
}

async function start(): Promise<Stack> {
  const stack = await startStack({ quiet: true });
  await stack.postgres.createDatabase(template);
  await applySchema(stack.postgres, template);
  return stack;
}
