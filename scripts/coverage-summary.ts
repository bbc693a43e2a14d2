// Prints what tests and coverage gave as a table in Markdown, for a GitHub job's summary:
// node --import tsx scripts/coverage-summary.ts coverage "Node 24" >> "$GITHUB_STEP_SUMMARY"
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";

interface Mocha {
  readonly stats: {
    readonly passes: number;
    readonly failures: number;
    readonly pending: number;
    /** Milliseconds. */
    readonly duration: number;
  };
  readonly failures: readonly { readonly fullTitle: string }[];
}

const [folder = "coverage", title = "Tests"] = process.argv.slice(2);
const read = (name: string): string | undefined => {
  const file = path.join(folder, name);
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
};

console.log(`### ${title}\n`);
const parts = existsSync(folder)
  ? readdirSync(folder).flatMap((name) => /^mocha-(.+)\.json$/.exec(name)?.[1] ?? [])
  : [];
if (parts.length === 0) console.log("No tests came to an end.");
// A part that died before it could write a report is named in the job's log.
for (const part of parts) {
  const { stats, failures } = JSON.parse(read(`mocha-${part}.json`)!) as Mocha;
  console.log(
    `${part}: ${stats.passes} passed, ${stats.failures} failed, ${stats.pending} skipped, ${Math.round(stats.duration / 1000)} s\n`,
  );
  for (const { fullTitle } of failures) console.log(`- failed: ${fullTitle}`);
}

// lcov: one record a file; what was found and what was hit, of lines, functions (FN) and branches (BR).
const lcov = read("lcov.info");
if (lcov !== undefined) {
  const counts = new Map<string, Record<string, number>>();
  const root = path.resolve(".") + path.sep;
  let group = "";
  for (const line of lcov.split("\n")) {
    const [, key, value = ""] = /^(SF|LF|LH|FNF|FNH|BRF|BRH):(.*)$/.exec(line) ?? [];
    if (key === "SF") group = path.dirname(value.replace(root, "")).split(path.sep).join("/");
    else if (key)
      for (const name of [group, "all"]) {
        const count = counts.get(name) ?? {};
        counts.set(name, { ...count, [key]: (count[key] ?? 0) + Number(value) });
      }
  }
  const share = (of: Record<string, number>, kind: string): string => {
    const [found = 0, hit = 0] = [of[`${kind}F`], of[`${kind}H`]];
    return found === 0 ? "–" : `${((100 * hit) / found).toFixed(1)} %`;
  };
  console.log("\n| coverage | lines | branches | functions |\n| --- | ---: | ---: | ---: |");
  for (const [name, count] of [...counts].sort(([a], [b]) => (a < b ? -1 : 1)))
    console.log(
      `| ${name === "all" ? "**all**" : `\`${name}/\``} | ${["L", "BR", "FN"].map((kind) => share(count, kind)).join(" | ")} |`,
    );
}
