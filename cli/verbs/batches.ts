// The newest batches, a line each.
import { batches as pageOf, type Only } from "../../src/operations/batches.ts";
import { command } from "../../src/operations/verdict.ts";
import type { BatchSummary } from "../../src/operations/types.ts";
import { duration, whole } from "../../src/words.ts";
import { batchNumber, wholeNumber } from "../options.ts";
import { placesOf } from "../places.ts";
import { defineVerb, stageOptions } from "../verb.ts";

const MOST = 1_000;

export const batches = defineVerb({
  command: "batches",
  describe: "the newest batches: what each held, how far it is, how long it took",
  examples: [
    ["batches", "the newest twenty"],
    ["batches --only unfinished", "those that are not loaded, or were left out"],
    ["batches --before 4078 --limit 50", "older ones"],
  ],
  build: (args) =>
    stageOptions(args)
      .option("limit", {
        type: "string",
        default: "20",
        describe: "how many",
        coerce: (text: string) => wholeNumber("limit", text, 1, MOST),
      })
      .option("before", {
        type: "string",
        describe: "those of lower numbers alone",
        coerce: (text: string | undefined) =>
          text === undefined ? undefined : batchNumber("before", text),
      })
      .option("only", {
        choices: ["all", "quarantined", "unfinished"] satisfies Only[],
        default: "all" as Only,
        describe: "those with rows that did not fit, or those that are not loaded",
      }),
  run: async ({ limit, before, only, ...stage }, { terminal, answer }) => {
    const places = await placesOf(stage);
    const page = await terminal.working("Looking", () => pageOf(places, { limit, before, only }));
    answer(page);
    if (page.batches.length === 0) {
      terminal.line(
        page.total === 0
          ? `  no such batch; \`${command(places, "status")}\` says how far the pipeline is`
          : `  none before batch ${before}`,
      );
      return 0;
    }
    terminal.table(
      ["batch", "status", "kind", "read at, UTC", "rows", "tables", "quarantined", "took"],
      page.batches.map((one) => [
        whole(one.batch),
        one.status,
        one.kind,
        one.committed_at.slice(0, 19).replace("T", " "),
        whole(one.rows),
        whole(one.tables),
        whole(one.quarantined),
        took(one),
      ]),
    );
    terminal.line();
    terminal.paragraph(
      `${whole(page.batches.length)} of ${whole(page.total)}; \`${command(places, "batch N")}\` says more of one`,
    );
    return 0;
  },
});

const took = ({ stages: { loading } }: BatchSummary): string =>
  loading ? duration(loading.end_ms) : "–";
