// Runs the tests in several processes, side by side: `node --import tsx scripts/test.ts [PART …]`.
import { spawn } from "node:child_process";
import { createWriteStream, existsSync, readFileSync, rmSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { finished } from "node:stream/promises";
import { parseArgs } from "node:util";
import { getNode24 } from "./node24.ts";

/** Processes at a time: tests wait for databases and functions about half of their time. */
const AT_ONCE = 3;

const testsIn = (folders: string): string[] =>
  folders.split(" ").map((folder) => `tests/${folder}/**/*.test.ts`);

/** The parts but `service`, which is all that none of them has. Those that last are first. */
const PARTS = {
  /** What stands around the service: commands, measurements, templates. */
  around: [
    ...testsIn("analytics bench cli infrastructure lake operations"),
    "tests/unit/smoke.test.ts",
    "tests/unit/executions.test.ts",
    // Packages into the folder that the templates' tests package into.
    "tests/pipeline/invoke-local.test.ts",
  ],
  /** What stands in for AWS and the shop on this machine; the page, in a browser. */
  machine: testsIn("localstack totesys watch"),
  /** The pipeline at the mercy of others, for longer. */
  attacks: testsIn("chaos properties"),
  /** What the functions take at their peak. */
  memory: ["tests/pipeline/memory.test.ts", "tests/compaction/memory.test.ts"],
  /** What is made again; who may not do what. */
  again: testsIn("rebuild security"),
  /** What is done now and then: finding what differs and putting it right, compacting. */
  upkeep: [...testsIn("reconciliation quarantine"), "tests/compaction/[ch]*.test.ts"],
  /** The three functions, as a whole; by their names, so that neither half takes much longer. */
  "pipeline-e-z": [
    "tests/pipeline/[e-z]*.test.ts",
    "--ignore",
    "tests/pipeline/invoke-local.test.ts",
    "--ignore",
    "tests/pipeline/memory.test.ts",
  ],
  "pipeline-a-d": ["tests/pipeline/[a-d]*.test.ts"],
};
/** What mocha is told of each part; `service` is all that is in no other. */
const OPTIONS = {
  ...PARTS,
  service: [
    "tests/**/*.test.ts",
    ...Object.values(PARTS)
      .flat()
      .filter((tests) => tests !== "--ignore")
      .flatMap((tests) => ["--ignore", tests]),
  ],
} as const;
type Part = keyof typeof OPTIONS;

/** What the Lambdas run, tested on the Node that they run it on; everything else on that of this machine, which runs it. */
const FUNCTIONS: readonly Part[] = ["memory", "pipeline-e-z", "pipeline-a-d", "service"];
/** Whose coverage tells nothing: what they run is run by others too, or in processes of its own, or is none of src/, cli/ and tables/. It costs a fifth more. */
const UNCOVERED: readonly Part[] = ["machine", "attacks", "memory"];

const { positionals } = parseArgs({ allowPositionals: true });
const unknown = positionals.find((part) => !(part in OPTIONS));
if (unknown !== undefined)
  throw new Error(`no part is called ${unknown}: there are ${Object.keys(OPTIONS).join(", ")}`);
const parts = (positionals.length > 0 ? positionals : Object.keys(OPTIONS)) as Part[];
await mkdir("coverage", { recursive: true });

const node24 = parts.some((part) => FUNCTIONS.includes(part)) ? getNode24() : process.execPath;
const [shown, ...others] = parts;
const waiting = [...parts];
let isWell = true;
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    for (let part = waiting.shift(); part !== undefined; part = waiting.shift())
      if ((await run(part)) !== 0) isWell = false;
  }),
);
for (const part of others) process.stdout.write(readFileSync(logOf(part)));
for (const part of parts)
  if (!existsSync(reportOf(part)))
    console.log(`${part}: mocha ended before it could write a report`);
process.exitCode = isWell ? 0 : 1;

function logOf(part: Part): string {
  return `coverage/mocha-${part}.log`;
}

function reportOf(part: Part): string {
  return `coverage/mocha-${part}.json`;
}

/** Gives mocha's exit code. The first part prints as it goes, the others into a log each. */
async function run(part: Part): Promise<number> {
  rmSync(reportOf(part), { force: true });
  const mocha = spawn(
    FUNCTIONS.includes(part) ? node24 : process.execPath,
    [
      "node_modules/mocha/bin/mocha.js",
      "--reporter",
      "scripts/spec-and-json.cjs",
      ...OPTIONS[part],
    ],
    {
      env: {
        ...process.env,
        MOCHA_JSON: reportOf(part),
        ...(UNCOVERED.includes(part) ? { NODE_V8_COVERAGE: undefined } : {}),
      },
      stdio: ["ignore", part === shown ? "inherit" : "pipe", "inherit"],
    },
  );
  const written = part === shown ? undefined : mocha.stdout!.pipe(createWriteStream(logOf(part)));
  const code = await new Promise<number>((resolve, reject) => {
    mocha.once("error", reject);
    mocha.once("exit", (status) => resolve(status ?? 1));
  });
  if (written) await finished(written);
  return code;
}
