// The real command on a small shop: that it works, and that its figures add up. How fast it is says nothing here.
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { cpuOf, type Measured, type Round, type ScenarioFigures } from "../../bench/figures.ts";
import { SCENARIOS } from "../../bench/options.ts";
import { STAGES } from "../../scripts/bundle.ts";
import { expect } from "../support/chai.ts";

const root = path.join(import.meta.dirname, "..", "..");
const ROWS = 3000;

const bench = (...args: string[]): Promise<{ stdout: string; stderr: string }> =>
  promisify(execFile)(process.execPath, ["--import", "tsx", "bench/main.ts", ...args], {
    cwd: root,
    env: { ...process.env, NODE_NO_WARNINGS: "1", NO_COLOR: "1" },
  });

describe("make bench", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "bench-test-"));
  const [json, out] = [path.join(folder, "figures.json"), path.join(folder, "report.md")];
  let stdout: string;
  let measured: Measured;
  const of = (name: string): ScenarioFigures =>
    measured.scenarios.find((scenario) => scenario.name === name)!;
  const rounds = (): Round[] => measured.scenarios.flatMap((scenario) => scenario.rounds);

  before(async () => {
    const size = ["--rows", String(ROWS), "--rounds", "1"];
    ({ stdout } = await bench(...size, "--json", json, "--out", out));
    measured = JSON.parse(readFileSync(json, "utf8")) as Measured;
  });
  after(() => rmSync(folder, { recursive: true }));

  it("measures every scenario, and says so in the terminal, the report and the chart", () => {
    expect(measured.scenarios.map(({ name }) => name)).to.deep.equal(SCENARIOS);
    expect(stdout).to.contain("÷ pipe").and.contain("Everything is stopped and removed");
    expect(readFileSync(out, "utf8")).to.contain("## Budget against measured");
    expect(readFileSync(path.join(folder, "report.svg"), "utf8")).to.match(/^<svg /);
  });

  it("moves as many rows out of each stage as into it", () => {
    const expected = { backfill: ROWS, resync: ROWS, warm: ROWS, lookup: ROWS, silent: ROWS / 100 };
    for (const [name, rows] of Object.entries(expected))
      for (const { stages } of of(name).rounds)
        for (const stage of STAGES) expect(stages[stage].rows, `${name}: ${stage}`).to.equal(rows);
    expect(measured.pipes.map(({ rows }) => rows)).to.satisfy((all: number[]) =>
      all.every((rows) => rows === ROWS),
    );
  });

  it("has shares that sum to one, and ratios that are the quotients of their parts", () => {
    for (const round of rounds()) {
      const shares = STAGES.map((name) => round.stages[name].share);
      const rest = (round.postgresCpuSeconds ?? 0) + round.standInCpuSeconds;
      expect(shares.reduce((a, b) => a + b) + rest / cpuOf(round)).to.be.closeTo(1, 1e-9);
      if (round.pipeMs === null) expect(round.ratio).to.equal(null);
      else expect(round.ratio).to.equal(round.wallMs / round.pipeMs);
    }
    expect(of("backfill").rounds[0]!.ratio).to.be.a("number");
  });

  it("knows what processes used", () => {
    for (const { stages } of of("backfill").rounds)
      for (const name of STAGES) {
        const { cpuSeconds, peakRssBytes, bytes, invocations, busyMs, billedMs } = stages[name];
        expect(cpuSeconds).to.be.within(0.05, 60);
        // Node alone has 40 MB; this process, which they were forked from, has more than they.
        expect(peakRssBytes).to.be.within(40e6, 512e6);
        expect(bytes).to.be.above(1000);
        expect(invocations).to.be.above(0);
        expect(billedMs).to.be.at.least(busyMs);
      }
    if (process.platform === "linux")
      expect(of("backfill").rounds[0]!.postgresCpuSeconds).to.be.above(0);
  });

  it("writes nothing when idle, and something for one row", () => {
    for (const round of of("idle").rounds) expect(round.objectsPut).to.equal(0);
    for (const round of of("one-row").rounds) expect(round.objectsPut).to.be.above(0);
    for (const { cold, warm } of Object.values(measured.idle!)) {
      for (const [operation, count] of Object.entries(warm.requests))
        expect(cold.requests[operation], operation).to.be.within(count, count + 1);
      expect(warm.requests).not.to.have.any.keys("PutObject", "CreateMultipartUpload");
    }
    // What has nothing to read asks for three things.
    expect(measured.idle!.ingestion.warm.requests).to.deep.equal({
      GetSecretValue: 1,
      ListObjectsV2: 1,
      GetObject: 1,
    });
  });

  it("refuses a wrong option, and a file that is no earlier run's, in one sentence", async () => {
    for (const [args, message] of [
      [["--rounds", "x"], '--rounds takes a whole number from 1 to 99, not "x"'],
      [["--compare", out], `${out} cannot be read`],
      [["--json", "nowhere/a.json"], "there is no folder nowhere"],
    ] as const)
      await expect(bench(...args)).to.be.rejected.then(
        (error: { code: number; stderr: string }) => {
          expect(error.code).to.equal(2);
          expect(error.stderr).to.contain(message);
          expect(error.stderr.trim().split("\n")).to.have.length(1);
        },
      );
  });
});
