import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { allVerbs } from "../../cli/verbs.ts";
import { expect } from "../support/chai.ts";
import { refusalOf } from "../support/totes.ts";

const VERBS = await allVerbs();

const ROOT = path.join(import.meta.dirname, "..", "..");
/** What a page, or a string of the live page's code, tells to type: up to a remark, or another command. */
const TOLD = {
  md: /npx totes (?:"[^"\n]*"|.)*?(?= {2,}|`|\)| &&| [>|]|;| #|$)/gm,
  js: /npx totes [^"`]+/g,
};

const pages = ["README.md", "SECURITY.md"].concat(
  ["docs", "tables", "watch/page"].flatMap((folder) =>
    readdirSync(path.join(ROOT, folder), { recursive: true, encoding: "utf8" }).map((file) =>
      path.join(folder, file),
    ),
  ),
);
const told = pages.flatMap((page) => {
  const pattern = TOLD[path.extname(page).slice(1) as keyof typeof TOLD];
  if (pattern === undefined) return [];
  const lines = readFileSync(path.join(ROOT, page), "utf8").match(pattern) ?? [];
  return lines.length === 0 ? [] : [{ page, lines }];
});

describe("the command line takes what is told to type", () => {
  for (const { page, lines } of told)
    it(`by ${page}`, async () => {
      for (const line of lines) {
        // A verb alone is only spoken of: what it needs is not said.
        const said = line.trim().replaceAll(/ N\b/g, " 1");
        const whole = said.split(" ").length > 3 ? said : `${said} --help`;
        expect(await refusalOf(whole), line).to.equal("");
      }
    });

  for (const { command, examples } of VERBS)
    it(`by the examples of totes ${command}`, async () => {
      for (const [line] of examples) {
        const [ours] = line.split(/ [|>]/);
        expect(await refusalOf(`npx totes ${ours}`), line).to.equal("");
      }
    });
});
