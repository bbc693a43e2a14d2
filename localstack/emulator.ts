import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { getNode24 } from "../scripts/node24.ts";
import { getPython } from "../scripts/python.ts";
import { startWatchdog } from "./watchdog.ts";

/** The emulator did not start: what it said, and what to do. */
export class EmulatorError extends Error {
  override readonly name = "EmulatorError";
}

/** An AWS on this machine that speaks CloudFormation, runs functions under Node 24 and enforces IAM; empty at the start. */
export interface Emulator {
  readonly endpoint: string;
  /** What it and its functions say. */
  readonly log: () => string;
  /** Stops it and whatever it started. */
  stop(): Promise<void>;
}

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * Starts ministack (0.3 s; installs it first where it is missing, which takes a minute). It ends with this process, however
 * that ends.
 * @param port 4566 is LocalStack's, and what .env.local says
 * @throws PythonError where there is no Python; EmulatorError
 */
export async function startEmulator({ port = 4566 }: { port?: number } = {}): Promise<Emulator> {
  if (process.platform === "win32")
    throw new EmulatorError("the emulator needs Linux or macOS; use localstack/compose.yml");
  const endpoint = `http://127.0.0.1:${port}`;
  if (await answers(endpoint))
    throw new EmulatorError(
      `something listens on port ${port} already (another emulator, make run KEEP=1, LocalStack?): stop it, or take another with --port`,
    );
  const python = getPython("emulator", path.join(root, "localstack", "requirements.txt"));
  const node = getNode24();

  const folder = mkdtempSync(path.join(tmpdir(), "local-emulator-"));
  const logFile = path.join(folder, "log");
  const pidFile = path.join(folder, "pid");
  const start = path.join(folder, "start.sh");
  // In a process group of its own, with all that it starts. (A shell without a terminal has no `set -m`, macOS no setsid.)
  const lead = "import os, sys; os.setsid(); os.execv(sys.argv[1], sys.argv[1:])";
  writeFileSync(
    start,
    `"${python("python")}" -c '${lead}' "${python("ministack")}" >"${logFile}" 2>&1 </dev/null &\necho $! >"${pidFile}"\n`,
  );
  const inherited = Object.entries(process.env).filter(
    // No credentials and no debugger of ours; npm's and mocha's Node options are not the functions'.
    ([name]) => !/^(AWS_|NODE_|npm_|INIT_CWD|MOCHA)/.test(name),
  );
  const watchdog = await startWatchdog({
    start: [{ program: "sh", args: [start] }],
    stop: {
      program: "sh",
      args: ["-c", `kill -TERM -$(cat "${pidFile}"); sleep 0.5; kill -KILL -$(cat "${pidFile}")`],
    },
    folder,
    env: {
      ...Object.fromEntries(inherited),
      PATH: `${path.dirname(node)}${path.delimiter}${process.env["PATH"]}`,
      TMPDIR: folder,
      STATE_DIR: path.join(folder, "state"),
      S3_DATA_DIR: path.join(folder, "s3"),
      AUTH: "true",
      BIND_HOST: "127.0.0.1",
      GATEWAY_PORT: String(port),
      MINISTACK_HOST: "127.0.0.1",
      MINISTACK_REGION: "eu-west-2",
      // Its functions' own: they have it from the environment, as LocalStack's have.
      AWS_ENDPOINT_URL: endpoint,
      IOT_MTLS_ENABLED: "0",
      SFTP_ENABLED: "0",
      NODE_OPTIONS: `--require=${JSON.stringify(path.join(root, "localstack", "emulator.cjs"))} --enable-source-maps`,
      NODE_NO_WARNINGS: "1",
    },
  });
  const log = (): string => (existsSync(logFile) ? readFileSync(logFile, "utf8") : "");
  for (let tries = 0; !(await answers(endpoint)); tries++) {
    if (tries < 100) continue;
    const said = log().slice(-2000);
    await watchdog.end();
    throw new EmulatorError(`the emulator does not answer at ${endpoint}. It said:\n${said}`);
  }
  return { endpoint, log, stop: () => watchdog.end() };
}

/** Whether something speaks HTTP there; waits a moment where nothing does. */
async function answers(endpoint: string): Promise<boolean> {
  try {
    return (await fetch(`${endpoint}/_ministack/health`)).status < 500;
  } catch {
    await new Promise((resolve) => setTimeout(resolve, 100));
    return false;
  }
}
