import {
  CloudWatchLogsClient,
  paginateFilterLogEvents,
  type FilteredLogEvent,
} from "@aws-sdk/client-cloudwatch-logs";

/** A log that cannot be read: says whose, and what to do about the usual causes. */
export class LogsError extends Error {
  override readonly name = "LogsError";
  constructor(group: string, cause: unknown) {
    const { name, message } = cause as Error;
    const advice =
      name === "ResourceNotFoundException"
        ? "; deploy the stage, or correct --stage"
        : /Access|Auth/.test(name)
          ? "; these credentials lack logs:FilterLogEvents on it"
          : "";
    super(`cannot read log group ${group}: ${name}: ${message}${advice}`, { cause });
  }
}

/** What was printed, and when it came in, in milliseconds since 1970. */
export interface LogEvent {
  readonly id: string;
  readonly at: number;
  readonly text: string;
}

/** The stretch of time that lines are wanted of, in milliseconds since 1970; both ends are in it. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** What a function printed in a stretch of time, in its order. @throws LogsError */
export async function* readLog(name: string, { from, to }: Stretch): AsyncGenerator<LogEvent> {
  const client = new CloudWatchLogsClient({});
  const logGroupName = `/aws/lambda/${name}`;
  try {
    const pages = paginateFilterLogEvents(
      { client },
      { logGroupName, startTime: from, endTime: to },
    );
    for await (const { events = [] } of pages) yield* events.map(eventOf);
  } catch (error) {
    throw new LogsError(logGroupName, error);
  } finally {
    client.destroy();
  }
}

const eventOf = ({ eventId = "", timestamp = 0, message = "" }: FilteredLogEvent): LogEvent => ({
  id: eventId,
  at: timestamp,
  text: message.trimEnd(),
});
