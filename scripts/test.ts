// Runs the tests in two processes, side by side: `node --import tsx scripts/test.ts [service|around] [--json PREFIX]`.
import { spawn } from "node:child_process";
import { createWriteStream, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { finished } from "node:stream/promises";
import { parseArgs } from "node:util";

/** What stands around the service: AWS and the shop on this machine, attacks that last, measurements, templates. */
const AROUND = [
  ..."analytics bench chaos cli infrastructure localstack operations properties rebuild security totesys watch"
    .split(" ")
    .map((folder) => `tests/${folder}/**/*.test.ts`),
  // Packages into the folder that the templates' tests package into.
  "tests/pipeline/invoke-local.test.ts",
];

/** Each half's options of mocha. */
const HALVES = {
  service: ["tests/**/*.test.ts", ...AROUND.flatMap((tests) => ["--ignore", tests])],
  around: ["--no-config", ...configured(), ...AROUND],
} as const;
type Half = keyof typeof HALVES;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: "string", default: "coverage/mocha-" } },
});
const chosen = positionals as Half[];
const [first, ...others] = chosen.length > 0 ? chosen : (Object.keys(HALVES) as Half[]);
await mkdir("coverage", { recursive: true });
const logs = others.map((half) => `coverage/${half}.log`);
const codes = await Promise.all([run(first!), ...others.map((half, at) => run(half, logs[at]))]);
for (const log of logs) process.stdout.write(readFileSync(log));
process.exitCode = codes.every((code) => code === 0) ? 0 : 1;

/** .mocharc.json as a command line. */
function configured(): string[] {
  const config = JSON.parse(readFileSync(".mocharc.json", "utf8")) as Readonly<
    Record<string, string | number | readonly string[]>
  >;
  return Object.entries(config).flatMap(([option, value]) =>
    [value].flat().flatMap((one) => [`--${option}`, String(one)]),
  );
}

/** Gives mocha's exit code. @param log takes what it prints; this process' own output where undefined */
async function run(half: Half, log?: string): Promise<number> {
  const mocha = spawn(
    process.execPath,
    ["node_modules/mocha/bin/mocha.js", "--reporter", "scripts/spec-and-json.cjs", ...HALVES[half]],
    {
      env: { ...process.env, MOCHA_JSON: `${values.json}${half}.json` },
      stdio: ["ignore", log === undefined ? "inherit" : "pipe", "inherit"],
    },
  );
  const written = log === undefined ? undefined : mocha.stdout!.pipe(createWriteStream(log));
  const code = await new Promise<number>((resolve, reject) => {
    mocha.once("error", reject);
    mocha.once("exit", (status) => resolve(status ?? 1));
  });
  if (written) await finished(written);
  return code;
}
