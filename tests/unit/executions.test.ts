// The state machine's own words, over HTTP: what is told while it runs, and what is made of an answer that does not come.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { execute, ExecutionError } from "../../src/aws/executions.ts";
import { failureOf } from "../support/attack.ts";
import { expect } from "../support/chai.ts";
import { withEnvironment } from "../support/environment.ts";

const MACHINE = "arn:aws:states:eu-west-2:123456789012:stateMachine:again";
const EXECUTION = "arn:aws:states:eu-west-2:123456789012:execution:again:one";

describe("an execution of a state machine", () => {
  let server: Server;
  /** What is answered, by operation, in turn: the last again and again. A number is a failure of that status. */
  let answers: Record<string, (object | number)[]>;
  let asked: [operation: string, input: Record<string, unknown>][];
  before(async () => {
    server = createServer(async (request, response) => {
      const operation = String(request.headers["x-amz-target"]).split(".")[1]!;
      asked.push([operation, JSON.parse(await text(request)) as Record<string, unknown>]);
      const [answer, ...more] = answers[operation]!;
      if (more.length > 0) answers[operation] = more;
      response.setHeader("content-type", "application/x-amz-json-1.0");
      response.statusCode = typeof answer === "number" ? answer : 200;
      response.end(
        JSON.stringify(
          typeof answer === "number"
            ? { __type: answer < 500 ? "AccessDeniedException" : "Broken" }
            : answer,
        ),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  after(() => server.close());
  beforeEach(() => {
    asked = [];
    answers = {
      StartExecution: [{ executionArn: EXECUTION }],
      ListMapRuns: [{ mapRuns: [{ mapRunArn: "map" }] }],
      DescribeMapRun: [{ itemCounts: { succeeded: 1 } }, { itemCounts: { succeeded: 3 } }],
      DescribeExecution: [{ status: "RUNNING" }, { status: "SUCCEEDED" }],
    };
  });
  const run = (done: (items: number) => void = () => undefined) =>
    withEnvironment(
      {
        AWS_ENDPOINT_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        AWS_REGION: "eu-west-2",
        AWS_ACCESS_KEY_ID: "x",
        AWS_SECRET_ACCESS_KEY: "x",
      },
      () => execute(MACHINE, { key: "list" }, done),
    );

  it("is told of until its end", async () => {
    const told: number[] = [];
    expect(await run((items) => told.push(items))).to.deep.equal({
      arn: EXECUTION,
      status: "SUCCEEDED",
    });
    expect(told).to.deep.equal([1, 3]);
    const [[operation, input]] = asked as [[string, Record<string, unknown>]];
    expect(operation).to.equal("StartExecution");
    expect(input).to.include({ stateMachineArn: MACHINE, input: '{"key":"list"}' });
    expect(input["name"]).to.match(/^[0-9a-f-]{36}$/);
  });

  it("is waited for though answers fail for a while, and is started once", async () => {
    answers["StartExecution"] = [503, { executionArn: EXECUTION }];
    answers["DescribeExecution"] = [500, 503, 500, 503, { status: "FAILED" }];
    expect(await run()).to.deep.equal({ arn: EXECUTION, status: "FAILED" });
    const names = asked
      .filter(([operation]) => operation === "StartExecution")
      .map(([, input]) => input["name"]);
    expect([names.length, new Set(names).size]).to.deep.equal([2, 1]);
  });

  it("goes on by itself where nobody may ask for it, and that is said", async () => {
    answers["DescribeExecution"] = [400];
    const error = await failureOf(run());
    expect(error).to.be.instanceOf(ExecutionError);
    expect(error.message)
      .to.include(`${EXECUTION} was started, and goes on by itself`)
      .and.include("AccessDenied");
    answers["StartExecution"] = [400];
    expect((await failureOf(run())).message).to.match(/^arn:\S+:stateMachine:again: AccessDenied/);
  });
});
