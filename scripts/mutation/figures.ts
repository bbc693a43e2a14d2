/** What Stryker found, as people read it. */
import path from "node:path";
import type { MutantResult } from "@stryker-mutator/api/core";

/** How many planted faults there were, and what became of them. */
export interface Figures {
  /** A test failed, or the code did not come to an end. */
  readonly noticed: number;
  /** The tests that came by it passed. */
  readonly survived: number;
  /** No test came by it. */
  readonly uncovered: number;
}

type Mutant = Pick<
  MutantResult,
  "fileName" | "status" | "location" | "replacement" | "mutatorName"
>;

const NOTICED = new Set(["Killed", "Timeout"]);
const UNNOTICED = new Set(["Survived", "NoCoverage"]);

export const isUnnoticed = ({ status }: Pick<Mutant, "status">): boolean => UNNOTICED.has(status);

export function figuresOf(mutants: readonly Pick<Mutant, "status">[]): Figures {
  const count = (test: (status: string) => boolean): number =>
    mutants.filter(({ status }) => test(status)).length;
  return {
    noticed: count((status) => NOTICED.has(status)),
    survived: count((status) => status === "Survived"),
    uncovered: count((status) => status === "NoCoverage"),
  };
}

/** The share that was noticed; 1 where there was nothing to notice. */
export function scoreOf({ noticed, survived, uncovered }: Figures): number {
  const all = noticed + survived + uncovered;
  return all === 0 ? 1 : noticed / all;
}

export const HEADING = [
  "| file | noticed | survived | not covered | score |",
  "| --- | ---: | ---: | ---: | ---: |",
].join("\n");

/** A row of that table. The score is cut off, not rounded: what is below a limit does not look as if it were at it. */
export function rowOf(name: string, figures: Figures): string {
  const score = (Math.floor(scoreOf(figures) * 1000) / 10).toFixed(1);
  const cells = [name, figures.noticed, figures.survived, figures.uncovered, `${score} %`];
  return `| ${cells.join(" | ")} |`;
}

/** Those of each file, in the order in which the files come. */
export function byFile<M extends Pick<Mutant, "fileName">>(
  mutants: readonly M[],
): Map<string, M[]> {
  const files = new Map<string, M[]>();
  for (const mutant of mutants) {
    const file = path.relative("", mutant.fileName).replaceAll(path.sep, "/");
    files.set(file, [...(files.get(file) ?? []), mutant]);
  }
  return files;
}

/** `src/values.ts:12:5 EqualityOperator → a <= b`, in one line. */
export function lineOf(file: string, { location, mutatorName, replacement }: Mutant): string {
  const { line, column } = location.start;
  return `${file}:${line}:${column} ${mutatorName} → ${replacement.replaceAll(/\s+/g, " ")}`;
}
