import { randomUUID } from "node:crypto";
import type { Queue } from "../events.ts";
import { AwsError } from "./errors.ts";
import type { Parameters } from "./secrets.ts";

/** What the dead letters of a queue are called, as infrastructure/queues.yml has it. */
const DEAD_LETTERS = "-dead-letters";

/** A queue as SQS knows it: one that is delivered to a function, or the dead letters of one. */
interface Known {
  readonly name: string;
  readonly arn: string;
  readonly queue: Queue;
  readonly isDead: boolean;
}

interface MoveTask {
  readonly Status: "COMPLETED";
  readonly SourceArn: string;
  readonly ApproximateNumberOfMessagesMoved: number;
  readonly ApproximateNumberOfMessagesToMove: number;
  /** Milliseconds since 1970. */
  readonly StartedTimestamp: number;
}

/** SQS: what waits in queues and among their dead letters, and the way back. Messages come and go elsewhere. */
export class QueueService {
  /** What URLs of queues begin with. */
  endpoint = "";
  readonly #account: string;
  readonly #known = new Map<string, Known>();
  readonly #tasks: MoveTask[] = [];

  constructor(account: string) {
    this.#account = account;
  }

  /** Makes a queue known, and its dead letters. */
  add(queue: Queue): void {
    const dead = `${queue.name}${DEAD_LETTERS}`;
    this.#known.set(queue.name, { name: queue.name, arn: queue.arn, queue, isDead: false });
    this.#known.set(dead, {
      name: dead,
      arn: `${queue.arn}${DEAD_LETTERS}`,
      queue,
      isDead: true,
    });
  }

  /**
   * Runs one operation and gives its answer.
   * @throws AwsError (400) as SQS does; UnknownOperationException for those that are not known here
   */
  run(operation: string, parameters: Parameters): unknown {
    switch (operation) {
      case "GetQueueUrl":
        return { QueueUrl: this.#urlOf(this.#named(text(parameters, "QueueName"))) };
      case "ListQueues":
        return this.#list(text(parameters, "QueueNamePrefix"));
      case "GetQueueAttributes":
        return { Attributes: asked(attributesOf(this.#at(parameters)), parameters) };
      case "StartMessageMoveTask":
        return this.#move(parameters);
      case "ListMessageMoveTasks":
        return this.#listTasks(parameters);
      default:
        throw new AwsError(
          400,
          "UnknownOperationException",
          `${operation} is not implemented by the local SQS`,
        );
    }
  }

  #urlOf({ name }: Known): string {
    return `${this.endpoint}/${this.#account}/${name}`;
  }

  #list(prefix: string): unknown {
    const names = [...this.#known.values()].filter(({ name }) => name.startsWith(prefix));
    return { QueueUrls: names.map((known) => this.#urlOf(known)) };
  }

  #at(parameters: Parameters): Known {
    const url = text(parameters, "QueueUrl");
    return this.#named(url.slice(url.lastIndexOf("/") + 1));
  }

  #named(name: string): Known {
    const known = this.#known.get(name);
    if (known) return known;
    throw new AwsError(400, "QueueDoesNotExist", "The specified queue does not exist.", {
      "x-amzn-query-error": "AWS.SimpleQueueService.NonExistentQueue;Sender",
    });
  }

  #deadLetters(parameters: Parameters): Known {
    const arn = text(parameters, "SourceArn");
    const known = [...this.#known.values()].find((one) => one.arn === arn);
    if (!known)
      throw new AwsError(
        404,
        "ResourceNotFoundException",
        "The resource that you specified for the SourceArn parameter doesn't exist.",
      );
    if (!known.isDead)
      throw new AwsError(
        400,
        "InvalidParameterValueException",
        "Source queue must be configured as a Dead Letter Queue.",
      );
    return known;
  }

  #move(parameters: Parameters): unknown {
    const { queue, arn } = this.#deadLetters(parameters);
    if (parameters["DestinationArn"] !== undefined)
      throw new AwsError(
        400,
        "UnsupportedOperation",
        "The local SQS moves dead letters back to where they came from alone.",
      );
    const moved = queue.redrive();
    this.#tasks.unshift({
      Status: "COMPLETED",
      SourceArn: arn,
      ApproximateNumberOfMessagesMoved: moved,
      ApproximateNumberOfMessagesToMove: moved,
      StartedTimestamp: Date.now(),
    });
    return { TaskHandle: Buffer.from(randomUUID()).toString("base64") };
  }

  #listTasks(parameters: Parameters): unknown {
    const { arn } = this.#deadLetters(parameters);
    const most = Number(parameters["MaxResults"] ?? 1);
    return { Results: this.#tasks.filter(({ SourceArn }) => SourceArn === arn).slice(0, most) };
  }
}

/** Counts as SQS has them: a message that failed is not visible until its next delivery. */
function attributesOf({ arn, queue, isDead }: Known): Readonly<Record<string, string>> {
  const counts = isDead
    ? { waiting: queue.deadLetters.length, invisible: 0 }
    : { waiting: queue.waiting, invisible: queue.inFlight + queue.depth - queue.waiting };
  return {
    QueueArn: arn,
    ApproximateNumberOfMessages: String(counts.waiting),
    ApproximateNumberOfMessagesNotVisible: String(counts.invisible),
    ApproximateNumberOfMessagesDelayed: "0",
    VisibilityTimeout: String(Math.ceil(queue.visibilityDelayMs / 1000)),
    ...(isDead
      ? {}
      : {
          RedrivePolicy: JSON.stringify({
            deadLetterTargetArn: `${queue.arn}${DEAD_LETTERS}`,
            maxReceiveCount: queue.maxReceiveCount,
          }),
        }),
  };
}

function asked(
  attributes: Readonly<Record<string, string>>,
  { AttributeNames }: Parameters,
): Readonly<Record<string, string>> {
  const names = Array.isArray(AttributeNames) ? AttributeNames : [];
  return Object.fromEntries(
    Object.entries(attributes).filter(([name]) => names.includes("All") || names.includes(name)),
  );
}

function text(parameters: Parameters, name: string): string {
  const value = parameters[name];
  return typeof value === "string" ? value : "";
}
