import {
  DescribeExecutionCommand,
  DescribeMapRunCommand,
  ListMapRunsCommand,
  SFNClient,
  StartExecutionCommand,
} from "@aws-sdk/client-sfn";
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";

/** A state machine that cannot be started or asked: says which, and why. */
export class ExecutionError extends Error {
  override readonly name = "ExecutionError";
}

/** How an execution of a state machine ended. */
export interface Ended {
  readonly arn: string;
  /** `SUCCEEDED`, or what it came to. */
  readonly status: string;
}

/** Milliseconds between two looks. */
const EVERY = 1_000;
/** How often a request is tried: an execution lasts for hours, and a minute without an answer does not end it. */
const ATTEMPTS = 12;

/**
 * Starts a state machine that is one distributed map, and waits for its end.
 * @param done told how many of the map's items are done, again and again
 * @throws ExecutionError
 */
export async function execute(
  stateMachineArn: string,
  input: object,
  done: (items: number) => void,
): Promise<Ended> {
  const client = new SFNClient({ maxAttempts: ATTEMPTS });
  let arn: string | undefined;
  try {
    // By its name, one that is asked for twice is started once.
    const started = new StartExecutionCommand({
      stateMachineArn,
      name: randomUUID(),
      input: JSON.stringify(input),
    });
    ({ executionArn: arn } = await client.send(started));
    for (;;) {
      const of = { executionArn: arn };
      const { status } = await client.send(new DescribeExecutionCommand(of));
      const { mapRuns } = await client.send(new ListMapRunsCommand(of));
      for (const { mapRunArn } of mapRuns ?? []) {
        const { itemCounts } = await client.send(new DescribeMapRunCommand({ mapRunArn }));
        done(itemCounts?.succeeded ?? 0);
      }
      if (status !== "RUNNING") return { arn: arn!, status: String(status) };
      await delay(EVERY);
    }
  } catch (cause) {
    const { name, message } = cause as Error;
    throw new ExecutionError(
      arn === undefined
        ? `${stateMachineArn}: ${name}: ${message}`
        : `${arn} was started, and goes on by itself; how far it is cannot be asked: ${name}: ${message}`,
      { cause },
    );
  } finally {
    client.destroy();
  }
}
