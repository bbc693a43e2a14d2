/** Completion by the shell, beyond the verbs and options that yargs knows: tables and stages. */
import path from "node:path";
import { getTables } from "../src/registry.ts";
import { knownStages } from "./stage.ts";
import { nameOf, type Verb } from "./verb.ts";

/** What the shell's script passes first where it asks; the words so far follow. */
export const COMPLETE = "--get-yargs-completions";

/** Names that fit where the cursor is: tables after `--table` and where a verb takes one, stages after `--stage`. */
export async function completes(
  args: readonly string[],
  verbs: readonly Verb[],
): Promise<readonly string[]> {
  const word = args.at(-1) ?? "";
  const before = args.at(-2);
  const verb = verbs.find((one) => args.slice(0, -1).includes(nameOf(one)));
  const takesTable = /[<[]table\b/.test(verb?.command ?? "") && !word.startsWith("-");
  const names =
    before === "--stage"
      ? knownStages()
      : before === "--table" || takesTable
        ? (await getTables()).map(({ name }) => name)
        : [];
  return names.filter((name) => name.startsWith(word));
}

export const COMPLETION = "completion";

/** yargs' script, so that it finds the program of this checkout wherever it is run. */
export function completionScript(script: string): string {
  const program = path.join(import.meta.dirname, "..", "bin", "totes.mjs");
  return script
    .replaceAll(`totes ${COMPLETE}`, `"${program}" ${COMPLETE}`)
    .replace(/^# Installation: .*\n(#.*OSX\.\n)?/m, "# source <(npx totes completion)\n");
}
