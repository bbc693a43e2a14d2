import { globSync } from "glob";
import { Stryker } from "@stryker-mutator/core";
import { GROUPS } from "./mutation/groups.ts";

for (const g of GROUPS.filter(({ name }) => process.argv.includes(name))) {
  const specs = g.specs.flatMap((s) => globSync(s));
  const results = await new Stryker({
    testRunner: "mocha",
    plugins: ["./scripts/mutation/mocha-runner.ts"],
    testRunnerNodeArgs: ["--import", "tsx", "--no-experimental-require-module"],
    mutate: [...g.mutate],
    specs,
    warnings: { unknownOptions: false } as never,
    coverageAnalysis: "perTest",
    concurrency: 1,
    disableTypeChecks: false,
    tsconfigFile: "none.json",
    ignorePatterns: [".local", "docs", "infrastructure", ".github", "reports", "coverage"],
    tempDirName: ".local/stryker",
    timeoutMS: 20000,
    timeoutFactor: 3,
    dryRunTimeoutMinutes: 10,
    reporters: ["json", "progress-append-only"],
    jsonReporter: { fileName: `.local/mutation/${g.name}.report.json` },
    incremental: true,
    incrementalFile: `.local/mutation/${g.name}.json`,
    maxTestRunnerReuse: 500,
    dryRunOnly: process.argv.includes("--dry"),
    checkerNodeArgs: ["--import", "tsx"],
  } as never).runMutationTest();
  const count: Record<string, Record<string, number>> = {};
  for (const r of results) {
    const c = (count[r.fileName] ??= {});
    c[r.status] = (c[r.status] ?? 0) + 1;
  }
  console.table(count);
}
