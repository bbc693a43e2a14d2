// The documentation: every relative link leads to a file, a folder or a heading that is there.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect } from "chai";

const root = path.join(import.meta.dirname, "..", "..");
const docs = readdirSync(path.join(root, "docs"), { recursive: true, encoding: "utf8" })
  .map((file) => `docs/${file.replaceAll(path.sep, "/")}`)
  .filter((file) => file.endsWith(".md"));
const PAGES = [
  "README.md",
  "SECURITY.md",
  "tables/README.md",
  "infrastructure/README.md",
  ...docs.sort(),
];

/** A page without its code, in which nothing is a link or a heading. */
const textOf = (page: string): string =>
  readFileSync(path.join(root, page), "utf8").replace(/^ *(```|~~~).*?^ *\1.*?$/gms, "");

/** The anchors that GitHub gives to a page's headings. */
function anchorsOf(page: string): Set<string> {
  const seen = new Map<string, number>();
  const anchors = [...textOf(page).matchAll(/^#{1,6} +(.+?) *#*$/gm)].map(([, heading]) => {
    const anchor = heading!
      .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replace(/\s/g, "-");
    const before = seen.get(anchor) ?? 0;
    seen.set(anchor, before + 1);
    return before === 0 ? anchor : `${anchor}-${before}`;
  });
  return new Set(anchors);
}

/** Where a page's links and images lead: `[text](here)`, `[name]: here`, `href="here"`. */
const linksOf = (page: string): string[] => {
  const text = textOf(page).replace(/(`+)(?!`).*?[^`]\1(?!`)/gs, "code");
  return [
    ...text.matchAll(/\]\(\s*<?([^\s<>()]+)>?(?:\s+"[^"]*")?\s*\)/g),
    ...text.matchAll(/^ *\[[^\]]+\]:\s*<?([^\s<>]+)>?/gm),
    ...text.matchAll(/\b(?:href|src)="([^"]+)"/g),
  ].map(([, link]) => link!);
};

/** What is wrong with a link of `page`; undefined where nothing is, or where it leads out of this repository. */
function problemOf(page: string, link: string): string | undefined {
  if (/^([a-z][a-z0-9+.-]*:|\/\/)/i.test(link)) return undefined;
  const [to = "", anchor] = link.split("#").map(decodeURIComponent);
  const target = to === "" ? page : path.posix.join(path.posix.dirname(page), to);
  if (!existsSync(path.join(root, target))) return `${link}: there is no ${target}`;
  if (anchor === undefined) return undefined;
  return target.endsWith(".md") && anchorsOf(target).has(anchor)
    ? undefined
    : `${link}: ${target} has no such heading`;
}

/** The classes of errors that a function or a verb throws. */
function errorClasses(): string[] {
  const files = ["src", "cli", "localstack/background"].flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .map((file) => path.join(root, folder, file)),
  );
  return files
    .flatMap((file) => [
      ...readFileSync(file, "utf8").matchAll(/^(?:export )?class (\w+) extends \w*Error\b/gm),
    ])
    .map(([, name]) => name!)
    .sort();
}

describe("the runbook", () => {
  it("has an entry for each class of error, in the order of the alphabet, and for no other", () => {
    const [, entries = ""] =
      /^## What an error says$([\s\S]*?)^## /m.exec(textOf("docs/runbook.md")) ?? [];
    const told = [...entries.matchAll(/^### (\w+)$/gm)].map(([, name]) => name!);
    expect(told).to.deep.equal(errorClasses());
    expect(told).to.include("ContractError");
  });
});

describe("the relative links of", () => {
  for (const page of PAGES)
    it(`${page} lead somewhere`, () => {
      const problems = linksOf(page).map((link) => problemOf(page, link));
      expect(problems.filter((problem) => problem !== undefined)).to.deep.equal([]);
    });

  it("the README are found, and those that lead nowhere told from the others", () => {
    expect(linksOf("README.md")).to.include("docs/architecture.md");
    expect(problemOf("docs/architecture.md", "../README.md#what-it-promises")).to.equal(undefined);
    expect(problemOf("docs/architecture.md", "https://example.org/#x")).to.equal(undefined);
    expect(problemOf("docs/architecture.md", "nowhere.svg")).to.equal(
      "nowhere.svg: there is no docs/nowhere.svg",
    );
    expect(problemOf("README.md", "#nowhere")).to.equal("#nowhere: README.md has no such heading");
  });
});
