// What the functions said, in the order in which they said it.
import { setTimeout as delay } from "node:timers/promises";
import type { Stretch } from "../../src/aws/logs.ts";
import { logs as linesOf, whenWas, type LogLine, type Wanted } from "../../src/operations/logs.ts";
import { FUNCTIONS, LOGGED } from "../../src/operations/places.ts";
import { command } from "../../src/operations/verdict.ts";
import { batchNumber, UsageError } from "../options.ts";
import { placesOf } from "../places.ts";
import { useStage } from "../stage.ts";
import type { Terminal } from "../terminal.ts";
import { defineVerb, stageOptions, type Say } from "../verb.ts";

/** Milliseconds between two looks, with --follow. */
const EVERY = 2_000;
/** A line may come in later than one that was printed after it, by so many milliseconds. */
const LATE = 10_000;

export const logs = defineVerb({
  command: "logs",
  describe: "what the functions said; with --batch, one batch through all of them",
  about:
    "Each line has its function, and its request, batch and table where it has one. Metrics, and what Lambda says of every invocation, are left out.",
  examples: [
    ["logs --batch 42", "one batch, from the shop to the warehouse"],
    ["logs --errors --since 1d", "what went wrong since yesterday"],
    ["logs --function loading --follow", "one function's, as it speaks"],
    ["logs --stage dev --json | jq .", "a JSON object a line, with everything that it says"],
  ],
  stopped: "it only reads",
  build: (args) =>
    stageOptions(args)
      .option("batch", {
        type: "string",
        describe: "of this batch, and what went wrong in the same requests",
        coerce: (text: string | undefined) =>
          text === undefined ? undefined : batchNumber("batch", text),
      })
      .option("function", { choices: LOGGED, describe: "this one's alone" })
      .option("request", { type: "string", describe: "of the invocation with this id" })
      .option("errors", { type: "boolean", default: false, describe: "warnings and errors alone" })
      .option("since", {
        type: "string",
        describe: "90s, 15m, 2h, 3d, or a time like 2026-11-05T14:30Z (1h; a batch's own time)",
        coerce: (text: string | undefined) => (text === undefined ? undefined : timeOf(text)),
      })
      .option("follow", {
        alias: "f",
        type: "boolean",
        default: false,
        describe: "goes on as new lines come, until Ctrl-C",
      }),
  run: async ({ batch, function: of, request, errors, since, follow, ...stage }, say) => {
    await useStage(stage);
    const { terminal } = say;
    const wanted: Wanted = {
      functions: of === undefined ? FUNCTIONS : [of],
      batch,
      request,
      onlyBad: errors,
    };
    const stretch = await stretchOf(batch, since, stage);
    const found = await terminal.working("Reading the logs", () =>
      linesOf(stage.stage, wanted, stretch),
    );
    for (const line of found) await show(say, line);
    if (found.length === 0)
      terminal.line(`  no such line since ${new Date(stretch.from).toISOString()}`);
    if (follow) await followOn(say, stage.stage, wanted, stretch, found);
    return 0;
  },
});

async function stretchOf(
  batch: number | undefined,
  since: number | undefined,
  stage: Parameters<typeof placesOf>[0],
): Promise<Stretch> {
  const to = Date.now();
  if (batch === undefined) return { from: since ?? to - UNITS.h, to };
  const found = await whenWas(await placesOf(stage), batch);
  if (!found)
    throw new UsageError(
      `there is no batch ${batch}; \`${command(stage, "batches")}\` shows which there are`,
    );
  return since === undefined ? found : { from: since, to };
}

/** Shows what comes in, until the process is stopped. */
async function followOn(
  say: Say,
  stage: string,
  wanted: Wanted,
  { to }: Stretch,
  shown: readonly LogLine[],
): Promise<never> {
  let since = to;
  let known = new Set(shown.map(({ id }) => id));
  for (;;) {
    await delay(EVERY);
    const until = Date.now();
    const found = await linesOf(stage, wanted, { from: since - LATE, to: until });
    for (const line of found) if (!known.has(line.id)) await show(say, line);
    known = new Set(found.map(({ id }) => id));
    since = until;
  }
}

async function show({ terminal, answerLine, isJson }: Say, line: LogLine): Promise<void> {
  const { id: _, at, ...said } = line;
  const time = new Date(at).toISOString();
  await answerLine({ time, ...said });
  if (!isJson) write(terminal, time, line);
}

function write(terminal: Terminal, time: string, line: LogLine): void {
  const { level, batch, table, request, message } = line;
  const what = [
    level === "INFO" ? [] : level,
    batch === undefined ? [] : `batch ${batch}`,
    table ?? [],
    message,
    ...Object.entries(line.more)
      .filter(([, value]) => !isEmpty(value))
      .map(([name, value]) => `${name}=${inShort(name, value)}`),
    request === undefined ? [] : `request=${request}`,
  ].flat();
  terminal.item(what.join("  "), `${time.slice(11, 23)}  ${line.function.padEnd(14)}  `);
}

/** Of a list or a record that has nothing there is nothing to say to a person. */
const isEmpty = (value: unknown): boolean =>
  typeof value === "object" && (value === null || Object.keys(value).length === 0);

/** An error's class, which its message stands beside; anything else as it is. */
function inShort(name: string, value: unknown): string {
  const isError =
    name === "error" && typeof value === "object" && value !== null && "name" in value;
  return typeof value === "string" ? value : JSON.stringify(isError ? value.name : value);
}

/** Milliseconds of a unit. */
const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** @throws UsageError */
function timeOf(text: string): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count !== undefined) return Date.now() - Number(count) * UNITS[unit as keyof typeof UNITS];
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(time))
    throw new UsageError(
      `--since takes a number with s, m, h or d, or a time like 2026-11-05T14:30Z, not "${text}"`,
    );
  return time;
}
