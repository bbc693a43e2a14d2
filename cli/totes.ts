/** The command line: reads it, runs the verb that it names, and says in a line what went wrong. */
import yargs, { type Argv, type FallbackCompletionFunction } from "yargs";
import packageJson from "../package.json" with { type: "json" };
import { COMPLETE, completes, COMPLETION, completionScript } from "./completion.ts";
import { inWords } from "./in-words.ts";
import { UsageError } from "./options.ts";
import { printable, Terminal, widthOf, type Output } from "./terminal.ts";
import { usageInWords } from "./usage.ts";
import { nameOf, type Say, type Verb } from "./verb.ts";
import { verbsOf } from "./verbs.ts";

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

/**
 * Runs one command line. Gives its exit code: the verb's own 0 or 1; 2 where it could not be done.
 * @param own the verbs that there are, where not those of this project
 */
export async function totes(
  args: readonly string[],
  surroundings: Surroundings = OURS,
  own?: readonly Verb[],
): Promise<number> {
  process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] = "true";
  const { out, err } = surroundings;
  let code = 0;
  let verb: Verb | undefined;
  if (args.length === 0) args = ["--help"];
  const verbs = own ?? (await verbsOf(args));
  const program = programOf(out, args);
  const usage = (message: string): UsageError =>
    new UsageError(
      usageInWords(message, {
        args,
        command: verb?.command,
        verbs: [...verbs.map(nameOf), COMPLETION],
        options: Object.keys(optionsOf(program).key),
      }),
    );
  program
    .fail((message, error) => {
      // YError: yargs' own, of what a value's `coerce` threw.
      throw error === undefined || error.name === "YError" ? usage(message) : error;
    })
    .check((given) => checkValues(given, args, optionsOf(program).array), true);
  for (const one of verbs)
    program.command({
      command: one.command,
      describe: one.describe,
      builder: (args: Argv) => {
        verb = one;
        return one.build(args);
      },
      handler: async (given) => {
        code = await run(one, given, surroundings);
      },
    });
  try {
    const names = args[0] === COMPLETE ? await completes(args, verbs) : [];
    const complete: FallbackCompletionFunction = (_word, _given, usual, done) => {
      usual((_error, usually = []) =>
        done(
          names.length > 0 ? [...usually.filter((one) => !one.startsWith("-")), ...names] : usually,
        ),
      );
    };
    program.completion(
      COMPLETION,
      "a script for your shell that completes verbs, options, tables and stages",
      complete,
    );
    await program.parseAsync([...args], {}, (_error, _given, output) => {
      if (output) out.write(`${args[0] === COMPLETION ? completionScript(output) : output}\n`);
    });
    return code;
  } catch (error) {
    const help = `totes ${verb ? `${nameOf(verb)} ` : ""}--help`;
    err.write(`${printable(inWords(error, help))}\n`);
    return 2;
  }
}

function programOf(out: Output, args: readonly string[]): Argv {
  return yargs([...args])
    .scriptName("totes")
    .usage("$0 <verb>\n\nKeeps a star-schema warehouse true to the shop's database, and shows how.")
    .parserConfiguration({ "boolean-negation": false, "dot-notation": false })
    .option("json", { type: "boolean", describe: "the answer as JSON on standard output" })
    .option("no-color", {
      type: "boolean",
      describe: "no colours, nothing that moves; so it is with NO_COLOR=1 and on a pipe",
    })
    .alias("help", "h")
    .describe("help", "this text")
    .version(packageJson.version)
    .describe("version", "the version of this checkout")
    .epilogue("totes <verb> --help says more about one.")
    .wrap(widthOf(out))
    .exitProcess(false)
    .strict()
    .demandCommand(1);
}

/** What yargs knows of the verb that is read; not in its types. */
const optionsOf = (program: Argv) =>
  (
    program as unknown as {
      getOptions(): { key: Readonly<Record<string, unknown>>; array: readonly string[] };
    }
  ).getOptions();

/** No option without its value, and none twice but those that are lists. */
function checkValues(
  given: Readonly<Record<string, unknown>>,
  args: readonly string[],
  lists: readonly string[],
): true {
  for (const [name, value] of Object.entries(given)) {
    if (name === "_" || name === "$0") continue;
    // A list of words that are no option may be empty.
    const isNone = Array.isArray(value) && value.length === 0 && args.includes(`--${name}`);
    if (value === "" || isNone) throw new UsageError(`--${name} takes a value`);
    if (Array.isArray(value) && !lists.includes(name))
      throw new UsageError(`--${name} is given twice`);
  }
  return true;
}

async function run(
  verb: Verb,
  given: Parameters<Verb["run"]>[0],
  { out, err, isAnswered }: Surroundings,
): Promise<number> {
  const isJson = given["json"] === true;
  const terminal = new Terminal(isJson ? err : out, { isPlain: given["noColor"] === true });
  const say: Say = {
    terminal,
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
  const stop = (): void => {
    terminal.calm();
    err.write(`stopped; ${verb.stopped}\n`);
    // As a shell has it of a process that Ctrl-C ended.
    process.exit(130);
  };
  if (verb.stopped !== undefined) process.once("SIGINT", stop);
  try {
    return await verb.run(given, say);
  } finally {
    process.off("SIGINT", stop);
    terminal.calm();
  }
}
