// `npm run smoke`: asks a deployed stage whether it works, by calling its three functions as the schedule does.
import { setTimeout as delay } from "node:timers/promises";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import * as v from "valibot";
import { command } from "../cli/command.ts";
import { parseOptions, UsageError } from "../cli/options.ts";
import { functionName, readStageFile, REGION, SERVICE } from "../cli/stage.ts";

export interface SmokeOptions {
  readonly stage: string;
  readonly region: string;
  /** Seconds for everything. */
  readonly timeout: number;
}

/** What is asked of `LambdaClient`. */
export interface Lambda {
  send(
    command: InvokeCommand,
    options: { readonly abortSignal: AbortSignal },
  ): Promise<{
    readonly Payload?: Uint8Array | undefined;
    readonly FunctionError?: string | undefined;
    readonly LogResult?: string | undefined;
  }>;
}

/** The stage does not do what it should: what it did instead, and where to look. */
export class SmokeError extends Error {
  override readonly name = "SmokeError";
}

const TIMEOUT = 120;
/** Between two tries, in milliseconds. */
const PAUSE = 2_000;

export const HELP = `Asks a deployed stage whether it works: calls its three functions as the schedule does, and
waits until the warehouse has the newest batch.

  npm run smoke -- --stage dev

  --stage STAGE    the stage
  --region REGION  where it is (default ${REGION})
  --timeout N      seconds for everything (default ${TIMEOUT}); a first load takes as long as it takes
  --help           this text

The functions do what they do every ten minutes, no more: it may be run on prod, at any time. AWS credentials come from
where the AWS CLI has them; AWS_ENDPOINT_URL sends it to an emulator, and .env.STAGE is read, as \`sls\` does.

Exit code: 0 when it works, 1 when it does not, 2 for a wrong option.`;

/** What passes by itself: a deploy under way, a function that is not ready, the schedule's run in the only place. */
const PASSING = new Set(["BuildError", "ResourceConflictException", "TooManyRequestsException"]);

type Name = "ingestion" | "transformation" | "loading";

// What is looked at of the functions' answers (src/handlers/). Called as by the schedule they throw; failures that are
// handed back to a queue would be another event's.
const BATCH = v.pipe(v.number(), v.integer(), v.minValue(0));
/** What Lambda says of an error. One that ended the process (time, memory) has no type. */
const FAILED = v.object({ errorType: v.optional(v.string(), "Lambda"), errorMessage: v.string() });
const NO_FAILURES = v.pipe(v.array(v.unknown()), v.maxLength(0));
const INGESTED = v.object({
  outcome: v.picklist(["committed", "unchanged", "lost the race"]),
  batch: BATCH,
  rows: v.record(v.string(), v.number()),
});
const TRANSFORMED = v.object({
  batchItemFailures: NO_FAILURES,
  batches: v.array(v.object({ batch: BATCH, outcome: v.string() })),
});
const LOADED = v.object({
  batchItemFailures: NO_FAILURES,
  /** Left out, as the rest, where another loader is at work. */
  newest: v.optional(BATCH),
  loaded: v.optional(v.array(v.unknown()), []),
  waitingFor: v.optional(BATCH),
});

/**
 * Calls ingestion, transformation and loading, and the last two again until the warehouse has ingestion's batch.
 * @throws SmokeError
 */
export async function smoke(
  lambda: Lambda,
  { stage, region, timeout }: SmokeOptions,
  say: (line: string) => void,
  pause: () => Promise<unknown> = () => delay(PAUSE),
): Promise<void> {
  const start = performance.now();
  const left = (): number => timeout * 1000 - (performance.now() - start);
  const nameOf = (name: Name): string => functionName(stage, name);
  const lookAt = (name: Name): string =>
    `look at \`npx sls logs -f ${name} --stage ${stage} --region ${region}\``;
  const row = (name: string, seconds: string, answer: string): void =>
    say(`${name.padEnd(14)}  ${seconds.padStart(7)}  ${answer}`);

  /** One function's answer. What passes by itself is tried again while there is time. */
  async function call<Answer>(
    name: Name,
    schema: v.GenericSchema<unknown, Answer>,
    words: (answer: Answer) => string,
  ): Promise<Answer> {
    for (;;) {
      const called = performance.now();
      const { error, log, payload } = await invoke(name);
      const seconds = ((performance.now() - called) / 1000).toFixed(1);
      if (error === undefined) {
        const { success, output } = v.safeParse(schema, payload);
        if (!success)
          throw new SmokeError(
            `${nameOf(name)} gave an unexpected answer: ${JSON.stringify(payload)}; ${lookAt(name)}`,
          );
        row(name, seconds, words(output));
        return output;
      }
      if (!PASSING.has(error.name) || left() <= 0)
        throw new SmokeError(
          [`${nameOf(name)} failed: ${error.name}: ${error.message}; ${lookAt(name)}`, ...log].join(
            "\n",
          ),
        );
      row(name, seconds, `not now: ${error.name}: ${error.message}`);
      await pause();
    }
  }

  async function invoke(
    name: Name,
  ): Promise<{ payload?: unknown; error?: { name: string; message: string }; log: string[] }> {
    try {
      const output = await lambda.send(
        new InvokeCommand({ FunctionName: nameOf(name), Payload: "{}", LogType: "Tail" }),
        { abortSignal: AbortSignal.timeout(Math.max(1, Math.round(left()))) },
      );
      const payload: unknown = JSON.parse(Buffer.from(output.Payload ?? []).toString() || "null");
      if (output.FunctionError === undefined) return { payload, log: [] };
      const { errorType, errorMessage } = v.parse(FAILED, payload);
      return {
        error: { name: errorType, message: errorMessage },
        log: Buffer.from(output.LogResult ?? "", "base64")
          .toString()
          .trim()
          .split("\n"),
      };
    } catch (cause) {
      const { name: type, message } = cause as Error;
      if (left() <= 0)
        throw new SmokeError(
          `${nameOf(name)} gave no answer within the ${timeout} s that all may take: give more by --timeout, or ${lookAt(name)}`,
          { cause },
        );
      if (PASSING.has(type)) return { error: { name: type, message }, log: [] };
      throw new SmokeError(
        type === "ResourceNotFoundException"
          ? `there is no ${nameOf(name)} in ${region}: look at \`npx sls info --stage ${stage} --region ${region}\``
          : `${nameOf(name)} could not be called: ${type}: ${message}`,
        { cause },
      );
    }
  }

  row("function", "seconds", "answer");
  const { batch } = await call(
    "ingestion",
    INGESTED,
    ({ outcome, batch, rows }) => `${outcome}: batch ${batch}, ${sum(rows)} rows read`,
  );
  for (;;) {
    await call("transformation", TRANSFORMED, ({ batches }) =>
      batches.length === 0
        ? "nothing to do"
        : batches.map((one) => `batch ${one.batch} ${one.outcome}`).join(", "),
    );
    const { newest, waitingFor } = await call("loading", LOADED, ({ newest, loaded }) =>
      newest === undefined
        ? "another loader is at work"
        : `newest ${newest}, ${loaded.length} loaded now`,
    );
    if (newest !== undefined && newest >= batch) break;
    if (left() <= 0)
      throw new SmokeError(
        `the warehouse does not have batch ${batch} after ${timeout} s: ` +
          (waitingFor === undefined
            ? `${newest === undefined ? "another loader is at work" : `the newest is ${newest}`}; ` +
              `give more time by --timeout, or ${lookAt("loading")}`
            : `batch ${waitingFor} is not transformed; ${lookAt("transformation")}, and at what is in the queue ` +
              `${nameOf("transformation")}-dead-letters`),
      );
    await pause();
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  say(`${SERVICE}-${stage} works: the warehouse has batch ${batch}, after ${seconds} s`);
}

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((all, one) => all + one, 0);

/**
 * Reads a command line; undefined where it asks for help.
 * @throws UsageError
 */
export function readOptions(args: readonly string[]): SmokeOptions | undefined {
  const {
    help,
    stage,
    region = REGION,
    timeout = String(TIMEOUT),
  } = parseOptions(args, {
    stage: { type: "string" },
    region: { type: "string" },
    timeout: { type: "string" },
    help: { type: "boolean", short: "h" },
  });
  if (help) return undefined;
  if (!stage) throw new UsageError("say which stage: --stage dev");
  if (!/^[1-9]\d*$/.test(timeout))
    throw new UsageError(`--timeout takes seconds, not "${timeout}"`);
  return { stage, region, timeout: Number(timeout) };
}

async function main(options: SmokeOptions): Promise<number> {
  try {
    readStageFile(options.stage);
    await smoke(new LambdaClient({ region: options.region }), options, console.log);
    return 0;
  } catch (error) {
    console.error(error instanceof SmokeError ? error.message : error);
    return 1;
  }
}

if (process.argv[1] === import.meta.filename)
  process.exitCode = await command(readOptions, HELP, main);
