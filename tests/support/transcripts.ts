// What the verbs print, pasted into the documentation: a fenced block below each `<!-- output: NAME -->`. A test records what it
// sees; with TRANSCRIPTS=write the blocks are written, else they are held against it, but for what differs from run to run.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { formatted } from "../../scripts/formatted.ts";
import { BLOCK } from "../../scripts/docs/outputs.ts";
import type { Ran } from "./totes.ts";

const ROOT = path.join(import.meta.dirname, "..", "..");
const PAGES = [
  "README.md",
  ...readdirSync(path.join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".md"))
    .map((file) => `docs/${file.replaceAll(path.sep, "/")}`),
];

/** What is recorded of a command line's output. */
export interface Excerpt {
  /** Lines that are shown; all unless said. What is left out is a line of three dots. */
  readonly only?: RegExp;
  /** The first line that is not shown, nor what comes after it. */
  readonly upTo?: RegExp;
}

/** What differs from run to run, each made the same; how lines are broken goes with it. */
const VARIES: readonly (readonly [RegExp, string])[] = [
  [/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}/g, "ID"],
  [/\b[0-9a-f]{12,64}\b/g, "HASH"],
  [/\b\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME"],
  [/\b(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d(\.\d+)?( UTC)?/g, "TIME"],
  [/\b\d{4}[-/]\d\d[-/]\d\d\b/g, "DAY"],
  [/\b\d[\d.,]* (s|min|h|days)\b( \d+ min)?/g, "SPAN"],
  [/\b\d[\d.,]* (B|kB|MB)\b/g, "SIZE"],
  [/█+/g, ""],
  [/\d[\d,.]*/g, "0"],
  [/\b(order|payment|design|transaction|row)s\b/g, "$1"],
  [/\s+/g, " "],
];

export const withoutWhatVaries = (text: string): string =>
  VARIES.reduce((all, [pattern, by]) => all.replace(pattern, by), text).trim();

/** What was recorded in one run of a test. */
export class Transcripts {
  readonly #recorded = new Map<string, string>();
  readonly #said: readonly (readonly [string, string])[];

  /** @param said what this run alone has (a folder, a port), and what is shown instead */
  constructor(said: readonly (readonly [string, string])[]) {
    this.#said = said;
  }

  record(
    name: string,
    args: readonly string[],
    { out, err }: Ran,
    { only, upTo }: Excerpt = {},
  ): void {
    if (this.#recorded.has(name)) throw new Error(`two outputs are called ${name}`);
    const line = args.map((one) => (/[\s"…]/.test(one) ? `"${one}"` : one)).join(" ");
    const all = `${out}${err}`.trimEnd().split("\n");
    const end = upTo === undefined ? -1 : all.findIndex((one) => upTo.test(one));
    const lines = end < 0 ? all : [...all.slice(0, all[end - 1] === "" ? end - 1 : end), "  …"];
    const shown: string[] = [];
    for (const one of lines)
      if (only === undefined || only.test(one)) shown.push(one.trimEnd());
      else if (shown.at(-1) !== "  …") shown.push("  …");
    const text = `$ npx totes ${line}\n${shown.join("\n")}`;
    this.#recorded.set(
      name,
      this.#said.reduce((all, [found, by]) => all.replaceAll(found, by), text),
    );
  }

  /**
   * Holds the pages against what was recorded, or writes them.
   * @returns what is wrong with them, a line each
   */
  async settle(): Promise<string[]> {
    const problems: string[] = [];
    const shown = new Set<string>();
    for (const page of PAGES) {
      const text = readFileSync(path.join(ROOT, page), "utf8");
      const written = text.replaceAll(BLOCK, (block, marker: string, name: string, was = "") => {
        const output = this.#recorded.get(name);
        shown.add(name);
        if (output === undefined) {
          problems.push(`${page}: nobody records the output ${name}`);
          return block;
        }
        if (withoutWhatVaries(was) === withoutWhatVaries(output)) return block;
        if (process.env["TRANSCRIPTS"] !== "write")
          problems.push(
            `${page}: ${name} is not what totes says (npm run transcripts writes it). It says\n${output}`,
          );
        return `${marker}\n\n\`\`\`text\n${output}\n\`\`\`\n`;
      });
      if (process.env["TRANSCRIPTS"] === "write" && written !== text)
        writeFileSync(path.join(ROOT, page), await formatted(page, "md", written));
    }
    for (const name of this.#recorded.keys())
      if (!shown.has(name)) problems.push(`no page shows the output ${name}`);
    return problems;
  }
}
