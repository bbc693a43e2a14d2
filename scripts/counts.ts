// Prints what failed, and "N passed, N failed", from the files that mocha's JSON reporter wrote:
// node --import tsx scripts/counts.ts FILE …
import { readFileSync } from "node:fs";
import path from "node:path";

interface Report {
  readonly stats: { readonly passes: number; readonly failures: number };
  readonly failures: readonly {
    readonly fullTitle: string;
    readonly file?: string;
    readonly duration?: number;
    readonly err: { readonly message?: string; readonly stack?: string };
  }[];
}

let [passed, failed] = [0, 0];
for (const file of process.argv.slice(2)) {
  const { stats, failures } = JSON.parse(readFileSync(file, "utf8")) as Report;
  passed += stats.passes;
  failed += stats.failures;
  for (const { fullTitle, file: test, duration, err } of failures)
    console.log(
      `\nFailed in ${path.basename(file)}: ${path.relative("", test ?? "")}: ${fullTitle} (${duration ?? "?"} ms)\n` +
        (err.stack ?? err.message ?? JSON.stringify(err)),
    );
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
