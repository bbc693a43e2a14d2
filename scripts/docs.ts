// Writes the pages that say what the code says: the catalogue of the star, its views over the lake, the verbs of the command line.
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { allVerbs } from "../cli/verbs.ts";
import { catalogOf } from "../src/operations/catalog.ts";
import { lakeScript } from "../src/lake-sql/lake-sql.ts";
import { getTables } from "../src/registry.ts";
import { cataloguePage } from "./docs/catalogue.ts";
import { commandsPage } from "./docs/commands.ts";
import { formatted } from "./formatted.ts";

const ROOT = path.join(import.meta.dirname, "..");

/** A page's text, by its file. */
export type Pages = Readonly<Record<string, string>>;

const before = (file: string): Promise<string> => readFile(path.join(ROOT, file), "utf8");

/** The generated pages, as they should be. */
export async function pages(): Promise<Pages> {
  const tables = await getTables();
  const catalogue = catalogOf(tables);
  return {
    "docs/catalogue.md": await formatted("docs/catalogue.md", "md", cataloguePage(catalogue)),
    "docs/commands.md": await formatted(
      "docs/commands.md",
      "md",
      await commandsPage(await allVerbs(), await before("docs/commands.md")),
    ),
    "docs/analytics/lake.sql": `${LAKE_SQL}${lakeScript("duckdb", tables, { lake: "" })}`,
  };
}

const LAKE_SQL = `-- The star's tables, by DuckDB, straight over the Parquet files that the lake's manifests name: what
-- \`totes lake sql --dialect duckdb\` prints. \`npm run docs\` writes this file; docs/lake.md says what is in it.
--
--   set variable lake = 's3://BUCKET';    the processed bucket, or a folder with a copy of it
--   set variable as_of = 41;              as of batch 41; leave it out for how it is now
--
-- then this, then any question beside it. Run it again to see batches that came since.
`;

/** The pages in `root` that are not as they should be, or not there. */
export async function stalePages(wanted: Pages, root = ROOT): Promise<string[]> {
  const stale: string[] = [];
  for (const [file, text] of Object.entries(wanted)) {
    const found = await readFile(path.join(root, file), "utf8").catch(() => undefined);
    if (found !== text) stale.push(file);
  }
  return stale;
}

const HELP = `Writes docs/catalogue.md and docs/analytics/lake.sql, from the modules in tables/, and docs/commands.md, from the verbs of totes.

  npm run docs               writes them
  npm run docs -- --check    fails where one is not as the code says, and writes nothing`;

async function main([argument, ...more]: readonly string[]): Promise<number> {
  if (more.length > 0 || ![undefined, "--check", "--help"].includes(argument)) {
    console.error(`There is no ${[argument, ...more].join(" ")}.\n\n${HELP}`);
    return 2;
  }
  if (argument === "--help") {
    console.log(HELP);
    return 0;
  }
  const wanted = await pages();
  const stale = await stalePages(wanted);
  if (argument === "--check") {
    for (const file of stale)
      console.error(`${file} is not as the code says: npm run docs writes it`);
    return stale.length > 0 ? 1 : 0;
  }
  for (const file of stale) {
    await writeFile(path.join(ROOT, file), wanted[file]!);
    console.log(`${file} was written`);
  }
  if (stale.length === 0) console.log("All pages are as the code says");
  return 0;
}

if (process.argv[1] === import.meta.filename) process.exitCode = await main(process.argv.slice(2));
