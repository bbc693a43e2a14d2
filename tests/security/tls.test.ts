// A real PostgreSQL that speaks TLS, and lets nobody in without: whom the service believes, and whom it does not.
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, copyFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { startPostgres, type Postgres } from "../../localstack/postgres.ts";
import { inSession } from "../../localstack/session.ts";
import { ConnectionError, getConnection } from "../../src/postgres/connection.ts";
import type { Credentials } from "../../src/aws/secrets.ts";
import { failureOf } from "../support/attack.ts";
import { expect } from "../support/chai.ts";

const fixtures = path.join(import.meta.dirname, "..", "fixtures", "tls");
const pem = (name: string): string => readFileSync(path.join(fixtures, `${name}.pem`), "utf8");
type Certificate = "loopback" | "elsewhere" | "other" | "expired" | "self-signed";

describe("a PostgreSQL with TLS", () => {
  let postgres: Postgres;
  const before_ = process.env["NODE_EXTRA_CA_CERTS"];
  before(async () => {
    postgres = await startPostgres({ databases: ["totesys"] });
    delete process.env["NODE_EXTRA_CA_CERTS"];
    writeFileSync(
      path.join(postgres.folder, "data", "pg_hba.conf"),
      "hostssl totesys postgres 127.0.0.1/32 scram-sha-256\nhost postgres postgres 127.0.0.1/32 scram-sha-256\n",
    );
  });
  after(async () => {
    if (before_ !== undefined) process.env["NODE_EXTRA_CA_CERTS"] = before_;
    await postgres.stop();
  });

  async function administer(...statements: string[]): Promise<void> {
    const { host, port, user, password } = postgres;
    await inSession({ host, port, user, password, database: "postgres" }, async (client) => {
      for (const statement of statements) await client.query(statement);
    });
  }

  /** Has the server show that certificate from now on. */
  async function show(certificate: Certificate): Promise<void> {
    const data = path.join(postgres.folder, "data");
    const { uid, gid } = statSync(data);
    for (const [file, mode] of [
      [`${certificate}.pem`, 0o644],
      [`${certificate}.key`, 0o600],
    ] as const) {
      const to = path.join(data, file);
      copyFileSync(path.join(fixtures, file), to);
      if (process.getuid?.() === 0) chownSync(to, uid, gid);
      chmodSync(to, mode);
    }
    await administer(
      `alter system set ssl_cert_file = '${certificate}.pem'`,
      `alter system set ssl_key_file = '${certificate}.key'`,
      "alter system set ssl = on",
    );
    await postgres.restart("fast");
  }

  const connecting = (change: Partial<Credentials>): ReturnType<typeof getConnection> => {
    const { host, port, user, password } = postgres;
    return getConnection({
      host,
      port,
      user,
      password,
      database: "totesys",
      schema: "public",
      ...change,
    });
  };
  async function expectIn(change: Partial<Credentials>): Promise<void> {
    const connection = await connecting(change);
    try {
      expect(
        await connection.db.one("select ssl from pg_stat_ssl where pid = pg_backend_pid()"),
      ).to.deep.equal({ ssl: true });
    } finally {
      await connection.close();
    }
  }
  async function expectRefused(change: Partial<Credentials>, why: RegExp): Promise<void> {
    const error = await failureOf(connecting(change));
    expect(error).to.be.instanceOf(ConnectionError);
    expect(error.message).to.match(why);
    expect(error.message).to.include("check the secret, the server and its TLS");
  }
  const verify = { sslmode: "verify-full" } as const;

  const refusals: readonly [Certificate, what: string, ca: string | undefined, why: RegExp][] = [
    ["loopback", "of an authority that nobody knows", undefined, /unable to verify the first cert/],
    [
      "loopback",
      "of another authority than the secret's",
      "other-ca",
      /unable to verify the first/,
    ],
    ["elsewhere", "for another host", "ca", /IP: 127\.0\.0\.1 is not in the cert's list/],
    ["expired", "that has expired", "other-ca", /certificate has expired/],
    ["self-signed", "that vouches for itself", undefined, /self-signed certificate/],
    ["self-signed", "that vouches for itself, by another's word", "ca", /self-signed certificate/],
  ];
  for (const [certificate, what, ca, why] of refusals)
    it(`is refused with a certificate ${what}`, async () => {
      await show(certificate);
      await expectRefused({ ...verify, ...(ca && { ca: pem(ca) }) }, why);
    });

  it("with an expired certificate is refused by verify-ca too, and taken by require alone", async () => {
    await show("expired");
    await expectRefused({ sslmode: "verify-ca", ca: pem("other-ca") }, /certificate has expired/);
    await expectIn({ sslmode: "require" });
  });

  it("is entered by its authority's word, wherever that stands in a bundle", async () => {
    await show("loopback");
    const [ca, other, own] = [pem("ca"), pem("other-ca"), pem("self-signed")];
    for (const bundle of [
      ca,
      other + ca,
      ca + other,
      own + other + ca,
      `# Test CAs\n\n${other}\n${ca}\n# end`,
    ])
      await expectIn({ ...verify, ca: bundle });
    await expectIn({ ...verify, ca: ca.replaceAll("\n", "\r\n") });
    await expectRefused({ ...verify, ca: other + own }, /unable to verify the first certificate/);
  });

  it("is entered by a certificate that vouches for itself where the secret says that one", async () => {
    await show("self-signed");
    await expectIn({ ...verify, ca: pem("self-signed") });
  });

  it("is not entered by an authority that is cut off or none", async () => {
    await show("loopback");
    for (const ca of ["", "not PEM", pem("ca").slice(0, 200)])
      await expectRefused({ ...verify, ca }, /cannot connect/);
  });

  it("is entered by the word of NODE_EXTRA_CA_CERTS, a bundle too, unless the secret has its own", async () => {
    await show("other");
    await expectRefused(verify, /unable to verify/);
    const bundle = path.join(postgres.folder, "bundle.pem");
    writeFileSync(bundle, pem("ca") + pem("other-ca"));
    process.env["NODE_EXTRA_CA_CERTS"] = bundle;
    try {
      await expectIn(verify);
      await expectRefused({ ...verify, ca: pem("ca") }, /unable to verify/);
      await show("expired");
      await expectRefused(verify, /certificate has expired/);
    } finally {
      delete process.env["NODE_EXTRA_CA_CERTS"];
    }
  });

  it("is verified though the process was told to believe everybody", () => {
    // Node reads the variable at each connection, and warns: a process of its own.
    const script = `
      const { getConnection } = await import(${JSON.stringify(new URL("../../src/postgres/connection.ts", import.meta.url).href)});
      const error = await getConnection(${JSON.stringify({ host: "127.0.0.1", port: postgres.port, user: postgres.user, password: postgres.password, database: "totesys", schema: "public", sslmode: "verify-full" })}).catch((e) => e);
      console.log(error.message);`;
    const { stdout } = spawnSync(
      process.execPath,
      ["--import", "tsx", "--input-type=module", "--eval", script],
      { env: { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: "0" }, encoding: "utf8" },
    );
    expect(stdout).to.match(/certificate has expired|unable to verify/);
  });

  it("is not entered without TLS, whatever the secret says", async () => {
    const error = await failureOf(connecting({ sslmode: "disable" }));
    expect(error.message).to.match(/no pg_hba\.conf entry for host "127\.0\.0\.1".*no encryption/);
  });
});
