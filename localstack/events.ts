import { createHash, randomUUID } from "node:crypto";
import type { EventBridgeEvent, SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda";

/** How a queue is set up. */
export interface QueueOptions {
  readonly region?: string;
  readonly account?: string;
  /** Milliseconds between a failure and the next delivery. */
  readonly visibilityDelayMs?: number;
  /** After so many deliveries that failed a message goes to the dead letters. */
  readonly maxReceiveCount?: number;
  /** So many messages at a time are with the handler. */
  readonly maximumConcurrency?: number;
}

/** A message that was given up. */
export interface DeadLetter {
  readonly messageId: string;
  readonly body: string;
  /** What the last failure was. */
  readonly reason: unknown;
}

/** Takes an event of one message, as a function takes it from Lambda. What it gives may be a batch response. */
export type QueueHandler = (event: SQSEvent) => Promise<unknown>;

interface Message {
  readonly messageId: string;
  readonly body: string;
  readonly sent: number;
  firstReceived: number | undefined;
  receiveCount: number;
}

/**
 * A queue, the event source that empties it into a function, and its dead letters: batches of one, failures by
 * exception or by `batchItemFailures`, redelivery, redrive. Like SQS it promises neither order nor "only once".
 */
export class Queue {
  readonly name: string;
  readonly arn: string;
  readonly visibilityDelayMs: number;
  readonly maxReceiveCount: number;
  readonly #region: string;
  readonly #maximumConcurrency: number;
  #handler: QueueHandler | undefined;
  readonly #waiting: Message[] = [];
  readonly #delayed = new Map<NodeJS.Timeout, Message>();
  readonly #running = new Set<Promise<void>>();
  #dead: (DeadLetter & { readonly message: Message })[] = [];
  #idlers: (() => void)[] = [];
  #stopped = false;

  constructor(name: string, options: QueueOptions = {}) {
    const { region = "eu-west-2", account = "000000000000" } = options;
    this.name = name;
    this.arn = `arn:aws:sqs:${region}:${account}:${name}`;
    this.#region = region;
    this.visibilityDelayMs = options.visibilityDelayMs ?? 100;
    this.maxReceiveCount = options.maxReceiveCount ?? 5;
    this.#maximumConcurrency = options.maximumConcurrency ?? 2;
  }

  /** Messages that wait for a delivery. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Messages that wait for a delivery, or for their next one after a failure. */
  get depth(): number {
    return this.#waiting.length + this.#delayed.size;
  }

  /** Messages that the handler has. */
  get inFlight(): number {
    return this.#running.size;
  }

  /** Messages that were given up, the oldest first. */
  get deadLetters(): readonly DeadLetter[] {
    return this.#dead.map(({ messageId, body, reason }) => ({ messageId, body, reason }));
  }

  /** Sends messages to this handler from now on, in place of any other. */
  connect(handler: QueueHandler): void {
    this.#handler = handler;
    this.#deliver();
  }

  /** Lets messages wait from now on. Those that the handler has stay with it. */
  disconnect(): void {
    this.#handler = undefined;
  }

  /**
   * Puts a message into the queue.
   * @returns the message's id
   * @throws Error after `stop`
   */
  send(body: string): string {
    if (this.#stopped) throw new Error(`The queue ${this.name} was stopped`);
    const messageId = randomUUID();
    this.#waiting.push({
      messageId,
      body,
      sent: Date.now(),
      firstReceived: undefined,
      receiveCount: 0,
    });
    this.#deliver();
    return messageId;
  }

  /** Puts the dead letters back into the queue, as if they had never been delivered, and gives their number. */
  redrive(): number {
    const dead = this.#dead;
    this.#dead = [];
    for (const { message } of dead) this.#waiting.push({ ...message, receiveCount: 0 });
    this.#deliver();
    return dead.length;
  }

  /** Resolves when no message is with the handler or waits. Without a handler that may be never. */
  idle(): Promise<void> {
    if (this.#isIdle()) return Promise.resolve();
    return new Promise((resolve) => this.#idlers.push(resolve));
  }

  /** Delivers nothing more, drops what waits, and resolves when the handler has finished what it has. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#waiting.length = 0;
    for (const timer of this.#delayed.keys()) clearTimeout(timer);
    this.#delayed.clear();
    await Promise.all(this.#running);
    this.#wakeIdlers();
  }

  #isIdle(): boolean {
    return this.depth === 0 && this.inFlight === 0;
  }

  #deliver(): void {
    const handler = this.#handler;
    while (handler && this.#running.size < this.#maximumConcurrency) {
      const message = this.#waiting.shift();
      if (!message) return;
      const delivery = this.#receive(handler, message).finally(() => {
        this.#running.delete(delivery);
        this.#deliver();
        this.#wakeIdlers();
      });
      this.#running.add(delivery);
    }
  }

  async #receive(handler: QueueHandler, message: Message): Promise<void> {
    message.receiveCount++;
    message.firstReceived ??= Date.now();
    try {
      const response = await handler({ Records: [this.#record(message)] });
      if (hasFailed(response)) this.#fail(message, response);
    } catch (error) {
      this.#fail(message, error);
    }
  }

  #fail(message: Message, reason: unknown): void {
    if (this.#stopped) return;
    if (message.receiveCount >= this.maxReceiveCount) {
      const { messageId, body } = message;
      this.#dead.push({ messageId, body, reason, message });
      return;
    }
    const timer = setTimeout(() => {
      this.#delayed.delete(timer);
      this.#waiting.push(message);
      this.#deliver();
    }, this.visibilityDelayMs);
    this.#delayed.set(timer, message);
  }

  #wakeIdlers(): void {
    if (!this.#isIdle()) return;
    for (const wake of this.#idlers.splice(0)) wake();
  }

  #record({ messageId, body, sent, firstReceived, receiveCount }: Message): SQSRecord {
    return {
      messageId,
      receiptHandle: randomUUID(),
      body,
      attributes: {
        ApproximateReceiveCount: String(receiveCount),
        SentTimestamp: String(sent),
        SenderId: "AIDALOCAL",
        ApproximateFirstReceiveTimestamp: String(firstReceived ?? sent),
      },
      messageAttributes: {},
      md5OfBody: createHash("md5").update(body).digest("hex"),
      eventSource: "aws:sqs",
      eventSourceARN: this.arn,
      awsRegion: this.#region,
    };
  }
}

/**
 * What Lambda makes of a response with ReportBatchItemFailures: no list, or an empty one, is success; one that names the
 * message fails it; one that names something else, or "", fails the whole batch. Of a batch of one that is the same.
 */
function hasFailed(response: unknown): boolean {
  if (typeof response !== "object" || response === null) return false;
  const { batchItemFailures } = response as Partial<SQSBatchResponse>;
  return Array.isArray(batchItemFailures) && batchItemFailures.length > 0;
}

/** The event that an EventBridge rule of that name sends by schedule, now. */
export function scheduleEvent(
  name: string,
  options: Pick<QueueOptions, "region" | "account"> = {},
): EventBridgeEvent<"Scheduled Event", Record<string, never>> {
  const { region = "eu-west-2", account = "000000000000" } = options;
  return {
    version: "0",
    id: randomUUID(),
    "detail-type": "Scheduled Event",
    source: "aws.events",
    account,
    // Whole seconds, as EventBridge has them.
    time: new Date().toISOString().replace(/\.\d+Z$/, "Z"),
    region,
    resources: [`arn:aws:events:${region}:${account}:rule/${name}`],
    detail: {},
  };
}
