import { once } from "node:events";
import { connect } from "node:net";
import type { AwsServer } from "../../localstack/aws/server.ts";
import { refused } from "../contracts/s3.ts";
import { expect } from "../support/chai.ts";
import { Bucket, useLocalS3 } from "./local-s3.ts";
import { eventually } from "./support.ts";

describe("the local S3 has faults injected", () => {
  const local = useLocalS3();

  it("before an operation: it is refused and was not done", async () => {
    const remove = local.aws.onRequest(({ operation, bucket, key }) =>
      operation === "PutObject" && bucket === Bucket && key === "a b"
        ? { status: 503, code: "SlowDown" }
        : undefined,
    );
    await refused(local.put("a b", "1"), 503, "SlowDown");
    remove();
    await refused(local.read("a b"), 404, "NoSuchKey");
  });

  it("after an operation: it is refused and was done", async () => {
    const remove = local.aws.onRequest(() => ({
      status: 500,
      code: "InternalError",
      when: "after",
    }));
    await refused(local.put("a", "1"), 500, "InternalError");
    remove();
    expect(await local.read("a")).to.equal("1");
  });

  it("by a connection that is cut, before or after", async () => {
    let fault: Parameters<AwsServer["onRequest"]>[0] = () => "reset";
    const remove = local.aws.onRequest((request) => fault(request));
    await expect(local.put("a", "1")).to.be.rejectedWith(/ECONNRESET|socket hang up/);
    fault = () => ({ reset: true, when: "after" });
    await expect(local.put("b", "1")).to.be.rejectedWith(/ECONNRESET|socket hang up/);
    await expect(local.read("b")).to.be.rejectedWith(/ECONNRESET|socket hang up/);
    remove();
    await refused(local.read("a"), 404, "NoSuchKey");
    expect(await local.read("b")).to.equal("1");
  });

  it("by a hook that takes its time", async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const remove = local.aws.onRequest(({ operation, key }) =>
      operation === "PutObject" && key === "slow" ? held : undefined,
    );
    const slow = local.put("slow", "1");
    await local.put("fast", "1");
    await refused(local.read("slow"), 404, "NoSuchKey");
    release();
    await slow;
    remove();
    expect(await local.read("slow")).to.equal("1");
  });

  it("and counts requests, and tells how they were answered", async () => {
    const answers: string[] = [];
    local.aws.onAnswer(({ operation, status }) => answers.push(`${operation} ${status}`));
    await local.put("a", "1");
    await refused(local.read("nope"), 404);
    expect(answers).to.deep.equal(["PutObject 200", "GetObject 404"]);
    expect(local.aws.requests.get("PutObject")).to.equal(1);
    expect(local.aws.requests.get("CreateBucket")).to.equal(1);
  });
});

describe("the local AWS", () => {
  const local = useLocalS3();

  it("stops although a connection is open and a hook never ends", async () => {
    local.aws.onRequest(() => new Promise(() => undefined));
    const hanging = expect(local.put("a", "1")).to.be.rejected;
    const socket = connect(local.aws.port, "127.0.0.1");
    await once(socket, "connect");
    socket.on("error", () => undefined);
    await eventually(() => expect(local.aws.requests.get("PutObject")).to.equal(1));
    await local.aws.stop();
    await hanging;
    socket.destroy();
  });
});
