// Rows that the shop has deleted, looked for now.
import { detectDeletes, functionsOf } from "../../src/operations/acts.ts";
import { command } from "../../src/operations/verdict.ts";
import { sum } from "../../src/observe.ts";
import { sourcesWithDeletes, type Deletes } from "../../src/reconciliation/deletes.ts";
import { counted, listed, whole } from "../../src/words.ts";
import { shareOf, UsageError } from "../options.ts";
import { placesOf } from "../places.ts";
import type { Terminal } from "../terminal.ts";
import { defineVerb, stageOptions } from "../verb.ts";

export const deletes = defineVerb({
  command: "deletes",
  describe: "looks now for rows that the shop has deleted, and takes them out of the warehouse",
  about:
    "The reconciliation function looks, as it does every night: at the sources that declare `deletes: detect`. What it finds goes to the " +
    "warehouse as any change does. So many rows that nobody believes it are left where they are until they are confirmed. Exit code 1 where something is doubted.",
  examples: [
    ["deletes", "what is gone, of each source"],
    ["deletes --confirm sales_order", "however many sales orders are gone: it is meant"],
    ["deletes --share 20%", "up to a fifth of any source's rows"],
  ],
  build: (args) =>
    stageOptions(args)
      .option("confirm", {
        type: "string",
        array: true,
        default: [] as string[],
        describe: "source tables, comma-separated, that may lose however many rows, or all",
        coerce: (names: readonly string[]) => names.flatMap((some) => some.split(",")),
      })
      .option("share", {
        type: "string",
        describe:
          "what share of a source's rows may be gone without being doubted: 0.2 or 20% (a tenth unless said; a hundred rows always)",
        coerce: (text: string) => shareOf("share", text),
      }),
  run: async ({ confirm, share, ...stage }, { terminal, answer }) => {
    const places = await placesOf(stage);
    const detected = sourcesWithDeletes(places.tables);
    const unknown = confirm.find((name) => !detected.includes(name));
    if (unknown !== undefined)
      throw new UsageError(
        `${unknown} is no source whose deletes are detected; ` +
          (detected.length > 0
            ? `these are: ${listed(detected)}`
            : "no source is: `deletes: detect` in tables/sources.ts has them detected"),
      );
    const found = await terminal.working("Comparing the keys of shop and warehouse", () =>
      detectDeletes(functionsOf(places.stage), { confirmed: confirm, share }),
    );
    answer(found);
    show(terminal, found);
    const doubted = found.deletes.filter(({ doubt }) => doubt !== undefined);
    const confirmable = doubted.filter(({ gone }) => gone > 0).map(({ source }) => source);
    if (confirmable.length > 0)
      terminal.paragraph(
        `Ask whoever keeps the shop. If it is meant: \`${command(places, `deletes --confirm ${confirmable.join(",")}`)}\``,
      );
    return doubted.length > 0 ? 1 : 0;
  },
});

function show(terminal: Terminal, { deletes: found, ingested }: Deletes): void {
  if (found.length === 0) {
    terminal.paragraph(
      "No source's deletes are detected, or nothing of one is loaded yet: `deletes: detect` in tables/sources.ts has them detected.",
    );
    return;
  }
  terminal.table(
    ["", "live", "gone"],
    found.map(({ source, live, gone, doubt }) => [
      source,
      whole(live),
      `${doubt !== undefined && gone > 0 ? "at least " : ""}${whole(gone)}`,
    ]),
  );
  terminal.line();
  for (const { doubt } of found) if (doubt !== undefined) terminal.alarm(`Not believed: ${doubt}.`);
  if (!ingested) {
    terminal.paragraph("Nothing leaves the warehouse.");
    return;
  }
  const gone = sum(ingested.deleted);
  terminal.paragraph(
    ingested.outcome === "lost the race"
      ? "Another ingestion was first: run this again."
      : `Batch ${whole(ingested.batch)} says that ${counted(gone, "row is", "rows are")} gone; they leave the warehouse when it is loaded.`,
  );
}
