// What `npm run mutate` goes by. It is run by itself: it takes as long as all tests together, and more.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import {
  byFile,
  figuresOf,
  isUnnoticed,
  lineOf,
  rowOf,
  scoreOf,
} from "../../scripts/mutation/figures.ts";
import { GROUPS } from "../../scripts/mutation/groups.ts";
import { expect } from "../support/chai.ts";

const root = path.join(import.meta.dirname, "..", "..");
const mutate = (...args: string[]) =>
  spawnSync(process.execPath, ["--import", "tsx", "scripts/mutate.ts", ...args], {
    cwd: root,
    encoding: "utf8",
  });

describe("mutation testing's groups", () => {
  it("name files and tests that are there, each file once", () => {
    const mutated = GROUPS.flatMap((group) => group.mutate);
    expect(new Set(mutated).size).to.equal(mutated.length);
    for (const file of [...mutated, ...GROUPS.flatMap(({ specs }) => specs)])
      expect(existsSync(path.join(root, file)), file).to.equal(true);
  });

  it("are all that the command takes, and their files", () => {
    for (const [option, value, message] of [
      ["--group", "nowhere", 'there is no group "nowhere"; --help says what there is\n'],
      [
        "--mutate",
        "src/nowhere.ts",
        '"src/nowhere.ts" is in no such group; --help says what there is\n',
      ],
    ] as const) {
      const { status, stderr } = mutate(option, value);
      expect([status, stderr]).to.deep.equal([2, message]);
    }
  });
});

describe("mutation testing's figures", () => {
  const mutant = (status: string, fileName = "src/values.ts") =>
    ({
      fileName: path.resolve(fileName),
      status,
      mutatorName: "EqualityOperator",
      replacement: "a <=\n  b",
      location: { start: { line: 12, column: 5 }, end: { line: 12, column: 9 } },
    }) as Parameters<typeof lineOf>[1];
  const some = ["Killed", "Killed", "Timeout", "Survived", "NoCoverage", "Ignored", "RuntimeError"];

  it("count a fault as noticed where a test failed or nothing came to an end, and leave out what was not tried", () => {
    const figures = figuresOf(some.map((status) => mutant(status)));
    expect(figures).to.deep.equal({ noticed: 3, survived: 1, uncovered: 1 });
    expect(scoreOf(figures)).to.equal(0.6);
    expect(scoreOf(figuresOf([]))).to.equal(1);
    expect(some.filter((status) => isUnnoticed(mutant(status)))).to.deep.equal([
      "Survived",
      "NoCoverage",
    ]);
  });

  it("are cut off and not rounded: 79.99 % is not 80.0", () => {
    expect(rowOf("all", { noticed: 7999, survived: 2000, uncovered: 1 })).to.equal(
      "| all | 7999 | 2000 | 1 | 79.9 % |",
    );
  });

  it("are by file, and each fault is a line", () => {
    const files = byFile([mutant("Survived"), mutant("Killed", "tables/a.ts"), mutant("Killed")]);
    expect([...files].map(([file, { length }]) => [file, length])).to.deep.equal([
      ["src/values.ts", 2],
      ["tables/a.ts", 1],
    ]);
    expect(lineOf("src/values.ts", mutant("Survived"))).to.equal(
      "src/values.ts:12:5 EqualityOperator → a <= b",
    );
  });
});
