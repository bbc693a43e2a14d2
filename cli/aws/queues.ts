/** A stage's queues: what was given up, and its way back. */
import { setTimeout as delay } from "node:timers/promises";
import {
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListMessageMoveTasksCommand,
  StartMessageMoveTaskCommand,
  type SQSClient,
} from "@aws-sdk/client-sqs";
import { functionName, notDeployed } from "../stage.ts";

/** Those that a function is woken by; queues and functions are called the same. */
export const QUEUES = ["ingestion", "transformation", "loading"] as const;
export type QueueName = (typeof QUEUES)[number];

/** The messages of a queue that were given up. */
export interface DeadLetters {
  readonly queue: QueueName;
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
  queue: QueueName,
): Promise<DeadLetters> {
  const QueueName = `${functionName(stage, queue)}-dead-letters`;
  const { QueueUrl } = await sqs
    .send(new GetQueueUrlCommand({ QueueName }))
    .catch((cause: Error) => {
      throw cause.name === "QueueDoesNotExist"
        ? notDeployed(stage, `queue ${QueueName}`, cause)
        : cause;
    });
  const { Attributes = {} } = await sqs.send(
    new GetQueueAttributesCommand({
      QueueUrl,
      AttributeNames: ["QueueArn", "ApproximateNumberOfMessages"],
    }),
  );
  return {
    queue,
    arn: Attributes["QueueArn"]!,
    messages: Number(Attributes["ApproximateNumberOfMessages"]),
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
    if (Status === "FAILED")
      throw new RedriveError(
        `the dead letters of ${queue} were not all moved (${ApproximateNumberOfMessagesMoved} were): ${FailureReason}`,
      );
    if (performance.now() > until) return undefined;
    await delay(POLL_MS);
  }
}
