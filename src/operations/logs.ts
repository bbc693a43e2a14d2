/** What the functions said: of one batch, through all of them; of one request; what went wrong. */
import { nameOf } from "../aws/names.ts";
import { readLog, type LogEvent, type Stretch } from "../aws/logs.ts";
import { isObject } from "../json.ts";
import { readIngestionManifest } from "../lake/manifest.ts";
import { batches } from "./batches.ts";
import type { Logged, Places } from "./places.ts";

/** A line of a log. */
export interface LogLine {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly function: Logged;
  readonly level: "INFO" | "WARN" | "ERROR";
  readonly message: string;
  readonly request?: string;
  readonly batch?: number;
  readonly table?: string;
  /** What else it says. */
  readonly more: Readonly<Record<string, unknown>>;
}

/** Which lines are wanted. */
export interface Wanted {
  readonly functions: readonly Logged[];
  readonly batch?: number | undefined;
  readonly request?: string | undefined;
  /** Warnings and errors alone. */
  readonly onlyBad: boolean;
}

/**
 * The lines of a stretch of time, of all functions, in the order in which they came. Of a batch: those that name it, and what
 * went wrong in the same requests without naming any.
 * @throws LogsError
 */
export async function logs(
  stage: string,
  { functions, batch, request, onlyBad }: Wanted,
  stretch: Stretch,
): Promise<LogLine[]> {
  const perFunction = functions.map(async (one) => {
    const lines: LogLine[] = [];
    for await (const event of readLog(nameOf(stage, one), stretch)) {
      const line = lineOf(one, event);
      if (line && (request === undefined || line.request === request)) lines.push(line);
    }
    const requests = new Set(
      lines.filter((line) => line.batch === batch).flatMap((line) => line.request ?? []),
    );
    const isOfBatch = (line: LogLine): boolean =>
      line.batch === batch ||
      (isBad(line) && line.batch === undefined && requests.has(line.request ?? ""));
    return lines.filter(
      (line) => (batch === undefined || isOfBatch(line)) && (!onlyBad || isBad(line)),
    );
  });
  return (await Promise.all(perFunction)).flat().sort((a, b) => a.at - b.at);
}

const isBad = ({ level }: LogLine): boolean => level !== "INFO";

/** Before a batch was begun, and after it was loaded: what its functions say there may still be of it. */
const AROUND = 60_000;

/**
 * When a batch was on its way: up to now, where it is not loaded. Of the next one that will be, since the newest: one that
 * cannot be committed has lines, too.
 * @returns undefined where there is no such batch
 * @throws ManifestError, S3Error
 */
export async function whenWas(places: Places, batch: number): Promise<Stretch | undefined> {
  const [found] = (await batches(places, { before: batch + 1, limit: 1 })).batches;
  if (found?.batch === batch) {
    const { ingestion, loading } = found.stages;
    const began = Date.parse(found.committed_at) - ingestion.end_ms;
    const to = loading ? began + loading.end_ms + AROUND : Date.now();
    return { from: began - AROUND, to };
  }
  const before = await readIngestionManifest(places.buckets.ingestion, batch - 1);
  if (batch > 1 && !before) return undefined;
  const since = before ? Date.parse(before.manifest.committed_at) : 0;
  return { from: since, to: Date.now() };
}

/** Fields that all lines have, or that are shown in another place. */
const KNOWN = new Set(
  (
    "level message timestamp service batch table function_request_id sampling_rate cold_start function_arn " +
    "function_memory_size function_name xray_trace_id"
  ).split(" "),
);
/** What Lambda says of each invocation, however it ends. */
const USUAL = /^(START|END|REPORT|INIT_START|EXTENSION)\b/;
/** What Lambda says of one that came to no end of its own. */
const ENDED =
  /^\S+ (\S+) (Task timed out|Process exited before completing request|Error: Runtime exited)/;

/** undefined for what says nothing of the work: metrics, and what Lambda says of every invocation. */
function lineOf(of: Logged, { id, at, text }: LogEvent): LogLine | undefined {
  const json = jsonOf(text);
  if (!json) {
    if (USUAL.test(text)) return undefined;
    const [, request] = ENDED.exec(text) ?? [];
    return {
      id,
      at,
      function: of,
      level: request === undefined ? "INFO" : "ERROR",
      message: text,
      ...(request === undefined ? {} : { request }),
      more: {},
    };
  }
  if ("_aws" in json) return undefined;
  const { level, message, function_request_id: request, batch, table } = json;
  return {
    id,
    at,
    function: of,
    level: level === "WARN" || level === "ERROR" ? level : level === "CRITICAL" ? "ERROR" : "INFO",
    message: typeof message === "string" ? message : text,
    ...(typeof request === "string" ? { request } : {}),
    ...(typeof batch === "number" ? { batch } : {}),
    ...(typeof table === "string" ? { table } : {}),
    more: Object.fromEntries(Object.entries(json).filter(([name]) => !KNOWN.has(name))),
  };
}

function jsonOf(text: string): Record<string, unknown> | undefined {
  if (!text.startsWith("{")) return undefined;
  try {
    const json: unknown = JSON.parse(text);
    return isObject(json) ? json : undefined;
  } catch {
    return undefined;
  }
}
