import {
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
  LambdaClient,
  ListFunctionsCommand,
} from "@aws-sdk/client-lambda";
import { startAws, type AwsServer } from "../../localstack/aws/server.ts";
import { HostedFunction } from "../../localstack/background/hosted.ts";
import { expect } from "../support/chai.ts";
import { eventually } from "./support.ts";

const NAME = "totes-warehouse-local-loading";

describe("the local Lambda", () => {
  let aws: AwsServer;
  let lambda: LambdaClient;
  let hosted: HostedFunction;
  const printed: string[] = [];

  before(async () => {
    aws = await startAws();
    const { endpoint, region } = aws;
    lambda = new LambdaClient({
      endpoint,
      region,
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
    });
    hosted = new HostedFunction({
      name: NAME,
      service: "loading",
      module: "tests/localstack/fixtures/hosted.ts",
      environment: { WAREHOUSE_SECRET: "totes/local/warehouse" },
      access: { AWS_SECRET_ACCESS_KEY: "hidden" },
      memoryMb: 512,
      timeoutMs: 300_000,
      print: (line) => printed.push(line),
    });
    aws.functions.add(hosted);
  });
  after(async () => {
    lambda.destroy();
    await hosted.stop();
    await aws.stop();
  });

  const invoke = async (event: unknown, more: object = {}) => {
    const { Payload, ...answer } = await lambda.send(
      new InvokeCommand({ FunctionName: NAME, Payload: JSON.stringify(event), ...more }),
    );
    const text = Payload?.transformToString() ?? "";
    return { ...answer, text, json: (text ? JSON.parse(text) : undefined) as unknown };
  };

  it("gives what the handler gives, and its request's id", async () => {
    const { StatusCode, FunctionError, json, $metadata } = await invoke({ say: "é" });
    expect([StatusCode, FunctionError]).to.deep.equal([200, undefined]);
    expect(json).to.deep.equal({ said: "é", requestId: $metadata.requestId });
  });

  it("gives what the handler threw, as Lambda does", async () => {
    const { StatusCode, FunctionError, json } = await invoke({ fail: "no rows" });
    expect([StatusCode, FunctionError]).to.deep.equal([200, "Unhandled"]);
    expect(json).to.include({ errorType: "RangeError", errorMessage: "no rows" });
    expect(json).to.have.property("trace").that.is.an("array");
  });

  it("gives what the invocation printed to whoever asks for it, as lines of JSON", async () => {
    const quiet = await invoke({ say: "a" });
    expect(quiet.LogResult).to.equal(undefined);
    const { LogResult = "" } = await invoke({ print: "plain text" }, { LogType: "Tail" });
    const [line = "", ...rest] = Buffer.from(LogResult, "base64").toString().split("\n");
    expect(JSON.parse(line)).to.include({ service: "loading", message: "plain text" });
    expect(rest).to.deep.equal([""]);
    expect(printed.at(-1)).to.equal(line);
  });

  it("does not wait for what is asked for as an event", async () => {
    const { StatusCode, text } = await invoke({ print: "later" }, { InvocationType: "Event" });
    expect([StatusCode, text]).to.deep.equal([202, ""]);
    await eventually(() => expect(printed.at(-1)).to.include("later"));
  });

  it("says how a function is configured, but not what opens AWS", async () => {
    const found = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: NAME }));
    expect(found).to.deep.include({
      FunctionName: NAME,
      FunctionArn: `arn:aws:lambda:eu-west-2:000000000000:function:${NAME}`,
      MemorySize: 512,
      Timeout: 300,
      State: "Active",
      LastUpdateStatus: "Successful",
      Environment: { Variables: { WAREHOUSE_SECRET: "totes/local/warehouse" } },
    });
    const { Functions } = await lambda.send(new ListFunctionsCommand());
    expect(Functions?.map(({ FunctionName }) => FunctionName)).to.deep.equal([NAME]);
    const byArn = await lambda.send(
      new GetFunctionConfigurationCommand({ FunctionName: found.FunctionArn }),
    );
    expect(byArn.FunctionName).to.equal(NAME);
  });

  it("loads the code anew once what is under way has ended", async () => {
    const before = hosted.invoke({ pid: true });
    await hosted.renew();
    const after = await hosted.invoke({ pid: true });
    expect((await before).hasFailed).to.equal(false);
    expect((await before).payload).not.to.equal(after.payload);
  });

  it("refuses what is not there, as Lambda does", async () => {
    await expect(
      lambda.send(new InvokeCommand({ FunctionName: "nobody" })),
    ).to.be.rejected.and.eventually.include({ name: "ResourceNotFoundException" });
    await expect(
      lambda.send(new InvokeCommand({ FunctionName: NAME, Payload: "{" })),
    ).to.be.rejected.and.eventually.include({ name: "InvalidRequestContentException" });
    await expect(lambda.send(new GetFunctionCommand({ FunctionName: NAME }))).to.be.rejectedWith(
      "is not implemented by the local Lambda",
    );
    const stranger = new LambdaClient({
      endpoint: aws.endpoint,
      region: aws.region,
      credentials: { accessKeyId: "test", secretAccessKey: "wrong" },
    });
    await expect(
      stranger.send(new InvokeCommand({ FunctionName: NAME })),
    ).to.be.rejected.and.eventually.include({ name: "InvalidSignatureException" });
    stranger.destroy();
  });
});
