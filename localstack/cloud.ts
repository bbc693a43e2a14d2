import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { startEmulator, type Emulator } from "./emulator.ts";
import { startPostgres, type Postgres } from "./postgres.ts";
import { applySchema, credentialsOf, putSecret } from "./stack.ts";

/** What `sls deploy --stage local` deploys to: an AWS, and the two databases with their secrets. Nothing is deployed. */
export interface Cloud {
  readonly emulator: Emulator;
  readonly postgres: Postgres;
  /** For the SDK's clients: the emulator takes any credentials for its root. */
  readonly client: {
    readonly endpoint: string;
    readonly region: string;
    readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  };
  /** Makes the secret that opens a database, or changes it. */
  setSecret(side: "source" | "warehouse", change?: object): Promise<void>;
  stop(): Promise<void>;
}

const DATABASES = { source: "totesys", warehouse: "warehouse" } as const;

/**
 * Starts the emulator and PostgreSQL, with an empty shop and an empty warehouse.
 * @throws EmulatorError, PythonError, PostgresError
 */
export async function startCloud(options: { port?: number } = {}): Promise<Cloud> {
  const emulator = await startEmulator(options);
  let postgres: Postgres | undefined;
  try {
    postgres = await startPostgres({ databases: Object.values(DATABASES) });
    await applySchema(postgres, DATABASES.source);
  } catch (error) {
    await postgres?.stop();
    await emulator.stop();
    throw error;
  }
  const opened = postgres;
  const client = {
    endpoint: emulator.endpoint,
    region: "eu-west-2",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  };
  const secrets = new SecretsManagerClient(client);
  return {
    emulator,
    postgres,
    client,
    setSecret: (side, change = {}) =>
      putSecret(secrets, `totes/local/${side}`, {
        ...credentialsOf(opened, DATABASES[side]),
        ...change,
      }),
    async stop() {
      await opened.stop();
      await emulator.stop();
    },
  };
}
