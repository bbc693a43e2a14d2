import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { PostgresError, startPostgres, type Postgres } from "../../localstack/postgres.ts";
import { inSession } from "../../localstack/session.ts";
import { expect } from "../support/chai.ts";
import { eventually, isRunning, launch } from "./support.ts";

describe("the embedded PostgreSQL", () => {
  let postgres: Postgres;
  before(async () => {
    postgres = await startPostgres({ databases: ["one", "two"], settings: { work_mem: "7MB" } });
  });
  after(() => postgres.stop());

  const query = (database: string, sql: string): Promise<Record<string, unknown>[]> => {
    const { host, port, user, password } = postgres;
    return inSession(
      { host, port, user, password, database },
      async (client) => (await client.query<Record<string, unknown>>(sql)).rows,
    );
  };
  const setting = async (name: string) =>
    (await query("one", `select current_setting('${name}') as value`))[0]?.["value"];

  it("has the databases that were asked for, in UTF-8 and the order of code points", async () => {
    const rows = await query(
      "one",
      `select datname, pg_encoding_to_char(encoding) as encoding, datlocprovider as provider, datlocale as locale
         from pg_database where datname in ('one', 'two') order by 1`,
    );
    const common = { encoding: "UTF8", provider: "b", locale: "C.UTF-8" };
    expect(rows).to.deep.equal([
      { datname: "one", ...common },
      { datname: "two", ...common },
    ]);
  });

  it("has the settings that were asked for, and those that make it fast", async () => {
    expect(await setting("work_mem")).to.equal("7MB");
    expect(await setting("fsync")).to.equal("off");
    expect(await setting("TimeZone")).to.equal("UTC");
  });

  it("listens on 127.0.0.1 alone, on no socket file, and wants its password", async () => {
    expect(await setting("listen_addresses")).to.equal("127.0.0.1");
    expect(await setting("unix_socket_directories")).to.equal("");
    const { host, port, user } = postgres;
    const wrong = { host, port, user, password: "wrong", database: "one" };
    await expect(
      inSession(wrong, () => expect.fail("let in")),
    ).to.be.rejected.and.eventually.have.property("code", "28P01");
  });

  it("copies a template with its rows", async () => {
    await postgres.createDatabase("template");
    await query("template", "create table t as select generate_series(1, 1000) as n");
    await Promise.all(
      ["copy 1", 'copy "2"'].map((name) => postgres.createDatabase(name, { template: "template" })),
    );
    expect(await query('copy "2"', "select count(*)::int from t")).to.deep.equal([{ count: 1000 }]);
  });

  it("drops a database that somebody is connected to", async () => {
    await postgres.createDatabase("dropped");
    const sleeping = expect(query("dropped", "select pg_sleep(60)")).to.be.rejected;
    const active = "select 1 from pg_stat_activity where datname = 'dropped' and state = 'active'";
    await eventually(async () => expect(await query("one", active)).to.have.length(1));
    await postgres.dropDatabase("dropped");
    await sleeping;
    const left = await query("one", "select 1 from pg_database where datname = 'dropped'");
    expect(left).to.deep.equal([]);
  });

  it("is cut off in the middle of a session: that fails the next query, and not the process", async () => {
    const { host, port, user, password } = postgres;
    await inSession({ host, port, user, password, database: "one" }, async (client) => {
      const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
      const gone = new Promise<void>((resolve) => void client.once("end", resolve));
      await query("two", `select pg_terminate_backend(${rows[0]!.pid})`);
      await gone;
      await expect(client.query("select 1")).to.be.rejectedWith("not queryable");
    });
  });

  it("comes back from a restart as from a crash: connections broken, rows there", async () => {
    await query("one", "create table kept as select 1 as n");
    const { pid } = postgres;
    const sleeping = expect(query("one", "select pg_sleep(60)")).to.be.rejected;
    await new Promise((resolve) => setTimeout(resolve, 200));
    await postgres.restart();
    await sleeping;
    expect(await query("one", "select n from kept")).to.deep.equal([{ n: 1 }]);
    expect(postgres.pid).not.to.equal(pid);
    expect(isRunning(postgres.pid)).to.equal(true);
  });

  it("says what is wrong where it cannot start, and leaves nothing behind", async () => {
    await expect(startPostgres({ settings: { nonsense: 1 } })).to.be.rejectedWith(
      PostgresError,
      /initdb failed[^]*unrecognized configuration parameter "nonsense"/,
    );
  });

  it("says which port is taken", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" && address ? address.port : 0;
    await expect(startPostgres({ port })).to.be.rejectedWith(
      PostgresError,
      new RegExp(`pg_ctl failed[^]*could not bind IPv4 address[^]*another.*port ${port}`, "i"),
    );
    server.close();
  });

  it("stops once, whoever asks how often", async () => {
    const other = await startPostgres();
    const { pid, folder } = other;
    expect(existsSync(folder)).to.equal(true);
    await Promise.all([other.stop(), other.stop()]);
    await other.stop();
    expect(isRunning(pid)).to.equal(false);
    expect(existsSync(folder)).to.equal(false);
  });

  it("is stopped even where its watchdog was killed before", async () => {
    const other = await startPostgres();
    process.kill(other.watchdogPid, "SIGKILL");
    await eventually(() => expect(isRunning(other.watchdogPid)).to.equal(false));
    expect(isRunning(other.pid)).to.equal(true);
    await other.stop();
    expect(isRunning(other.pid)).to.equal(false);
    expect(existsSync(other.folder)).to.equal(false);
  });

  for (const [way, signal] of [
    ["killed by SIGKILL", "SIGKILL"],
    ["ended by SIGTERM", "SIGTERM"],
    ["ended by an exception", "throw"],
    ["at its end, without a stop", "return"],
  ] as const) {
    it(`leaves no process and no file when its parent is ${way}`, async () => {
      const bySignal = signal.startsWith("SIG");
      const parent = await launch("hold-postgres.ts", bySignal ? undefined : signal);
      const { pid, folder } = parent.said as { pid: number; folder: string };
      if (bySignal) {
        expect(isRunning(pid)).to.equal(true);
        expect(existsSync(folder)).to.equal(true);
        parent.child.kill(signal as NodeJS.Signals);
      }
      await eventually(() => {
        expect(isRunning(pid)).to.equal(false);
        expect(existsSync(folder)).to.equal(false);
      });
    });
  }

  it("leaves no process and no file when its parent is killed while it starts", async () => {
    const temporary = await mkdtemp(path.join(tmpdir(), "start-postgres-"));
    // The user that PostgreSQL runs as is to get at its own files in there.
    await chmod(temporary, 0o755);
    const { child } = await launch("start-postgres.ts", undefined, temporary);
    expect(await readdir(temporary)).not.to.deep.equal([]);
    child.kill("SIGKILL");
    // What tsx keeps for itself may stay.
    const left = async () => (await readdir(temporary)).filter((name) => name.startsWith("local-"));
    await eventually(async () => expect(await left()).to.deep.equal([]));
    await rm(temporary, { recursive: true });
  });
});
