/** A stage's queues: what was given up, and its way back. */
import { setTimeout as delay } from "node:timers/promises";
import {
  ListMessageMoveTasksCommand,
  StartMessageMoveTaskCommand,
  type SQSClient,
} from "@aws-sdk/client-sqs";
import { attributesOf, type QueueError } from "../../src/aws/queues.ts";
import type { Stage } from "../../src/operations/places.ts";
import { functionName, notDeployed } from "../stage.ts";

/** The messages of a queue that were given up. */
export interface DeadLetters {
  readonly queue: Stage;
  readonly arn: string;
  /** So many, as far as SQS knows: it may be a little behind. */
  readonly messages: number;
}

/** Messages were not moved: says why. */
export class RedriveError extends Error {
  override readonly name = "RedriveError";
}

const POLL_MS = 500;
/** AWS moves some hundred messages a second; more than these go on without us. */
const PATIENCE_MS = 60_000;

/** @throws StageError where the stage has no such queue */
export async function deadLettersOf(
  sqs: SQSClient,
  stage: string,
  queue: Stage,
): Promise<DeadLetters> {
  const name = `${functionName(stage, queue)}-dead-letters`;
  const attributes = await attributesOf(sqs, name).catch((error: QueueError) => {
    const cause = error.cause as Error;
    throw cause.name === "QueueDoesNotExist" ? notDeployed(stage, `queue ${name}`, cause) : cause;
  });
  return {
    queue,
    arn: attributes["QueueArn"]!,
    messages: Number(attributes["ApproximateNumberOfMessages"]),
  };
}

/**
 * Moves dead letters back to their queue, and gives how many were moved; undefined where AWS is still at it.
 * @throws RedriveError
 */
export async function redrive(
  sqs: SQSClient,
  { arn, queue }: Pick<DeadLetters, "arn" | "queue">,
): Promise<number | undefined> {
  await sqs.send(new StartMessageMoveTaskCommand({ SourceArn: arn }));
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    const { Results } = await sqs.send(
      new ListMessageMoveTasksCommand({ SourceArn: arn, MaxResults: 1 }),
    );
    const { Status, FailureReason, ApproximateNumberOfMessagesMoved = 0 } = Results?.[0] ?? {};
    if (Status === "COMPLETED") return ApproximateNumberOfMessagesMoved;
    if (Status === "FAILED" || Status === "CANCELLED")
      throw new RedriveError(
        `the dead letters of ${queue} were not all moved (${ApproximateNumberOfMessagesMoved} were): ${FailureReason ?? "somebody stopped it"}`,
      );
    if (performance.now() > until) return undefined;
    await delay(POLL_MS);
  }
}
