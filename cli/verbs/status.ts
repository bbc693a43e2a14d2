// How the pipeline is, in one look.
import { overview } from "../../src/operations/overview.ts";
import type { Overview, Verdict } from "../../src/operations/types.ts";
import { tableStates, type TableState } from "../../src/operations/warehouse.ts";
import { duration, whole } from "../../src/words.ts";
import { placesOf } from "../places.ts";
import type { Terminal } from "../terminal.ts";
import { defineVerb, stageOptions } from "../verb.ts";

export const status = defineVerb({
  command: "status",
  describe: "whether all is well; if not, what happened, what is not at risk, what to type",
  about:
    "Reads the source, both buckets, the warehouse and the queues as they are now, and writes nothing. Exit code 1 where something is bad.",
  examples: [
    ["status", "the verdict, each table, what waits"],
    ["status --stage dev", "of a deployed stage"],
    ["status --json", "all of it for a script"],
  ],
  build: (args) => stageOptions(args),
  run: async (stage, { terminal, answer }) => {
    const places = await placesOf(stage);
    const { seen, tables } = await terminal.working("Looking", async () => {
      const seen = await overview(places);
      // Of a warehouse that cannot be reached the verdict tells.
      return { seen, tables: await tableStates(places).catch(() => []) };
    });
    answer({ ...seen, tables });
    showVerdict(terminal, seen.verdict);
    showTables(terminal, tables, seen.now);
    showChecks(terminal, seen);
    return seen.verdict.status === "bad" ? 1 : 0;
  },
});

export function showVerdict(terminal: Terminal, verdict: Verdict): void {
  const { status, title, text, error, steps } = verdict;
  terminal.line();
  if (status === "bad") terminal.alarm(title);
  else terminal.paragraph(title);
  terminal.paragraph(text);
  if (error) {
    terminal.heading(error.heading);
    terminal.paragraph(error.text);
  }
  if (steps.length === 0) return;
  terminal.heading("What to do");
  for (const [at, step] of steps.entries()) {
    terminal.paragraph(`${at + 1}. ${step.text}`);
    if (step.command !== undefined) terminal.block(`   ${step.command}`);
  }
}

function showTables(terminal: Terminal, tables: readonly TableState[], now: string): void {
  if (tables.length === 0) return;
  terminal.heading("Tables");
  terminal.table(
    ["", "rows", "last batch", "loaded", "lag", "quarantined"],
    tables.map(({ table, rows, isAbout, batch, at, lag_s, quarantined }) => [
      table,
      rows === null ? "–" : `${isAbout ? "about " : ""}${whole(rows)}`,
      batch === null ? "–" : whole(batch),
      at === null ? "–" : `${duration(Math.max(0, Date.parse(now) - Date.parse(at)))} ago`,
      lag_s === null ? "–" : duration(lag_s * 1000),
      whole(quarantined),
    ]),
  );
}

const MARKS = { ok: "ok", busy: "busy", warn: "warning", bad: "bad", idle: "–" } as const;

function showChecks(terminal: Terminal, { checks }: Overview): void {
  terminal.heading("What was looked at");
  for (const { title, status, value, text } of checks)
    terminal.field(title, `${MARKS[status]}: ${value}. ${text}`);
}
