import type { Context } from "aws-lambda";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  FunctionError,
  startFunction,
  type FunctionOptions,
  type LambdaFunction,
} from "../../localstack/functions.ts";
import { bundleModule } from "../../scripts/bundle.ts";
import { expect } from "../support/chai.ts";
import { eventually, isRunning, launch } from "./support.ts";

const module = "tests/localstack/fixtures/handlers.ts";

describe("a function in a process of its own", () => {
  const started: LambdaFunction[] = [];
  const start = (exportName: string, more: Partial<FunctionOptions> = {}) => {
    const made = startFunction({ name: "f", module, exportName, ...more });
    started.push(made);
    return made;
  };
  afterEach(async () => {
    await Promise.all(started.splice(0).map((made) => made.stop()));
  });

  it("gives what the handler gives, and keeps the process warm", async () => {
    const f = start("handler");
    expect(await f.invoke({ a: [1, "é"] })).to.deep.equal({ event: { a: [1, "é"] }, count: 1 });
    const { pid } = f;
    expect(await f.invoke(null)).to.deep.equal({ event: null, count: 2 });
    expect(f.pid).to.equal(pid).and.not.to.equal(process.pid);
  });

  it("gives null where the handler gives nothing", async () => {
    expect(await start("nothing").invoke({})).to.equal(null);
  });

  it("runs a packaged function", async () => {
    const f = start("handler", { module: "tests/localstack/fixtures/bundle.cjs" });
    expect(await f.invoke(1)).to.deep.equal({ bundled: 1 });
  });

  it("runs by node alone, where its worker is JavaScript", async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "worker-"));
    const worker = path.join(folder, "worker.mjs");
    try {
      await bundleModule("localstack/function-worker.ts", worker);
      const f = start("handler", { module: "tests/localstack/fixtures/bundle.cjs", worker });
      expect(await f.invoke(1)).to.deep.equal({ bundled: 1 });
      const alone = (await f.usage())!;
      const withTsx = start("handler", { module: "tests/localstack/fixtures/bundle.cjs" });
      await withTsx.invoke(1);
      expect(alone.peakRssBytes).to.be.below((await withTsx.usage())!.peakRssBytes);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("says what its process has used, which is nobody else's", async () => {
    const f = start("handler");
    await f.invoke({});
    // A child is forked from this process, which is bigger.
    const ballast = Buffer.alloc(300 << 20, 1);
    f.kill();
    expect(await f.usage()).to.equal(undefined);
    await f.invoke({});
    const first = (await f.usage())!;
    expect(first.cpuSeconds).to.be.within(0.01, 30);
    expect(first.peakRssBytes).to.be.within(30e6, ballast.length);
    await f.invoke({});
    const second = (await f.usage())!;
    expect(second.cpuSeconds).to.be.above(first.cpuSeconds);
    expect(second.peakRssBytes).to.be.at.least(first.peakRssBytes);
  });

  it("gives the handler a context like Lambda's", async () => {
    const f = start("context", { timeoutMs: 30_000, memoryMb: 256 });
    const first = (await f.invoke({})) as Context & { remaining: [number, number] };
    expect(first).to.include({
      functionName: "f",
      functionVersion: "$LATEST",
      memoryLimitInMB: "256",
      invokedFunctionArn: "arn:aws:lambda:eu-west-2:000000000000:function:f",
      logGroupName: "/aws/lambda/f",
    });
    expect(first.logStreamName).to.match(/^\d{4}\/\d\d\/\d\d\/\[\$LATEST\][0-9a-f]{32}$/);
    const [atFirst, later] = first.remaining;
    expect(atFirst).to.be.within(29_000, 30_000);
    expect(atFirst - later).to.be.within(15, 1_000);
    const second = (await f.invoke({})) as Context;
    expect(second.awsRequestId)
      .to.match(/^[0-9a-f-]{36}$/)
      .and.not.equal(first.awsRequestId);
  });

  it("gives the handler its own environment, not this process'", async () => {
    process.env["PGHOST"] = "elsewhere";
    const f = start("environment", { env: { INGESTION_BUCKET: "b" }, memoryMb: 300 });
    const found = (await f.invoke({})) as Record<string, unknown>;
    delete process.env["PGHOST"];
    expect(found).to.include({ INGESTION_BUCKET: "b", AWS_LAMBDA_FUNCTION_NAME: "f", TZ: "UTC" });
    expect(found).not.to.have.property("PGHOST");
    expect(found["heap"]).to.be.below(600 * 1024 * 1024);
  });

  it("hands on what the handler prints, before its result", async () => {
    const lines: string[] = [];
    const f = start("prints", { onLog: (line, stream) => lines.push(`${stream}: ${line}`) });
    await f.invoke({});
    expect(lines).to.include.members(["stdout: to stdout", "stderr: to stderr"]);
    await f.stop();
    expect(lines).to.include("stdout: without an end");
  });

  it("rejects with what the handler threw, and goes on", async () => {
    const f = start("throws");
    const error = (await f.invoke({}).catch((e: unknown) => e)) as FunctionError;
    const { pid } = f;
    expect(error).to.be.instanceOf(FunctionError);
    expect(error).to.include({ message: "out of stock", errorType: "RangeError" });
    expect(error.stackTrace.join("\n")).to.contain("handlers.ts");
    await expect(f.invoke({})).to.be.rejectedWith("out of stock");
    expect(f.pid).to.equal(pid);
  });

  it("rejects with what is no error, too", async () => {
    await expect(start("throwsText").invoke({})).to.be.rejectedWith("just text");
  });

  it("cuts off a handler that waits for too long, and starts anew", async () => {
    const f = start("sleeps", { timeoutMs: 300 });
    await expect(f.invoke({})).to.be.rejectedWith("Task timed out after 0.30 seconds");
    expect(f.pid).to.equal(undefined);
    await expect(f.invoke({})).to.be.rejectedWith("Task timed out after 0.30 seconds");
  });

  it("cuts off a handler that computes for too long", async () => {
    const f = start("blocks", { timeoutMs: 300 });
    await expect(f.invoke({})).to.be.rejectedWith("timed out");
  });

  it("rejects when the process is killed, and starts another one", async () => {
    const f = start("kept");
    await f.invoke({ milliseconds: 0 });
    const { pid } = f;
    const invocation = f.invoke({ milliseconds: 60_000 });
    setTimeout(() => f.kill(), 50);
    await expect(invocation).to.be.rejectedWith("Runtime exited with error: signal: SIGKILL");
    expect(isRunning(pid ?? 0)).to.equal(false);
    await f.invoke({ milliseconds: 0 });
    expect(f.pid).to.be.a("number").and.not.equal(pid);
  });

  it("starts another process after one that was killed between invocations", async () => {
    const f = start("handler");
    await f.invoke({});
    f.kill();
    expect(await f.invoke({})).to.include({ count: 1 });
    process.kill(f.pid ?? 0, "SIGKILL");
    await eventually(() => expect(f.pid).to.equal(undefined));
    expect(await f.invoke({})).to.include({ count: 1 });
  });

  it("rejects when the handler ends the process, with its last words read", async () => {
    const lines: string[] = [];
    const f = start("exits", { onLog: (line) => lines.push(line) });
    await expect(f.invoke({ code: 3 })).to.be.rejectedWith(
      "Runtime exited with error: exit status 3",
    );
    await expect(f.invoke({ code: 0 })).to.be.rejectedWith("Runtime exited");
    expect(lines).to.deep.equal(["last words", "last words"]);
  });

  it("rejects when a promise is rejected that nobody waits for", async () => {
    const f = start("rejectsLater");
    await expect(f.invoke({})).to.be.rejectedWith("Runtime exited with error: exit status 1");
  });

  it("runs one invocation at a time", async () => {
    const f = start("kept");
    const runs = (await Promise.all(
      [20, 10, 5].map((milliseconds) => f.invoke({ milliseconds })),
    )) as [number, number][];
    for (const [index, [begin]] of runs.entries())
      expect(begin).to.be.at.least(runs[index - 1]?.[1] ?? 0);
  });

  it("says what is wrong with a module at each invocation", async () => {
    const broken = start("handler", { module: "tests/localstack/fixtures/broken.ts" });
    await expect(broken.invoke({})).to.be.rejectedWith("cannot be loaded");
    await expect(broken.invoke({})).to.be.rejectedWith("cannot be loaded");
    await expect(start("nope").invoke({})).to.be.rejectedWith('no function "nope"');
    await expect(start("handler", { module: "nope.ts" }).invoke({})).to.be.rejectedWith("nope.ts");
  });

  it("works in whatever folder this process is", async () => {
    const before = process.cwd();
    process.chdir("/");
    try {
      expect(await start("handler").invoke(1)).to.include({ event: 1 });
    } finally {
      process.chdir(before);
    }
  });

  it("ends with the invocation it has when it is stopped, and takes no more", async () => {
    const f = start("sleeps");
    const invocation = expect(f.invoke({})).to.be.rejectedWith("Runtime exited");
    await eventually(() => expect(f.pid).to.be.a("number"));
    const { pid } = f;
    await f.stop();
    await invocation;
    expect(isRunning(pid ?? 0)).to.equal(false);
    await expect(f.invoke({})).to.be.rejectedWith("stopped");
  });

  it("stops one that does not listen", async () => {
    const lines: string[] = [];
    const f = start("blocks", { onLog: (line) => lines.push(line) });
    const invocation = expect(f.invoke({})).to.be.rejectedWith("SIGKILL");
    await eventually(() => expect(lines).to.deep.equal(["blocks"]));
    await f.stop();
    await invocation;
  });

  it("ends when its parent is killed", async () => {
    const parent = await launch("hold-function.ts");
    const { pid } = parent.said as { pid: number };
    expect(isRunning(pid)).to.equal(true);
    const gone = once(parent.child, "exit");
    parent.child.kill("SIGKILL");
    await gone;
    await eventually(() => expect(isRunning(pid)).to.equal(false));
  });
});
