// What the star's tables and columns mean, and where they come from.
import { catalogOf, type CatalogTable } from "../../src/operations/catalog.ts";
import { getTables } from "../../src/registry.ts";
import { tableNamed } from "../tables.ts";
import type { Terminal } from "../terminal.ts";
import { defineVerb } from "../verb.ts";

export const catalog = defineVerb({
  command: "catalog [table]",
  describe: "what the star's tables and columns mean, and where they come from",
  about:
    "As this checkout declares them: no database is asked. docs/catalogue.md says the same, with the stars drawn.",
  examples: [
    ["catalog", "all tables, a line each"],
    ["catalog fact_sales_order", "one, column by column"],
    ["catalog --json", "all of it, for a program"],
  ],
  build: (args) =>
    args.positional("table", { type: "string", describe: "the star table to tell of" }),
  run: async ({ table: wanted }, { terminal, answer }) => {
    const tables = await getTables();
    const entries = catalogOf(wanted === undefined ? tables : [tableNamed(wanted, tables)]);
    answer(wanted === undefined ? entries : entries[0]);
    if (wanted === undefined) listAll(terminal, entries);
    else tellOf(terminal, entries[0]!);
    return 0;
  },
});

function listAll(terminal: Terminal, entries: readonly CatalogTable[]): void {
  for (const [kind, heading] of [
    ["fact", "Facts"],
    ["dimension", "Dimensions"],
  ] as const) {
    terminal.heading(heading);
    for (const { name, grain } of entries.filter((one) => one.kind === kind)) {
      terminal.line(`  ${name}`);
      terminal.field("", grain);
    }
  }
}

function tellOf(terminal: Terminal, entry: CatalogTable): void {
  terminal.heading(entry.name);
  terminal.paragraph(entry.grain);
  terminal.line();
  terminal.field("key", entry.key.join(", "));
  terminal.field("made from", entry.sources.join(", "));
  for (const lookup of entry.lookups) terminal.field("looks up", lookup);
  for (const rule of entry.rules) terminal.field("rule", rule);
  terminal.heading("Columns");
  for (const { name, type, nullable, references, meaning, from } of entry.columns) {
    const words = [
      type,
      ...(entry.key.includes(name) ? ["key"] : []),
      ...(nullable ? ["may be null"] : []),
      ...(references === undefined ? [] : [`→ ${references}`]),
    ];
    terminal.line(`  ${name}`);
    terminal.field("", words.join(", "));
    if (meaning !== "") terminal.field("", meaning);
    terminal.field("", `from ${from}`);
  }
}
