// A new star table: its module and its first test, written from the source's real columns.
import { connectWith } from "../../src/postgres/connection.ts";
import { getSettings } from "../../src/settings.ts";
import { readSchema, type FoundTable } from "../declare/database.ts";
import { writeTable } from "../declare/new-table.ts";
import { ROOT } from "../declare/write.ts";
import { didYouMean } from "../nearest.ts";
import { UsageError } from "../options.ts";
import { useStage } from "../stage.ts";
import { defineVerb, stageOptions } from "../verb.ts";

/** @throws UsageError where the database has no such table, or cannot be asked */
async function readSource(name: string, schema: string): Promise<FoundTable> {
  const { SOURCE_SECRET } = getSettings("SOURCE_SECRET");
  const shop = await connectWith(SOURCE_SECRET);
  try {
    const found = await readSchema(shop.db, schema);
    const table = found.get(name);
    if (table) return table;
    throw new UsageError(
      `the shop has no table ${schema}.${name}${didYouMean(name, [...found.keys()])}`,
    );
  } finally {
    await shop.close();
  }
}

export const newTable = defineVerb({
  command: "new <table>",
  describe: "writes a new star table's module and its first test, from the source's columns",
  about:
    "Every column of the source is in it, to be taken out or renamed; a foreign key refers to the dimension that is keyed by its table. docs/add-a-table.md goes on from there.",
  examples: [
    ["new fact_review --source review", "a fact that keeps every version of a review"],
    ["new dim_supplier --source supplier", "a dimension, merged by key"],
  ],
  build: (args) =>
    stageOptions(args)
      .positional("table", {
        type: "string",
        demandOption: true,
        describe: "its name: fact_… keeps versions, dim_… does not",
        coerce: (name: string) => {
          if (/^(dim|fact)_[a-z][a-z0-9_]*$/.test(name)) return name;
          throw new UsageError(
            `a star table is called dim_… or fact_…, in small letters, digits and _, not "${name}"`,
          );
        },
      })
      .option("source", {
        type: "string",
        demandOption: true,
        describe: "the shop's table whose rows make its rows",
      })
      .option("schema", { type: "string", default: "public", describe: "where the source is" }),
  run: async ({ table, source, schema, ...stage }, { terminal, answer }) => {
    await useStage(stage);
    const written = await writeTable(ROOT, table, await readSource(source, schema));
    answer(written);
    const { module, test, declared } = written;
    if (declared) terminal.field("declared", `${source}, in tables/sources.ts`);
    terminal.field("module", module);
    terminal.field("test", test);
    terminal.heading("What to do next");
    terminal.line("  npm run typecheck                  what does not fit is named by its column");
    terminal.line(`  npx mocha ${test}`);
    terminal.line("  npx totes run                      the table fills itself");
    return 0;
  },
});
