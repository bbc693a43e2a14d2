// The page of the star schema: every table in words, the stars as drawings that GitHub shows, and where it is in the lake.
import {
  BATCHES,
  deletedPath,
  getObjectPath,
  manifestKey,
  rejectedPath,
} from "../../src/lake/keys.ts";
import type { CatalogColumn, CatalogTable } from "../../src/operations/catalog.ts";
import { BATCH_COLUMN } from "../../src/parquet/schema.ts";

/** More origins than that are said once, above the columns. */
const ORIGINS = 3;

/** docs/catalogue.md, before it is formatted. */
export function cataloguePage(tables: readonly CatalogTable[]): string {
  const facts = tables.filter(({ kind }) => kind === "fact");
  return `# The catalogue

What the tables of the star mean, for whoever asks them: one row of what, which column says what, and where it comes from.
\`npm run docs\` writes this page from the modules in [tables/](../tables/); \`npx totes catalog TABLE\` says the same in a terminal.
[Questions to ask](analytics/README.md), with the SQL that answers them, are beside it.

${[
  list("Facts", facts),
  list(
    "Dimensions",
    tables.filter(({ kind }) => kind === "dimension"),
  ),
].join("\n")}
- [In the lake](#in-the-lake)

## The stars

${facts.map((fact) => `### The star of ${fact.name}\n\n${starOf(fact, tables)}`).join("\n\n")}

## The tables

${tables.map(sectionOf).join("\n\n")}

## In the lake

${lakeOf(tables)}
`;
}

const list = (heading: string, tables: readonly CatalogTable[]): string =>
  [`- ${heading}:`, ...tables.map(({ name, grain }) => `  - [${name}](#${name}): ${grain}`)].join(
    "\n",
  );

function sectionOf(table: CatalogTable): string {
  const { name, grain, key, sources, lookups, rules, columns } = table;
  const common = commonOrigins(columns);
  const shown = columns.map(
    ({ name: column, type, nullable, references, meaning, from, isCarried }) => [
      code(column) + (key.includes(column) ? " 🔑" : ""),
      type + (nullable ? ", may be null" : ""),
      meaning + (references === undefined ? "" : ` → [${references}](#${references})`),
      from === common ? "all of these" : originOf(from, isCarried),
    ],
  );
  return `### ${name}

${grain}

- Key: ${key.map(code).join(", ")}
- Made from: ${[...sources.map(code), ...lookups.map((one) => `${one} (looked up)`)].join(", ")}${
    common === undefined ? "" : `; of these ${common.split(", ").map(code).join(", ")}`
  }
${rules.map((rule) => `- ${rule}`).join("\n")}

${row(["column", "type", "what it means", "from"])}
${row(["---", "---", "---", "---"])}
${shown.map(row).join("\n")}`;
}

/** What several columns are made from, where that is long. */
const commonOrigins = (columns: readonly CatalogColumn[]): string | undefined =>
  columns.map(({ from }) => from).find((from) => from.split(", ").length > ORIGINS);

function originOf(from: string, isCarried: boolean): string {
  if (!from.includes(".")) return from;
  const origins = from.split(", ").map(code).join(", ");
  return isCarried ? origins : `made from ${origins}`;
}

const code = (text: string): string => `\`${text}\``;
const row = (cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;

/** A fact and the dimensions around it, as Mermaid draws them. */
function starOf(fact: CatalogTable, tables: readonly CatalogTable[]): string {
  const targets = [...new Set(fact.columns.flatMap(({ references }) => references ?? []))];
  const around = targets.map((target) => tables.find(({ name }) => name === target)!);
  const relations = targets.map((target) => {
    const by = fact.columns
      .filter(({ references }) => references === target)
      .map(({ name }) => name);
    return `  ${target} ||--o{ ${fact.name} : "${by.join(", ")}"`;
  });
  return ["```mermaid", "erDiagram", ...relations, ...[fact, ...around].map(entityOf), "```"].join(
    "\n",
  );
}

function entityOf({ name, columns, keepsVersions }: CatalogTable): string {
  const lines = columns.map((column) => {
    const isPrimary = keepsVersions ? column.type === "serial" : column.key;
    const marks = [
      ...(isPrimary ? ["PK"] : []),
      ...(column.references === undefined ? [] : ["FK"]),
    ];
    const note = column.key && keepsVersions ? ' "the record"' : "";
    // Mermaid takes no blank in a type.
    return `    ${column.type.replaceAll(", ", "_").replaceAll(" ", "_")} ${column.name}${marks.length > 0 ? ` ${marks.join(", ")}` : ""}${note}`;
  });
  return [`  ${name} {`, ...lines, "  }"].join("\n");
}

function lakeOf(tables: readonly CatalogTable[]): string {
  const at = { at: new Date("2026-11-22"), batch: 42, run: "<run>" };
  const key = (table: string): string => getObjectPath(table, at, "parquet");
  const [first] = tables;
  return `Each batch that changes a table puts one Parquet file into the processed bucket, where it stays. It has the columns above but for the
record id, which the warehouse gives, and \`${BATCH_COLUMN}\`, the batch's number. Times of day are text, \`HH:MM:SS.ffffff\`; money is DECIMAL.

| table | its files, say of batch 42 |
| --- | --- |
${tables.map(({ name }) => row([`[${name}](#${name})`, code(key(name))])).join("\n")}

- A file counts when a manifest names it: \`${manifestKey(at.batch)}\` lists the files of batch 42 as \`objects\`. A file that none names is what a run left
  that lost a race, and is not there for any reader.
- A record is in as many files as batches held it, with or without a change. The row of the highest \`${BATCH_COLUMN}\` is how it is now;
  those up to batch *n* say how it was then, in all tables at the same moment.
- Rows that did not fit: \`${rejectedPath(first!.name, at, "json.gz")}\`. Keys of rows that are gone: \`${deletedPath(first!.name, at, "parquet")}\`.
- [The buckets](architecture.md#the-buckets) says all of \`${BATCHES}\`; [ask the lake](analytics/README.md#ask-the-lake) how to read it.`;
}
