import type { SQSEvent } from "aws-lambda";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Queue, scheduleEvent } from "../../localstack/events.ts";
import { expect } from "../support/chai.ts";
import { eventually } from "./support.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

describe("a queue", () => {
  let queue: Queue;
  beforeEach(() => {
    queue = new Queue("q", { visibilityDelayMs: 10 });
  });
  afterEach(() => queue.stop());

  /** Connects a handler that gives (or throws) these one after the other, and then success. */
  const connect = (...results: unknown[]) => {
    const events: SQSEvent[] = [];
    queue.connect(async (event) => {
      events.push(event);
      const result = results[events.length - 1];
      if (result instanceof Error) throw result;
      return result;
    });
    return events;
  };

  it("delivers a message as SQS does, one an event", async () => {
    const events = connect();
    const id = queue.send("hello");
    queue.send("again");
    await queue.idle();
    expect(events.map(({ Records }) => Records.length)).to.deep.equal([1, 1]);
    const record = events[0]?.Records[0];
    expect(record).to.deep.include({
      messageId: id,
      body: "hello",
      md5OfBody: "5d41402abc4b2a76b9719d911017c592",
      eventSource: "aws:sqs",
      eventSourceARN: "arn:aws:sqs:eu-west-2:000000000000:q",
      awsRegion: "eu-west-2",
      messageAttributes: {},
    });
    expect(record?.attributes.ApproximateReceiveCount).to.equal("1");
    expect(Number(record?.attributes.SentTimestamp)).to.be.closeTo(Date.now(), 5_000);
    expect(record?.receiptHandle).to.match(/./);
  });

  it("keeps messages until there is a handler", async () => {
    queue.send("1");
    expect(queue.depth).to.equal(1);
    const events = connect();
    await queue.idle();
    expect(events).to.have.length(1);
    expect(queue.depth).to.equal(0);
  });

  it("has two messages at work at most", async () => {
    let atWork = 0;
    let most = 0;
    queue.connect(async () => {
      most = Math.max(most, ++atWork);
      expect(queue.inFlight).to.be.at.most(2);
      await new Promise((resolve) => setTimeout(resolve, 5));
      atWork--;
    });
    for (let n = 0; n < 6; n++) queue.send(`${n}`);
    expect(queue.inFlight).to.equal(2);
    expect(queue.depth).to.equal(4);
    await queue.idle();
    expect(most).to.equal(2);
  });

  it("delivers again what was thrown at, later, under the same id", async () => {
    const events = connect(new Error("first"));
    const id = queue.send("1");
    const sent = performance.now();
    await queue.idle();
    expect(performance.now() - sent).to.be.at.least(9);
    const received = events.map(({ Records: [record] }) => [
      record?.messageId,
      record?.attributes.ApproximateReceiveCount,
    ]);
    expect(received).to.deep.equal([
      [id, "1"],
      [id, "2"],
    ]);
  });

  it("waits for what is to be delivered again before it is idle", async () => {
    connect(new Error("first"), new Error("second"));
    queue.send("1");
    await eventually(() => expect(queue.depth).to.equal(1));
    await queue.idle();
    expect([queue.depth, queue.inFlight]).to.deep.equal([0, 0]);
  });

  for (const [identifier, what] of [
    [undefined, "the message"],
    ["", "nothing"],
    [null, "null"],
    ["unknown", "something else"],
  ] as const) {
    it(`takes a batch item failure that names ${what} as a failure`, async () => {
      let calls = 0;
      queue.connect(async ({ Records: [record] }) => {
        if (++calls > 1) return { batchItemFailures: [] };
        const itemIdentifier = identifier === undefined ? record?.messageId : identifier;
        return { batchItemFailures: [{ itemIdentifier }] };
      });
      queue.send("1");
      await queue.idle();
      expect(calls).to.equal(2);
    });
  }

  for (const response of [
    undefined,
    null,
    {},
    { batchItemFailures: [] },
    { batchItemFailures: null },
  ]) {
    it(`takes ${JSON.stringify(response)} as success`, async () => {
      const events = connect(response);
      queue.send("1");
      await queue.idle();
      expect(events).to.have.length(1);
    });
  }

  it("gives a message up after five deliveries, and others are not held up", async () => {
    let calls = 0;
    queue.connect(async ({ Records: [record] }) => {
      if (record?.body === "good") return;
      calls++;
      throw new Error("poison");
    });
    const messageId = queue.send("bad");
    queue.send("good");
    await queue.idle();
    expect(calls).to.equal(5);
    expect(queue.deadLetters).to.have.length(1);
    expect(queue.deadLetters[0]).to.include({ messageId, body: "bad" });
    expect(String(queue.deadLetters[0]?.reason)).to.equal("Error: poison");
  });

  it("delivers dead letters again when they are redriven, counting anew", async () => {
    connect(...Array.from({ length: 5 }, () => new Error("poison")));
    queue.send("1");
    await queue.idle();
    expect(queue.deadLetters).to.have.length(1);
    const events = connect();
    expect(queue.redrive()).to.equal(1);
    await queue.idle();
    expect(queue.deadLetters).to.deep.equal([]);
    expect(events[0]?.Records[0]?.attributes.ApproximateReceiveCount).to.equal("1");
  });

  it("delivers nothing more once it is stopped, and waits for what is at work", async () => {
    let finish: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (finish = resolve));
    let calls = 0;
    let finished = 0;
    queue.connect(async () => {
      calls++;
      await held;
      finished++;
      throw new Error("not to be delivered again");
    });
    for (let n = 0; n < 3; n++) queue.send(`${n}`);
    const stopped = queue.stop();
    expect(() => queue.send("4")).to.throw("was stopped");
    expect([calls, finished]).to.deep.equal([2, 0]);
    finish();
    await stopped;
    expect([calls, finished]).to.deep.equal([2, 2]);
    expect([queue.depth, queue.inFlight, queue.deadLetters.length]).to.deep.equal([0, 0, 0]);
  });

  it("keeps no process alive once it is stopped", async () => {
    const script = `import { Queue } from "./localstack/events.ts";
      const queue = new Queue("q", { visibilityDelayMs: 60_000 });
      queue.connect(async () => { throw new Error("again"); });
      queue.send("1");
      setTimeout(() => queue.stop(), 50);`;
    const args = ["--import", "tsx", "--input-type=module", "-e", script];
    await promisify(execFile)(process.execPath, args, { cwd: root, timeout: 20_000 });
  });
});

describe("the schedule's event", () => {
  it("is what EventBridge sends", () => {
    expect(scheduleEvent("every-ten-minutes")).to.deep.include({
      version: "0",
      "detail-type": "Scheduled Event",
      source: "aws.events",
      account: "000000000000",
      region: "eu-west-2",
      resources: ["arn:aws:events:eu-west-2:000000000000:rule/every-ten-minutes"],
      detail: {},
    });
    expect(scheduleEvent("x").time).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  });
});
