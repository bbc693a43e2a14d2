import { CloudWatchLogsClient, FilterLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs";
import { startAws, type AwsServer } from "../../localstack/aws/server.ts";
import { readLog } from "../../src/aws/logs.ts";
import { expect } from "../support/chai.ts";
import { withEnvironment } from "../support/environment.ts";

describe("the local CloudWatch Logs", () => {
  let aws: AwsServer;
  let client: CloudWatchLogsClient;
  before(async () => {
    aws = await startAws();
    const { endpoint, region } = aws;
    client = new CloudWatchLogsClient({
      endpoint,
      region,
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
    });
  });
  after(async () => {
    client.destroy();
    await aws.stop();
  });

  const filter = async (parameters: object) =>
    client.send(new FilterLogEventsCommand({ logGroupName: "g", ...parameters }));

  it("gives what was printed, in its order, a page at a time", async () => {
    const print = aws.logs.open("g");
    const before = Date.now();
    for (const text of ["a", "b\n", '{"c":"é"}']) print(text);
    const { events = [], nextToken } = await filter({ limit: 2 });
    expect(events.map(({ message }) => message)).to.deep.equal(["a", "b\n"]);
    const rest = await filter({ limit: 2, nextToken });
    expect(rest.events!.map(({ message }) => message)).to.deep.equal(['{"c":"é"}']);
    expect(rest.nextToken).to.equal(undefined);
    expect(events[0]!.timestamp).to.be.within(before, Date.now());
    expect((await filter({ startTime: Date.now() + 60_000 })).events).to.deep.equal([]);
    expect((await filter({ endTime: before - 1 })).events).to.deep.equal([]);
  });

  it("keeps the newest ten thousand lines of a group", async () => {
    const print = aws.logs.open("/aws/lambda/many");
    for (let line = 0; line < 10_005; line++) print(String(line));
    const found = await withEnvironment(environmentOf(aws), async () => {
      const texts: string[] = [];
      for await (const { text } of readLog("many", { from: 0, to: Date.now() })) texts.push(text);
      return texts;
    });
    expect([found.length, found[0], found.at(-1)]).to.deep.equal([10_000, "5", "10004"]);
  });

  it("refuses what it does not know, and a group that is not there", async () => {
    await expect(filter({ logGroupName: "none" })).to.be.rejectedWith(
      "The specified log group does not exist.",
    );
    await expect(filter({ filterPattern: "ERROR" })).to.be.rejectedWith("no filter pattern");
    await withEnvironment(environmentOf(aws), async () => {
      await expect(readLog("none", { from: 0, to: 1 }).next()).to.be.rejectedWith(
        "cannot read log group /aws/lambda/none: ResourceNotFoundException: The specified log group does not exist.; deploy the stage",
      );
    });
  });
});

const environmentOf = ({ endpoint, region }: AwsServer) => ({
  AWS_ENDPOINT_URL: endpoint,
  AWS_REGION: region,
  AWS_ACCESS_KEY_ID: "test",
  AWS_SECRET_ACCESS_KEY: "test",
});
