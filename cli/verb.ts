/** What a verb of `totes` is: what it is called, what it takes, what it does. */
import type { Argv, ArgumentsCamelCase } from "yargs";
import { LOCAL } from "./stage.ts";
import type { Terminal } from "./terminal.ts";

/** What a verb says it with. */
export interface Say {
  /** For people: standard output; standard error where the answer is JSON. */
  readonly terminal: Terminal;
  /** With `--json`, writes a value to standard output, as one document; else does nothing. */
  readonly answer: (json: unknown) => void;
  /** With `--json`, writes one JSON object a line, and waits where nobody reads as fast; else does nothing. */
  readonly answerLine: (json: object) => Promise<void>;
  readonly isJson: boolean;
  /** Whether there is somebody who can be asked. */
  readonly isAnswered: boolean;
}

/** A verb, as the program takes it. */
export interface Verb {
  /** Its name and what stands behind it, as yargs has it: `batch <number>`. */
  readonly command: string;
  /** One line. */
  readonly describe: string;
  readonly examples: Examples;
  readonly stopped?: string;
  readonly build: (args: Argv) => Argv;
  readonly run: (args: ArgumentsCamelCase, say: Say) => Promise<number>;
}

/** What to type after `totes`, and what it does. */
type Examples = readonly (readonly [line: string, does: string])[];

/** `batch` of `batch <number>`. */
export const nameOf = ({ command }: Pick<Verb, "command">): string => command.split(" ")[0]!;

/** Declares a verb. */
export function defineVerb<A>(of: {
  readonly command: string;
  readonly describe: string;
  /** More about it, below the usage. */
  readonly about?: string;
  readonly examples: Examples;
  /** What is to be known of it after Ctrl-C; a verb that says nothing ends as any process does, or sees to it itself. */
  readonly stopped?: string;
  /** Adds its options and positionals. Where a value does not fit, throws UsageError out of `coerce` or `check`. */
  readonly build: (args: Argv) => Argv<A>;
  /** Gives the exit code: 0 all is well, 1 it is not, and the answer says what; else throws, which is 2. */
  readonly run: (args: ArgumentsCamelCase<A>, say: Say) => Promise<number>;
}): Verb {
  const { command, describe, about, examples, stopped, build, run } = of;
  return {
    command,
    describe,
    examples,
    ...(stopped === undefined ? {} : { stopped }),
    build: (args) => {
      const built = build(
        args.usage([`$0 ${command}`, describe, ...(about ? [about] : [])].join("\n\n")),
      );
      for (const [line, does] of examples) built.example(`totes ${line}`, does);
      return built as Argv;
    },
    run: (args, say) => run(args as ArgumentsCamelCase<A>, say),
  };
}

/** The options that say which pipeline a verb works on. */
export const stageOptions = <T>(args: Argv<T>) =>
  args
    .option("stage", {
      type: "string",
      default: LOCAL,
      describe: "local: the stack that `totes up` started; else a deployed stage",
    })
    .option("region", {
      type: "string",
      describe: "of the stage (AWS_REGION, or eu-west-2)",
    });
