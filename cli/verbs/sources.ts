// `tables/sources.ts` and the database that it is about: held against each other, or the one written from the other.
import { readFile } from "node:fs/promises";
import path from "node:path";
import { checkContract, ContractError } from "../../src/ingestion/contract.ts";
import { readCatalogue } from "../../src/postgres/catalogue.ts";
import { connectWith } from "../../src/postgres/connection.ts";
import { getSettings } from "../../src/settings.ts";
import type { Source } from "../../src/table.ts";
import { readSchema, type FoundTable } from "../declare/database.ts";
import { sourceTexts } from "../declare/source-text.ts";
import { declaredSources, withSources } from "../declare/sources-file.ts";
import { ROOT, writeFormatted } from "../declare/write.ts";
import { didYouMean } from "../nearest.ts";
import { UsageError } from "../options.ts";
import { useStage } from "../stage.ts";
import { counted, listed } from "../terminal.ts";
import { defineVerb, stageOptions } from "../verb.ts";

/** What a database has, and what is declared of it. */
interface Sides {
  readonly found: ReadonlyMap<string, FoundTable>;
  readonly declared: ReadonlyMap<string, Source>;
  /** What is declared, and is not so. */
  readonly problems: string;
  /** Columns of declared tables that nobody declared. */
  readonly columns: readonly string[];
}

async function readSides(file: string, schema: string): Promise<Sides> {
  const declared = await declaredSources(file);
  const { SOURCE_SECRET } = getSettings("SOURCE_SECRET");
  const shop = await connectWith(SOURCE_SECRET);
  try {
    const found = await readSchema(shop.db, schema);
    const all = [...declared.values()];
    const problems: string[] = [];
    const columns: string[] = [];
    // Two schemas may have a table of one name.
    for (const one of new Set(all.map((source) => source.schema))) {
      const sources = all.filter((source) => source.schema === one);
      try {
        columns.push(...checkContract(sources, await readCatalogue(shop.db, sources)));
      } catch (error) {
        if (!(error instanceof ContractError)) throw error;
        problems.push(error.message);
      }
    }
    return { found, declared, problems: problems.join("\n"), columns };
  } finally {
    await shop.close();
  }
}

const undeclared = ({ found, declared }: Sides, schema: string): FoundTable[] => {
  const known = new Set([...declared.values()].map((one) => `${one.schema}.${one.name}`));
  return [...found.values()].filter(({ name }) => !known.has(`${schema}.${name}`));
};

/** @throws UsageError for a table that the database does not have */
function chosenOf(sides: Sides, schema: string, names: readonly string[]): FoundTable[] {
  const rest = undeclared(sides, schema);
  if (names.length === 0) return rest;
  return names.flatMap((name) => {
    const table = sides.found.get(name);
    if (table === undefined)
      throw new UsageError(
        `schema ${schema} has no table ${name}${didYouMean(name, [...sides.found.keys()])}`,
      );
    return rest.includes(table) ? [table] : [];
  });
}

export const sources = defineVerb({
  command: "sources <action> [tables..]",
  describe: "tables/sources.ts held against the shop's database, or written from it",
  about:
    "What is declared already stays as it is, comments and all: pull adds what is missing. Neither writes to a database.",
  examples: [
    ["sources check", "says what is declared and is not so, and what nobody declared"],
    ["sources pull review", "adds the declaration of the table review to tables/sources.ts"],
    ["sources pull --dry-run", "prints what it would add of all tables"],
  ],
  build: (args) =>
    stageOptions(args)
      .positional("action", {
        choices: ["check", "pull"] as const,
        demandOption: true,
        describe: "what to do",
      })
      .positional("tables", {
        type: "string",
        array: true,
        describe: "of the database; all where none is named",
      })
      .option("schema", { type: "string", default: "public", describe: "where the tables are" })
      .option("file", {
        type: "string",
        default: path.join("tables", "sources.ts"),
        describe: "the declarations",
        coerce: (file: string) => path.resolve(ROOT, file),
      })
      .option("dry-run", { type: "boolean", default: false, describe: "print, and write nothing" }),
  run: async ({ action, tables = [], schema, file, dryRun, ...stage }, { terminal, answer }) => {
    await useStage(stage);
    const sides = await readSides(file, schema);
    const chosen = chosenOf(sides, schema, tables);
    if (action === "check") {
      answer({
        problems: sides.problems,
        columns: sides.columns,
        tables: chosen.map(({ name }) => name),
      });
      if (sides.problems !== "") terminal.alarm(sides.problems);
      else terminal.paragraph("The database is what is declared of it.");
      if (sides.columns.length > 0)
        terminal.paragraph(`Columns that nobody declared: ${listed(sides.columns)}.`);
      if (chosen.length > 0)
        terminal.paragraph(
          `Tables that nobody declared: ${listed(chosen.map(({ name }) => name))}. ` +
            "`totes sources pull TABLE` adds one.",
        );
      return sides.problems === "" ? 0 : 1;
    }
    const written = sourceTexts(chosen, sides.declared.keys());
    const names = chosen.map(({ name }) => name);
    if (written.length === 0) {
      answer({ added: [], file });
      terminal.paragraph("Nothing to add: all of it is declared.");
      return 0;
    }
    if (dryRun) {
      answer({ missing: names, file });
      for (const { text } of written) terminal.line(text);
      return 0;
    }
    await writeFormatted(file, withSources(await readFile(file, "utf8"), written), "w");
    answer({ added: names, file });
    terminal.paragraph(
      `${counted(written.length, "declaration")} added to ${path.relative(process.cwd(), file)}: ` +
        `${listed(names)}.`,
    );
    return 0;
  },
});
