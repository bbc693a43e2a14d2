// What is in the functions' bundles, by package: writes docs/bundles.md.
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Metafile } from "esbuild";
import { bundleFunction, FUNCTIONS } from "./bundle.ts";
import { writeFormatted } from "./formatted.ts";
import { packageStage } from "./package-stage.ts";

/** Packages with less than that in each bundle are added up, in bytes. */
const LEAST = 5_000;
const OTHERS = "the others";

/**
 * Bytes of a bundle's code by the package that they come from; our own by folder, like `src/lake`.
 * @throws Error where the metafile has no bundle
 */
export function bytesByPackage({ outputs }: Metafile): Map<string, number> {
  const bundle = Object.values(outputs).find(({ entryPoint }) => entryPoint !== undefined);
  if (!bundle) throw new Error("the metafile has no bundle");
  const bytes = new Map<string, number>();
  for (const [file, { bytesInOutput }] of Object.entries(bundle.inputs)) {
    const name = packageOf(file);
    bytes.set(name, (bytes.get(name) ?? 0) + bytesInOutput);
  }
  return bytes;
}

function packageOf(file: string): string {
  const [, name] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file) ?? [];
  return name ?? file.split("/").slice(0, 2).join("/");
}

/** Rows of a Markdown table, the biggest package first. */
export function sizeRows(bundles: readonly ReadonlyMap<string, number>[]): string[][] {
  const names = new Set(bundles.flatMap((bundle) => [...bundle.keys()]));
  const all = [...names].map((name) => ({
    name,
    bytes: bundles.map((bundle) => bundle.get(name) ?? 0),
  }));
  const most = ({ bytes }: { bytes: number[] }): number => Math.max(...bytes);
  const big = all.filter((one) => most(one) >= LEAST).toSorted((a, b) => most(b) - most(a));
  const small = all.filter((one) => most(one) < LEAST);
  const others = bundles.map((_, i) => small.reduce((sum, { bytes }) => sum + bytes[i]!, 0));
  return [...big, { name: OTHERS, bytes: others }].map(({ name, bytes }) => [
    name === OTHERS ? name : `\`${name}\``,
    ...bytes.map((count) => (count === 0 ? "" : (count / 1000).toFixed(1))),
  ]);
}

async function zipSizes(): Promise<number[]> {
  const folder = mkdtempSync(path.join(tmpdir(), "bundles-"));
  try {
    await packageStage("dev", { compaction: "true", retransform: "true" }, folder);
    return FUNCTIONS.map((name) => statSync(path.join(folder, `${name}.zip`)).size);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function main(): Promise<void> {
  const zips = await zipSizes();
  const bundles = await Promise.all(FUNCTIONS.map((name) => bundleFunction(name)));
  const kB = (bytes: number): string => (bytes / 1000).toFixed(0);
  const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const page = `# What is in the bundles

Each function is one file, and its source map. A test keeps each zip below 1,000 kB
([templates.test.ts](../tests/infrastructure/templates.test.ts)), another keeps out what a function has no use for
([bundles.test.ts](../tests/infrastructure/bundles.test.ts)). \`npm run bundles\` writes this page, from esbuild's metafile.

${row(["kB", ...FUNCTIONS])}
${row(["---", ...FUNCTIONS.map(() => "--:")])}
${row(["zip: code and source map", ...zips.map(kB)])}
${row(["code", ...bundles.map(({ code }) => kB(code.length))])}

The source maps lead to the lines of our own code, and to the files alone of the packages': their lines would double what is
uploaded.

## Code by package

Minified, not compressed, in kB. \`parquets\`, and with it \`thrift\`, \`bson\` and \`ws\`, is only run where \`PARQUET_CODEC\` asks for
it.

${row(["package", ...FUNCTIONS])}
${row(["---", ...FUNCTIONS.map(() => "--:")])}
${sizeRows(bundles.map(({ metafile }) => bytesByPackage(metafile)))
  .map(row)
  .join("\n")}
`;
  await writeFormatted(path.join(import.meta.dirname, "..", "docs", "bundles.md"), "md", page);
}

const HELP = `Writes docs/bundles.md: what is in the functions' bundles, by package, from esbuild's metafile.

  npm run bundles    packages a stage to see what the zips weigh: some ten seconds`;

if (process.argv[1] === import.meta.filename) {
  const [argument] = process.argv.slice(2);
  if (argument === undefined) await main();
  else if (argument === "--help") console.log(HELP);
  else {
    console.error(`There is no ${argument}.\n\n${HELP}`);
    process.exitCode = 2;
  }
}
