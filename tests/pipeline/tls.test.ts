// TLS to the databases: verified unless the secret says otherwise, against whom it says.
import { readFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import path from "node:path";
import { rootCertificates, TLSSocket } from "node:tls";
import { getConnection, tlsOf } from "../../src/postgres/connection.ts";
import { expect } from "../support/chai.ts";

const fixture = (name: string): string =>
  readFileSync(path.join(import.meta.dirname, "..", "fixtures", "tls", name), "utf8");
const ca = fixture("ca.pem");
const credentials = {
  port: 5432,
  user: "reader",
  password: "pw",
  database: "totesys",
  schema: "public",
};

/** Says yes to TLS as PostgreSQL does, and no to whoever comes in. */
async function serve(name: "loopback" | "elsewhere"): Promise<Server & { port: number }> {
  const refusal = Buffer.from("\0\0\0\0SFATAL\0C28000\0Mwelcome, but no\0\0", "latin1");
  refusal.writeInt32BE(refusal.length, 0);
  const server = createServer((socket: Socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => {
      socket.write("S");
      const secure = new TLSSocket(socket, {
        isServer: true,
        cert: fixture(`${name}.pem`),
        key: fixture(`${name}.key`),
      });
      secure.on("error", () => undefined);
      secure.once("data", () => secure.end(Buffer.concat([Buffer.from("E"), refusal])));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return Object.assign(server, { port: (server.address() as { port: number }).port });
}

describe("TLS to a database", () => {
  const servers: Server[] = [];
  const further = process.env["NODE_EXTRA_CA_CERTS"];
  before(() => delete process.env["NODE_EXTRA_CA_CERTS"]);
  after(() => {
    if (further !== undefined) process.env["NODE_EXTRA_CA_CERTS"] = further;
  });
  after(() => servers.forEach((server) => server.close()));
  const connecting = async (
    name: "loopback" | "elsewhere",
    change: Partial<Parameters<typeof getConnection>[0]>,
  ): Promise<unknown> => {
    const server = await serve(name);
    servers.push(server);
    return getConnection({ ...credentials, host: "127.0.0.1", port: server.port, ...change });
  };
  /** What the server says to whom it has let in as far as that: TLS is up. */
  const LET_IN = /welcome, but no/;

  it("is refused where nobody vouches for the server", () =>
    expect(connecting("loopback", { sslmode: "verify-full" })).to.be.rejectedWith(
      /unable to verify the first certificate.*check the secret, the server and its TLS/,
    ));

  it("is up where the secret's authority does, for this host", () =>
    expect(connecting("loopback", { sslmode: "verify-full", ca })).to.be.rejectedWith(LET_IN));

  it("is refused where it does for another host", () =>
    expect(connecting("elsewhere", { sslmode: "verify-full", ca })).to.be.rejectedWith(
      /IP: 127\.0\.0\.1 is not in the cert's list/,
    ));

  it("is up for another host by verify-ca, and for anybody by require", async () => {
    await expect(connecting("elsewhere", { sslmode: "verify-ca", ca })).to.be.rejectedWith(LET_IN);
    await expect(connecting("elsewhere", { sslmode: "verify-ca" })).to.be.rejectedWith(
      /unable to verify/,
    );
    await expect(connecting("elsewhere", { sslmode: "require" })).to.be.rejectedWith(LET_IN);
  });

  it("is verified where the secret says nothing, and left out on this machine alone", () => {
    expect(tlsOf({ ...credentials, host: "db.example.org" })).to.deep.include({
      rejectUnauthorized: true,
      ca: rootCertificates,
    });
    for (const host of ["localhost", "127.0.0.1", "::1"])
      expect(tlsOf({ ...credentials, host })).to.equal(false);
  });

  it("believes Amazon RDS's authorities for its hosts, and for no others", () => {
    const trusted = (host: string): number => {
      const tls = tlsOf({ ...credentials, host });
      return tls === false ? 0 : tls.ca!.length - rootCertificates.length;
    };
    expect(trusted("totes.abc123.eu-west-2.rds.amazonaws.com")).to.be.greaterThan(50);
    expect(trusted("totes.rds.amazonaws.com.example.org")).to.equal(0);
    expect(trusted("db.example.org")).to.equal(0);
  });

  it("believes the file of NODE_EXTRA_CA_CERTS too", () => {
    process.env["NODE_EXTRA_CA_CERTS"] = path.join(
      import.meta.dirname,
      "..",
      "fixtures",
      "tls",
      "ca.pem",
    );
    try {
      const tls = tlsOf({ ...credentials, host: "db.example.org" });
      expect(tls && tls.ca!.at(-1)).to.equal(ca);
    } finally {
      delete process.env["NODE_EXTRA_CA_CERTS"];
    }
  });
});
