// `npm run mutate`: plants faults in the core, one at a time, and counts those that no test notices.
import { mkdirSync } from "node:fs";
import type { MutantResult, PartialStrykerOptions } from "@stryker-mutator/api/core";
import { command } from "../cli/command.ts";
import { parseOptions, UsageError, wholeNumber } from "../cli/options.ts";
import { GROUPS, type Group } from "./mutation/groups.ts";
import {
  byFile,
  figuresOf,
  HEADING,
  isUnnoticed,
  lineOf,
  rowOf,
  scoreOf,
} from "./mutation/figures.ts";

interface Options {
  readonly groups: readonly Group[];
  readonly concurrency: number;
  /** Whether what earlier runs found is found again. */
  readonly anew: boolean;
  /** Whether faults in what a module does once, when it is loaded, are planted too. */
  readonly whole: boolean;
}

/** The share of planted faults that tests must notice, in each group. */
const LEAST = 0.8;
const FOLDER = ".local/mutation";
const NODE_ARGS = ["--import", "tsx", "--no-experimental-require-module"];

const HELP = `Plants faults in the core, one at a time, and runs the tests that come by them: those that no test notices are
named. Takes some two hours for everything; what was found is kept in ${FOLDER} and holds until a file or its tests change.

  npm run mutate
  npm run mutate -- --group values --group parquet
  npm run mutate -- --mutate src/values.ts,src/calendar.ts

  --group NAME      only this group; may be given again: ${GROUPS.map(({ name }) => name).join(", ")}
  --mutate FILES    only these files of them, with commas between
  --concurrency N   processes that test at the same time (default 1)
  --whole           also in what a module does when it is loaded (declarations, constants): each needs a process of its
                    own, and the types see most of them
  --anew            does not go by what earlier runs found
  --help            this text

Each group's report is ${FOLDER}/GROUP.html; docs/mutation.md explains what is left.

Exit code: 0 where the tests notice ${LEAST * 100} % in each group, 1 where they do not, 2 for a wrong option.`;

function read(args: readonly string[]): Options | undefined {
  const options = parseOptions(args, {
    group: { type: "string", multiple: true },
    mutate: { type: "string" },
    concurrency: { type: "string", default: "1" },
    whole: { type: "boolean", default: false },
    anew: { type: "boolean", default: false },
    help: { type: "boolean" },
  });
  if (options.help) return undefined;
  const names = options.group ?? GROUPS.map(({ name }) => name);
  const files = options.mutate?.split(",");
  const groups = names.map((name) => {
    const found = GROUPS.find((group) => group.name === name);
    if (!found) throw new UsageError(`there is no group "${name}"`);
    return found;
  });
  const strange = files?.find((file) => !groups.some(({ mutate }) => mutate.includes(file)));
  if (strange !== undefined) throw new UsageError(`"${strange}" is in no such group`);
  return {
    groups: groups
      .map((group) => ({
        ...group,
        mutate: group.mutate.filter((file) => files?.includes(file) ?? true),
      }))
      .filter(({ mutate }) => mutate.length > 0),
    concurrency: wholeNumber("concurrency", options.concurrency, 1, 64),
    whole: options.whole,
    anew: options.anew,
  };
}

function strykerOptions(
  { name, mutate, specs, reuse = 300 }: Group,
  { concurrency, whole, anew }: Options,
) {
  return {
    testRunner: "mocha",
    plugins: ["./scripts/mutation/mocha-runner.ts"],
    specs,
    warnings: { unknownOptions: false },
    mutate,
    concurrency,
    testRunnerNodeArgs: NODE_ARGS,
    checkerNodeArgs: NODE_ARGS,
    coverageAnalysis: "perTest",
    ignoreStatic: !whole,
    // A process in which hundreds of pipelines were opened is begun anew: their databases go with it.
    maxTestRunnerReuse: reuse,
    // Counted as noticed: so much that a busy machine does not come to it.
    timeoutMS: 60_000,
    timeoutFactor: 3,
    // tsx runs what is instrumented as it is; Stryker would read tsconfig.json with a compiler API that TypeScript 7 lacks.
    disableTypeChecks: false,
    tsconfigFile: "",
    ignorePatterns: [".github", ".local*", ".node24", ".python", "coverage", "docs"],
    tempDirName: `${FOLDER}/sandbox`,
    incremental: true,
    force: anew,
    incrementalFile: `${FOLDER}/${name}.json`,
    reporters: ["html", "json", process.stderr.isTTY ? "progress" : "progress-append-only"],
    jsonReporter: { fileName: `${FOLDER}/${name}.report.json` },
    htmlReporter: { fileName: `${FOLDER}/${name}.html` },
    logLevel: "warn",
  } as unknown as PartialStrykerOptions;
}

async function run(options: Options): Promise<number> {
  // As late as here: it takes a second to load, and who asks for --help need not wait for it.
  const { Stryker } = await import("@stryker-mutator/core");
  mkdirSync(FOLDER, { recursive: true });
  const groups: [string, MutantResult[]][] = [];
  for (const group of options.groups) {
    console.error(`${group.name}: ${group.mutate.join(" ")}`);
    groups.push([group.name, await new Stryker(strykerOptions(group, options)).runMutationTest()]);
  }
  const all = groups.flatMap(([, mutants]) => mutants);
  for (const [file, mutants] of byFile(all))
    for (const mutant of mutants.filter(isUnnoticed)) console.log(lineOf(file, mutant));
  console.log(`\n${HEADING}`);
  for (const [name, mutants] of groups) {
    for (const [file, some] of byFile(mutants)) console.log(rowOf(`\`${file}\``, figuresOf(some)));
    console.log(rowOf(`**${name}**`, figuresOf(mutants)));
  }
  console.log(rowOf("**all**", figuresOf(all)));
  return groups.every(([, mutants]) => scoreOf(figuresOf(mutants)) >= LEAST) ? 0 : 1;
}

if (process.argv[1] === import.meta.filename) process.exitCode = await command(read, HELP, run);
