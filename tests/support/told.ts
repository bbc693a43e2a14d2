import { PassThrough } from "node:stream";
import { totes } from "../../cli/totes.ts";
import { VERBS } from "../../cli/verbs.ts";

/** What keeps the command line from taking a line that somebody is told to type; undefined where it takes it. Nothing is done. */
export async function whyNotTaken(line: string): Promise<string | undefined> {
  const words = [...line.matchAll(/"([^"]*)"|\S+/g)].map(([word, quoted]) => quoted ?? word);
  if (words.splice(0, words[0] === "npx" ? 2 : 1).at(-1) !== "totes")
    return "it does not begin with totes";
  const err = new PassThrough({ encoding: "utf8" });
  const verbs = VERBS.map((verb) => ({ ...verb, run: () => Promise.resolve(0) }));
  const code = await totes(words, { out: new PassThrough(), err, isAnswered: true }, verbs);
  return code === 0 ? undefined : String(err.read());
}
