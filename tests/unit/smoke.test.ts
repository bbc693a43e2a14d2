import {
  readOptions,
  smoke,
  SmokeError,
  type Lambda,
  type SmokeOptions,
} from "../../scripts/smoke.ts";
import { UsageError } from "../../cli/options.ts";
import { expect } from "../support/chai.ts";

/** What a function does when it is called: its answer, or an error of its own or of the service. */
type Does = { answer: unknown } | { fails: string; log?: string } | { refused: string };

const ingested = (batch: number, outcome = "committed"): Does => ({
  answer: { outcome, batch, rows: { staff: 2, department: 1 } },
});
const transformed = (...batches: number[]): Does => ({
  answer: {
    batchItemFailures: [],
    batches: batches.map((batch) => ({ batch, outcome: "committed" })),
  },
});
const loaded = (newest: number, more: object = {}): Does => ({
  answer: { batchItemFailures: [], newest, loaded: [], ...more },
});

/** Runs it against functions that do one thing after the other, the last again and again. */
async function run(
  functions: Readonly<Record<string, readonly Does[]>>,
  options: Partial<SmokeOptions> = {},
): Promise<{ calls: string[]; said: string[]; error: Error | undefined }> {
  const calls: string[] = [];
  const said: string[] = [];
  const send: Lambda["send"] = async ({ input }) => {
    const name = input.FunctionName!.replace("totes-warehouse-dev-", "");
    const all = functions[name]!;
    const does = all[Math.min(calls.filter((one) => one === name).length, all.length - 1)]!;
    calls.push(name);
    if ("refused" in does) throw Object.assign(new Error("no"), { name: does.refused });
    const payload = (value: unknown) => Buffer.from(JSON.stringify(value));
    if ("answer" in does) return { Payload: payload(does.answer) };
    return {
      FunctionError: "Unhandled",
      Payload: payload({ errorType: does.fails, errorMessage: "so it is" }),
      LogResult: Buffer.from(does.log ?? "").toString("base64"),
    };
  };
  const all = { stage: "dev", region: "eu-west-2", timeout: 60, ...options };
  const say = (line: string) => said.push(line);
  try {
    await smoke({ send }, all, say, async () => undefined);
    return { calls, said, error: undefined };
  } catch (error) {
    return { calls, said, error: error as Error };
  }
}

const fine = { ingestion: [ingested(7)], transformation: [transformed(7)], loading: [loaded(7)] };

describe("smoke", () => {
  it("calls the three functions in order, and says what each answered", async () => {
    const { calls, said, error } = await run(fine);
    expect(error).to.equal(undefined);
    expect(calls).to.deep.equal(["ingestion", "transformation", "loading"]);
    expect(said.map((line) => line.replace(/\d\.\d/, "0.0"))).to.deep.equal([
      "function        seconds  answer",
      "ingestion           0.0  committed: batch 7, 3 rows read",
      "transformation      0.0  batch 7 committed",
      "loading             0.0  newest 7, 0 loaded now",
      "totes-warehouse-dev works: the warehouse has batch 7, after 0.0 s",
    ]);
  });

  it("takes a shop where nothing changed, one where nothing ever was, and a lost race", async () => {
    for (const ingestion of [
      ingested(7, "unchanged"),
      ingested(0, "unchanged"),
      ingested(7, "lost the race"),
    ])
      expect((await run({ ...fine, ingestion: [ingestion] })).error).to.equal(undefined);
  });

  it("takes a warehouse that is ahead: the schedule was faster", async () =>
    expect((await run({ ...fine, loading: [loaded(9)] })).error).to.equal(undefined));

  it("waits until the batch is in the warehouse", async () => {
    const { calls, error } = await run({
      ...fine,
      transformation: [transformed(), transformed(7)],
      loading: [loaded(6, { waitingFor: 7 }), loaded(6, { waitingFor: 7 }), loaded(7)],
    });
    expect(error).to.equal(undefined);
    expect(calls.slice(1).join()).to.equal(Array(3).fill("transformation,loading").join());
  });

  it("waits for another loader that is at work", async () => {
    const busy: Does = { answer: { batchItemFailures: [] } };
    const { said, error } = await run({ ...fine, loading: [busy, loaded(7)] });
    expect(error).to.equal(undefined);
    expect(said.join("\n")).to.include("another loader is at work");
    const late = await run({ ...fine, loading: [busy] }, { timeout: 0 });
    expect(late.error!.message).to.include("another loader is at work; give more time");
  });

  it("tries again what passes by itself: a deploy under way, no place free", async () => {
    const { calls, error } = await run({
      ingestion: [
        { refused: "TooManyRequestsException" },
        { refused: "ResourceConflictException" },
        ingested(7),
      ],
      transformation: [{ fails: "BuildError" }, transformed(7)],
      loading: [{ fails: "BuildError" }, loaded(7)],
    });
    expect(error).to.equal(undefined);
    expect(calls).to.have.length(7);
  });

  it("does not try again for longer than it may take", async () => {
    const { error } = await run({ ...fine, loading: [{ fails: "BuildError" }] }, { timeout: 0 });
    expect(error).to.be.instanceOf(SmokeError).with.property("message").that.includes("BuildError");
  });

  it("fails with a function's error, its log's last lines, and where to look", async () => {
    const { calls, error } = await run({
      ...fine,
      transformation: [{ fails: "ManifestError", log: "one\ntwo\n" }],
    });
    expect(calls).to.deep.equal(["ingestion", "transformation"]);
    expect(error).to.be.instanceOf(SmokeError);
    expect(error!.message).to.equal(
      "totes-warehouse-dev-transformation failed: ManifestError: so it is; " +
        "look at `npx sls logs -f transformation --stage dev --region eu-west-2`\none\ntwo",
    );
  });

  it("fails where messages were handed back, or an answer is none", async () => {
    for (const answer of [
      { batchItemFailures: [{ itemIdentifier: "1" }], newest: 7, loaded: [] },
      { batchItemFailures: [], newest: "7", loaded: [] },
      null,
    ])
      expect((await run({ ...fine, loading: [{ answer }] })).error)
        .to.be.instanceOf(SmokeError)
        .with.property("message")
        .that.matches(/^totes-warehouse-dev-loading gave an unexpected answer: .*; look at/);
    expect((await run({ ...fine, ingestion: [ingested(7, "perhaps")] })).error).to.be.instanceOf(
      SmokeError,
    );
  });

  it("says which batch is missing, and where it hangs, when the time is up", async () => {
    const behind = async (more: object) =>
      (await run({ ...fine, loading: [loaded(5, more)] }, { timeout: 0 })).error!.message;
    expect(await behind({ waitingFor: 6 })).to.equal(
      "the warehouse does not have batch 7 after 0 s: batch 6 is not transformed; " +
        "look at `npx sls logs -f transformation --stage dev --region eu-west-2`, and at what is in the queue " +
        "totes-warehouse-dev-transformation-dead-letters",
    );
    expect(await behind({})).to.equal(
      "the warehouse does not have batch 7 after 0 s: the newest is 5; give more time by --timeout, " +
        "or look at `npx sls logs -f loading --stage dev --region eu-west-2`",
    );
  });

  it("says that a function is not there, or why it could not be called", async () => {
    const refused = async (name: string) =>
      (await run({ ...fine, ingestion: [{ refused: name }] })).error!.message;
    expect(await refused("ResourceNotFoundException")).to.equal(
      "there is no totes-warehouse-dev-ingestion in eu-west-2: look at `npx sls info --stage dev --region eu-west-2`",
    );
    expect(await refused("ExpiredTokenException")).to.equal(
      "totes-warehouse-dev-ingestion could not be called: ExpiredTokenException: no",
    );
  });
});

describe("smoke's command line", () => {
  it("takes a stage, a region and seconds", () => {
    expect(readOptions(["--stage", "prod"])).to.deep.equal({
      stage: "prod",
      region: "eu-west-2",
      timeout: 120,
    });
    expect(
      readOptions(["--stage", "dev", "--region", "eu-central-1", "--timeout", "600"]),
    ).to.deep.equal({ stage: "dev", region: "eu-central-1", timeout: 600 });
    expect(readOptions(["--help"])).to.equal(undefined);
  });

  it("refuses anything else", () => {
    for (const args of [[], ["--stage", "dev", "--timeout", "soon"], ["--stage"], ["dev"]])
      expect(() => readOptions(args)).to.throw(UsageError);
  });
});
