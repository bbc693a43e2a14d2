import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import * as v from "valibot";

/** A secret that cannot be used: says which, what is wrong with it and what to do. Never holds a value of it. */
export class SecretError extends Error {
  override readonly name = "SecretError";
}

// For what is empty the driver would take another: the environment's, or the user's own database.
const filled = v.pipe(v.string(), v.nonEmpty());

const shape = v.pipe(
  v.object({
    host: filled,
    port: v.pipe(
      v.optional(v.union([v.number(), v.string()]), 5432),
      v.transform(Number),
      v.integer(),
      v.minValue(1),
      v.maxValue(65_535),
    ),
    user: v.optional(filled),
    username: v.optional(filled),
    password: v.string(),
    database: v.optional(filled),
    dbname: v.optional(filled),
    schema: v.optional(filled, "public"),
    sslmode: v.optional(v.picklist(["disable", "require", "verify-ca", "verify-full"])),
    ca: v.optional(v.string()),
  }),
  v.transform(({ username, dbname, ...secret }) => ({
    ...secret,
    user: secret.user ?? username,
    database: secret.database ?? dbname,
  })),
);

/** How to reach a database. `schema` is where the warehouse's tables are. */
export interface Credentials {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly schema: string;
  readonly sslmode?: "disable" | "require" | "verify-ca" | "verify-full" | undefined;
  readonly ca?: string | undefined;
}

const clients = new Map<string, SecretsManagerClient>();
function client(): SecretsManagerClient {
  const endpoint =
    process.env["AWS_ENDPOINT_URL_SECRETS_MANAGER"] ?? process.env["AWS_ENDPOINT_URL"] ?? "";
  let made = clients.get(endpoint);
  if (!made) clients.set(endpoint, (made = new SecretsManagerClient({})));
  return made;
}

/**
 * Fetches a database's credentials. Not kept between invocations, so that a rotated secret is seen at once.
 *
 * @param secret name or ARN; a JSON object with host, port, user, password, database (`username` and `dbname`, as
 *   RDS writes them, are understood), and optionally schema, sslmode, ca
 * @throws SecretError where there is none of that name, it is not readable, or a key is missing
 */
export async function getCredentials(secret: string): Promise<Credentials> {
  let value: string | undefined;
  try {
    value = (await client().send(new GetSecretValueCommand({ SecretId: secret }))).SecretString;
  } catch (error) {
    const { name, message } = error as Error;
    const advice =
      name === "ResourceNotFoundException"
        ? "; create it, or correct SOURCE_SECRET or WAREHOUSE_SECRET"
        : name === "AccessDeniedException"
          ? "; the function's role lacks secretsmanager:GetSecretValue on it"
          : "";
    throw new SecretError(`cannot read secret ${secret}: ${name}: ${message}${advice}`, {
      cause: error,
    });
  }
  return parseCredentials(secret, value);
}

const EXPECTED = 'expected JSON like {"host","port","user","password","database"}';

/** @throws SecretError naming the key that is missing or wrong, and no value */
export function parseCredentials(secret: string, value: string | undefined): Credentials {
  let json: unknown;
  try {
    json = JSON.parse(value ?? "");
  } catch {
    // The parser's own message quotes the text, which is secret.
    throw new SecretError(`secret ${secret} is not JSON; ${EXPECTED}`);
  }
  const parsed = v.safeParse(shape, json);
  if (!parsed.success) {
    const path = v.getDotPath(parsed.issues[0]);
    const problem = path === null ? "is no JSON object" : `has no usable "${path}"`;
    throw new SecretError(`secret ${secret} ${problem}; ${EXPECTED}`);
  }
  const { user, database, ...rest } = parsed.output;
  if (user === undefined) throw new SecretError(`secret ${secret} has no "user"; ${EXPECTED}`);
  if (database === undefined)
    throw new SecretError(`secret ${secret} has no "database"; ${EXPECTED}`);
  return { ...rest, user, database };
}
