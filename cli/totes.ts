/** The command line: reads it, runs the verb that it names, and says in a line what went wrong. */
import yargs from "yargs";
import packageJson from "../package.json" with { type: "json" };
import { didYouMean } from "./nearest.ts";
import { UsageError } from "./options.ts";
import { Terminal, type Output } from "./terminal.ts";
import type { Say, Verb } from "./verb.ts";
import { VERBS } from "./verbs.ts";

/** Where a run of the command line reads and writes; a process' own unless said otherwise. */
export interface Surroundings {
  readonly out: Output;
  readonly err: Output;
  readonly isAnswered: boolean;
}

const OURS: Surroundings = {
  out: process.stdout,
  err: process.stderr,
  isAnswered: process.stdin.isTTY,
};

/** Runs one command line. Gives its exit code: the verb's own 0 or 1; 2 where it could not be done. */
export async function totes(
  args: readonly string[],
  { out, err, isAnswered }: Surroundings = OURS,
  verbs: readonly Verb[] = VERBS,
): Promise<number> {
  process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] = "true";
  if (args.length === 0) args = ["--help"];
  let code = 0;
  const program = yargs([...args])
    .scriptName("totes")
    .usage("$0 <verb>\n\nKeeps a star-schema warehouse true to the shop's database, and shows how.")
    .option("json", { type: "boolean", describe: "the answer as JSON on standard output" })
    .option("color", {
      type: "boolean",
      describe: "colours and motion; --no-color, NO_COLOR=1 or a pipe leave them out",
    })
    .alias("help", "h")
    .version(packageJson.version)
    .epilogue("totes <verb> --help says more about one.")
    .wrap(Math.max(40, Math.min(100, out.columns || 80)))
    .exitProcess(false)
    .strict()
    .demandCommand(1)
    .fail((message, error) => {
      throw error ?? new UsageError(message);
    });
  for (const { command, describe, build, run } of verbs)
    program.command({
      command,
      describe,
      builder: build,
      handler: async (given) => {
        if (given["color"] === false) process.env["NO_COLOR"] = "1";
        code = await run(given, say(given["json"] === true, { out, err, isAnswered }));
      },
    });
  program.completion(
    "completion",
    "a script that completes verbs, options and tables, for bash or zsh",
  );
  try {
    await program.parseAsync([...args], {}, (_error, _args, output) => {
      if (output) out.write(`${output}\n`);
    });
    return code;
  } catch (error) {
    err.write(`${inWords(error, args, verbs)}\n`);
    return 2;
  }
}

function say(isJson: boolean, { out, err, isAnswered }: Surroundings): Say {
  return {
    terminal: new Terminal(isJson ? err : out),
    isJson,
    isAnswered,
    answer: (json) => {
      if (isJson) out.write(`${JSON.stringify(json, undefined, 2)}\n`);
    },
    answerLine: async (json) => {
      if (isJson && !out.write(`${JSON.stringify(json)}\n`))
        await new Promise((resolve) => out.once("drain", resolve));
    },
  };
}

function inWords(error: unknown, args: readonly string[], verbs: readonly Verb[]): string {
  if (!(error instanceof Error)) return String(error);
  // yargs' own is what a coerced value came to.
  if (!(error instanceof UsageError) && error.name !== "YError")
    return `${error.name}: ${error.message}`;
  const [first = ""] = args;
  const names = verbs.map(({ command }) => command.split(" ")[0]!);
  if (!first.startsWith("-") && !names.includes(first))
    return `there is no verb ${first}${didYouMean(first, names)} \`totes --help\` names all`;
  return `${error.message}; \`totes ${names.includes(first) ? `${first} ` : ""}--help\` says what there is`;
}
