// A table, read again from the start.
import { backfill as again, functionsOf } from "../../src/operations/acts.ts";
import { command } from "../../src/operations/verdict.ts";
import { counted, listed, whole } from "../../src/words.ts";
import { placesOf } from "../places.ts";
import { tableNamed } from "../tables.ts";
import { defineVerb, stageOptions } from "../verb.ts";

export const backfill = defineVerb({
  command: "backfill <table>",
  describe: "has the sources of a star table read again from the start",
  about:
    "Rows that the warehouse has as they are stay as they are. A table that fits no single invocation goes on by itself. To read a few rows again, see `totes reconcile --repair`.",
  examples: [["backfill dim_staff", "every member of staff, and who looks them up"]],
  build: (args) =>
    stageOptions(args).positional("table", {
      type: "string",
      demandOption: true,
      describe: "of the star schema",
    }),
  run: async ({ table, ...stage }, { terminal, answer }) => {
    const places = await placesOf(stage);
    tableNamed(table, places.tables);
    const summary = await terminal.working(`Reading the sources of ${table}`, () =>
      again(functionsOf(places.stage), table),
    );
    answer(summary);
    const rows = Object.entries(summary.rows).map(
      ([source, count]) => `${whole(count)} of ${source}`,
    );
    terminal.line(`  read: ${listed(rows) || "no rows"}`);
    terminal.line(
      `  ${counted(summary.batches, "batch", "batches")}; ${whole(summary.batch)} is the newest` +
        (summary.unfinished ? ", and the run goes on by itself" : ""),
    );
    terminal.paragraph(`\`${command(places, "status")}\` says when they are in the warehouse.`);
    return 0;
  },
});
