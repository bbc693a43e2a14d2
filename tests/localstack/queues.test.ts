import {
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListMessageMoveTasksCommand,
  ListQueuesCommand,
  PurgeQueueCommand,
  SQSClient,
  StartMessageMoveTaskCommand,
} from "@aws-sdk/client-sqs";
import { startAws, type AwsServer } from "../../localstack/aws/server.ts";
import { Queue } from "../../localstack/events.ts";
import { expect } from "../support/chai.ts";
import { eventually } from "./support.ts";

const NAME = "totes-warehouse-local-loading";
const DEAD = `${NAME}-dead-letters`;

describe("the local SQS", () => {
  let aws: AwsServer;
  let sqs: SQSClient;
  let queue: Queue;

  beforeEach(async () => {
    aws = await startAws();
    const { endpoint, region } = aws;
    sqs = new SQSClient({
      endpoint,
      region,
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
    });
    queue = new Queue(NAME, { maxReceiveCount: 2, visibilityDelayMs: 1 });
    aws.queues.add(queue);
  });
  afterEach(async () => {
    sqs.destroy();
    await queue.stop();
    await aws.stop();
  });

  const urlOf = async (QueueName: string): Promise<string> =>
    (await sqs.send(new GetQueueUrlCommand({ QueueName }))).QueueUrl ?? "";
  const attributesOf = async (QueueName: string, ...AttributeNames: ("All" | "QueueArn")[]) => {
    const QueueUrl = await urlOf(QueueName);
    return (await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames }))).Attributes;
  };

  it("names a queue and its dead letters, and counts what waits in each", async () => {
    queue.send("one");
    queue.send("two");
    expect(await urlOf(NAME)).to.equal(`${aws.endpoint}/000000000000/${NAME}`);
    expect(await attributesOf(NAME, "All")).to.deep.equal({
      QueueArn: `arn:aws:sqs:eu-west-2:000000000000:${NAME}`,
      ApproximateNumberOfMessages: "2",
      ApproximateNumberOfMessagesNotVisible: "0",
      ApproximateNumberOfMessagesDelayed: "0",
      VisibilityTimeout: "1",
      RedrivePolicy: `{"deadLetterTargetArn":"arn:aws:sqs:eu-west-2:000000000000:${DEAD}","maxReceiveCount":2}`,
    });
    expect(await attributesOf(DEAD, "All")).to.include({
      QueueArn: `arn:aws:sqs:eu-west-2:000000000000:${DEAD}`,
      ApproximateNumberOfMessages: "0",
    });
    expect(await attributesOf(NAME, "QueueArn")).to.have.all.keys("QueueArn");
  });

  it("does not count as visible what its function has", async () => {
    let finish = (): void => undefined;
    queue.connect(() => new Promise<void>((resolve) => (finish = resolve)));
    queue.send("one");
    expect(await attributesOf(NAME, "All")).to.include({
      ApproximateNumberOfMessages: "0",
      ApproximateNumberOfMessagesNotVisible: "1",
    });
    finish();
  });

  it("lists queues by the beginning of their names", async () => {
    const other = new Queue("other");
    aws.queues.add(other);
    const { QueueUrls } = await sqs.send(new ListQueuesCommand({ QueueNamePrefix: "totes-" }));
    expect(QueueUrls?.map((url) => url.split("/").at(-1))).to.deep.equal([NAME, DEAD]);
  });

  it("moves dead letters back, once, and says how many", async () => {
    const received: string[] = [];
    let isMended = false;
    queue.connect(async ({ Records }) => {
      if (!isMended) throw new Error("not yet");
      received.push(...Records.map(({ body }) => body));
    });
    queue.send("one");
    queue.send("two");
    await eventually(() => expect(queue.deadLetters).to.have.length(2));
    isMended = true;
    const SourceArn = (await attributesOf(DEAD, "QueueArn"))?.["QueueArn"];
    await sqs.send(new StartMessageMoveTaskCommand({ SourceArn }));
    await queue.idle();
    expect(received.toSorted()).to.deep.equal(["one", "two"]);
    const { Results } = await sqs.send(new ListMessageMoveTasksCommand({ SourceArn }));
    expect(Results?.[0]).to.include({ Status: "COMPLETED", ApproximateNumberOfMessagesMoved: 2 });
    expect(await attributesOf(DEAD, "All")).to.include({ ApproximateNumberOfMessages: "0" });
  });

  it("refuses what is not there, as SQS does", async () => {
    await expect(urlOf("nowhere")).to.be.rejected.and.eventually.include({
      name: "QueueDoesNotExist",
    });
    await expect(
      sqs.send(new StartMessageMoveTaskCommand({ SourceArn: "arn:aws:sqs:eu-west-2:1:nowhere" })),
    ).to.be.rejected.and.eventually.include({ name: "ResourceNotFoundException" });
    await expect(
      sqs.send(new StartMessageMoveTaskCommand({ SourceArn: queue.arn })),
    ).to.be.rejectedWith("must be configured as a Dead Letter Queue");
    await expect(
      sqs.send(new PurgeQueueCommand({ QueueUrl: await urlOf(NAME) })),
    ).to.be.rejectedWith("PurgeQueue is not implemented by the local SQS");
  });
});
