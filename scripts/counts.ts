// Prints "N passed, N failed" from the files that mocha's JSON reporter wrote: node --import tsx scripts/counts.ts FILE …
import { readFileSync } from "node:fs";

interface Report {
  readonly stats: { readonly passes: number; readonly failures: number };
}

let [passed, failed] = [0, 0];
for (const file of process.argv.slice(2)) {
  const { stats } = JSON.parse(readFileSync(file, "utf8")) as Report;
  passed += stats.passes;
  failed += stats.failures;
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
