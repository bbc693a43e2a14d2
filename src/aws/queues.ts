import { GetQueueAttributesCommand, GetQueueUrlCommand, SQSClient } from "@aws-sdk/client-sqs";

/** A queue that cannot be asked: says which, and what to do about the usual causes. */
export class QueueError extends Error {
  override readonly name = "QueueError";
  constructor(queue: string, cause: unknown) {
    const { name, message } = cause as Error;
    const advice = /NonExistent|DoesNotExist/.test(name)
      ? "; deploy the stage"
      : /Access|Auth/.test(name)
        ? "; these credentials lack sqs:GetQueueUrl or sqs:GetQueueAttributes on it"
        : "";
    super(`cannot ask queue ${queue}: ${name}: ${message}${advice}`, { cause });
  }
}

/** What a queue holds, about. */
export interface QueueCount {
  readonly waiting: number;
  readonly inFlight: number;
  /** Seconds after which a failed message is delivered again; absent where the queue does not say. */
  readonly visibilityTimeout?: number;
}

/** Asks queues what they hold, by name; in the order of the names. @throws QueueError */
export async function countMessages(names: readonly string[]): Promise<QueueCount[]> {
  const sqs = new SQSClient({});
  try {
    return await Promise.all(names.map((queue) => count(sqs, queue)));
  } finally {
    sqs.destroy();
  }
}

async function count(sqs: SQSClient, queue: string): Promise<QueueCount> {
  const attributes = await attributesOf(sqs, queue);
  const { VisibilityTimeout } = attributes;
  return {
    waiting:
      Number(attributes["ApproximateNumberOfMessages"] ?? 0) +
      Number(attributes["ApproximateNumberOfMessagesDelayed"] ?? 0),
    inFlight: Number(attributes["ApproximateNumberOfMessagesNotVisible"] ?? 0),
    ...(VisibilityTimeout === undefined ? {} : { visibilityTimeout: Number(VisibilityTimeout) }),
  };
}

/** What SQS says of a queue, by its name. @throws QueueError */
export async function attributesOf(
  sqs: SQSClient,
  queue: string,
): Promise<Readonly<Record<string, string>>> {
  try {
    const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: queue }));
    const { Attributes = {} } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }),
    );
    return Attributes;
  } catch (error) {
    throw new QueueError(queue, error);
  }
}
