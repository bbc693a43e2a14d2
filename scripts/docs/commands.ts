// The page of the command line: what each verb says of itself.
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { totes } from "../../cli/totes.ts";
import { nameOf, type Verb } from "../../cli/verb.ts";

/** What `totes` prints of itself, 80 columns wide. */
async function helpOf(args: readonly string[], verbs: readonly Verb[]): Promise<string> {
  const out = new PassThrough();
  const said = text(out);
  await totes([...args, "--help"], { out, err: out, isAnswered: false }, verbs);
  out.end();
  return (await said).trimEnd();
}

const fenced = (block: string): string => `\`\`\`text\n${block}\n\`\`\``;

/** docs/commands.md, before it is formatted. */
export async function commandsPage(verbs: readonly Verb[]): Promise<string> {
  const sections: string[] = [];
  for (const verb of verbs)
    sections.push(`## ${nameOf(verb)}\n\n${fenced(await helpOf([nameOf(verb)], verbs))}`);
  return `# The command line

What \`npx totes\` says of itself; \`npm run docs\` writes this page. Exit codes: 0 all is well; 1 it is not, and the answer says what;
2 it could not be done, and standard error says why.

${fenced(await helpOf([], verbs))}

${sections.join("\n\n")}
`;
}
