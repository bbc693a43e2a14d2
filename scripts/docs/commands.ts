// The page of the command line: what each verb says of itself.
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { totes } from "../../cli/totes.ts";
import { nameOf, type Verb } from "../../cli/verb.ts";
import { outputsIn } from "./outputs.ts";

/** What `totes` prints of itself, 80 columns wide. */
async function helpOf(args: readonly string[], verbs: readonly Verb[]): Promise<string> {
  const out = new PassThrough();
  const said = text(out);
  await totes([...args, "--help"], { out, err: out, isAnswered: false }, verbs);
  out.end();
  return (await said).trimEnd();
}

const fenced = (block: string): string => `\`\`\`text\n${block}\n\`\`\``;

/** Verbs whose output is no text that stands still. */
const WITHOUT_OUTPUT = ["watch"];

/** Where a verb's output is pasted: what stands there stays. */
function outputOf(verb: string, pasted: ReadonlyMap<string, string>): string {
  if (WITHOUT_OUTPUT.includes(verb)) return "";
  const name = verb;
  const text = pasted.get(name);
  return `\n\nWhat it says:\n\n<!-- output: ${name} -->${text ? `\n\n${fenced(text)}` : ""}`;
}

/**
 * docs/commands.md, before it is formatted.
 * @param before the page as it is, whose pasted outputs stay
 */
export async function commandsPage(verbs: readonly Verb[], before: string): Promise<string> {
  const pasted = outputsIn(before);
  const sections: string[] = [];
  for (const verb of verbs)
    sections.push(
      `## ${nameOf(verb)}\n\n${fenced(await helpOf([nameOf(verb)], verbs))}${outputOf(nameOf(verb), pasted)}`,
    );
  return `# The command line

What \`npx totes\` says of itself (\`npm run docs\` writes that), and what each verb says on a small shop (\`npm run transcripts\` runs them,
and writes that). Exit codes: 0 all is well; 1 it is not, and the answer says what;
2 it could not be done, and standard error says why.

${fenced(await helpOf([], verbs))}

${sections.join("\n\n")}
`;
}
