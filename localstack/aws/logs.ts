import { AwsError } from "./errors.ts";
import type { Parameters } from "./secrets.ts";

/** A line that a function printed. */
interface Line {
  readonly eventId: string;
  readonly timestamp: number;
  readonly message: string;
}

/** Lines of a group that are kept; older ones go. */
const KEPT = 10_000;
/** Lines of an answer at most, as CloudWatch has it. */
const PAGE = 10_000;

/** CloudWatch Logs: what the functions that are hosted here printed, a group each, to be read. */
export class LogService {
  readonly #groups = new Map<string, Line[]>();
  #lines = 0;

  /** Makes a group known, and gives what writes a line into it. */
  open(group: string): (message: string) => void {
    const lines: Line[] = [];
    this.#groups.set(group, lines);
    return (message) => {
      lines.push({
        eventId: String(this.#lines++).padStart(20, "0"),
        timestamp: Date.now(),
        message,
      });
      if (lines.length > KEPT) lines.shift();
    };
  }

  /** @throws AwsError as CloudWatch does; UnknownOperationException for what is not known here */
  run(operation: string, parameters: Parameters): unknown {
    if (operation !== "FilterLogEvents")
      throw new AwsError(
        400,
        "UnknownOperationException",
        `${operation} is not implemented by the local CloudWatch Logs`,
      );
    return this.#filter(parameters);
  }

  #filter({
    logGroupName,
    startTime,
    endTime,
    nextToken,
    limit,
    filterPattern,
  }: Parameters): unknown {
    const lines = this.#groups.get(String(logGroupName));
    if (!lines)
      throw new AwsError(
        400,
        "ResourceNotFoundException",
        "The specified log group does not exist.",
      );
    if (filterPattern !== undefined)
      throw new AwsError(
        400,
        "InvalidParameterException",
        "The local CloudWatch Logs knows no filter pattern.",
      );
    const from = Number(startTime ?? 0);
    const to = Number(endTime ?? Infinity);
    const after = typeof nextToken === "string" ? nextToken : "";
    const found = lines.filter(
      ({ eventId, timestamp }) => timestamp >= from && timestamp <= to && eventId > after,
    );
    const most = Math.min(PAGE, Number(limit ?? PAGE));
    const events = found.slice(0, most);
    return {
      events: events.map((line) => ({
        ...line,
        ingestionTime: line.timestamp,
        logStreamName: "local",
      })),
      searchedLogStreams: [],
      ...(found.length > most ? { nextToken: events.at(-1)!.eventId } : {}),
    };
  }
}
