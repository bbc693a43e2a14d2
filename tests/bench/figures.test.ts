import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { budgetsOf } from "../../bench/budgets.ts";
import { chart, titleOf } from "../../bench/chart.ts";
import { compareMeasured, readMeasured } from "../../bench/compare.ts";
import { cpuOf, median, medianOf } from "../../bench/figures.ts";
import { readOptions, SCENARIOS } from "../../bench/options.ts";
import { report } from "../../bench/report.ts";
import { bars, ratiosOf, scenarioRows, stageRows } from "../../bench/tables.ts";
import { expect } from "../support/chai.ts";
import { measured, round, stage } from "./measured.ts";

describe("the bench's command line", () => {
  it("has defaults, and takes what it is told", () => {
    expect(readOptions([])).to.deep.equal({
      rows: 200_000,
      rounds: 3,
      only: SCENARIOS,
      json: undefined,
      compare: undefined,
      out: "docs/performance.md",
    });
    expect(readOptions(["--rows", "5000", "--only", "idle, backfill"])).to.deep.include({
      rows: 5000,
      only: ["backfill", "idle"],
    });
    expect(readOptions(["--help"])).to.equal(undefined);
  });

  for (const [args, message] of [
    [["--rows", "many"], '--rows takes a whole number from 1000 to 100000000, not "many"'],
    [["--rounds", "0"], '--rounds takes a whole number from 1 to 99, not "0"'],
    [["--only", "idle,speed"], /^--only takes names of backfill, .*, not "speed"$/],
    [["--out", "report.txt"], '--out takes a file that ends in .md, not "report.txt"'],
    [["--json", ""], "--json takes a file"],
    [["--fast"], /Unknown option '--fast'/],
  ] as const)
    it(`refuses ${args.join(" ")}`, () => {
      expect(() => readOptions(args)).to.throw(message);
    });
});

describe("the figures", () => {
  it("have medians", () => {
    expect(median([3, 1, 2])).to.equal(2);
    expect(median([4, 1, 2, 3])).to.equal(2.5);
    expect(() => median([])).to.throw(RangeError);
    const [backfill, idle] = measured().scenarios;
    expect(medianOf(backfill!, ({ ratio }) => ratio)).to.equal(2);
    expect(medianOf(idle!, ({ ratio }) => ratio)).to.equal(null);
  });

  it("add up CPU seconds, with PostgreSQL's where they are known", () => {
    expect(cpuOf(round())).to.equal(5);
    expect(cpuOf(round({ postgresCpuSeconds: null }))).to.equal(4);
  });

  it("are compared by ratios, the worst first", () => {
    const slow = round({
      ratio: 5,
      stages: { ingestion: stage({ cpuSeconds: 1.5 }), transformation: stage(), loading: stage() },
    });
    const changes = compareMeasured(
      measured(),
      measured({ scenarios: [{ name: "backfill", rounds: [slow] }] }),
    );
    expect(changes.slice(0, 2)).to.deep.equal([
      { what: "backfill: wall ÷ pipe", before: 2, now: 5, ratio: 2.5 },
      { what: "backfill: ingestion, CPU s", before: 1, now: 1.5, ratio: 1.5 },
    ]);
    expect(changes.slice(2).map(({ ratio }) => ratio)).to.deep.equal([1, 1, 1, 1, 1]);
  });

  it("of an earlier run are read, and anything else is refused", () => {
    const folder = mkdtempSync(path.join(tmpdir(), "figures-"));
    const file = path.join(folder, "a.json");
    try {
      writeFileSync(file, JSON.stringify(measured()));
      expect(readMeasured(file)).to.deep.equal(measured());
      writeFileSync(file, "{}");
      expect(() => readMeasured(file)).to.throw(`${file} is not what --json writes`);
      expect(() => readMeasured(`${file}.gone`)).to.throw("cannot be read: ENOENT");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("are held against the budgets", () => {
    const slow = measured({ scenarios: [{ name: "resync", rounds: [round({ ratio: 2.6 })] }] });
    expect(budgetsOf(slow)[0]).to.deep.equal({
      what: "all read again, unchanged, 1,000 orders ÷ pipe",
      budget: "≤ 2.5×",
      measured: "2.60×",
      isKept: false,
    });
    expect(budgetsOf(measured()).map(({ measured, isKept }) => [measured, isKept])).to.deep.equal([
      ["2.00×", true],
      ["100 MB", true],
      ["100 MB", true],
      ["100 MB", true],
      ["500 ms", false],
      ["90 ms", true],
      ["0", true],
      ["200 ms", true],
    ]);
  });

  it("are shown in tables and bars", () => {
    expect(scenarioRows(measured()).rows.slice(0, 2)).to.deep.equal([
      ["the pipe itself", "1,000", "1.00", "1.00×", "", "1"],
      ["backfill", "1,000", "2.00", "2.00×", "2.00× … 4.00×", "3"],
    ]);
    expect(stageRows(measured().scenarios[0]!).rows).to.deep.equal([
      ["ingestion", "2,000", "4.00", "0.50", "1.00", "20 %", "100 MB"],
      ["transformation", "2,000", "4.00", "0.50", "1.00", "20 %", "100 MB"],
      ["loading", "2,000", "4.00", "0.50", "1.00", "20 %", "100 MB"],
      ["PostgreSQL", "", "", "", "1.00", "20 %", ""],
      ["S3's stand-in, the bench", "", "", "", "1.00", "20 %", ""],
    ]);
    expect(bars(measured(), 4)).to.deep.equal([
      "the pipe itself  ██ 1.00×",
      "backfill         ████ 2.00×",
    ]);
  });

  it("are reported: machine, commit, budgets; prose that is the same each time", () => {
    const page = report(measured(), "performance.svg");
    expect(page).to.contain(
      "Measured on 2026-11-25, commit `abcdef0`: 1,000 sales orders; 2 cores",
    );
    expect(page).to.contain("1 of 8 budgets is not kept.");
    expect(page).to.contain("| backfill, 1,000 orders ÷ pipe | ≤ 2.5× | 2.00× | kept |");
    expect(page).to.contain("](performance.svg)");
    expect(page).to.contain("## How it is measured").and.not.contain("not quiet");
    const { machine } = measured();
    expect(report(measured({ machine: { ...machine, load: 3 } }), undefined)).to.contain(
      "the machine was **not quiet**",
    );
  });

  it("are drawn, and the title says what was found", async () => {
    const title = "Backfill of 1,000 orders: 2.00× a raw COPY, within the budget of 2.5×";
    expect(titleOf(measured(), ratiosOf(measured()))).to.equal(title);
    const svg = await chart(measured());
    expect(svg)
      .to.match(/^<svg /)
      .and.contain(title)
      .and.contain(">backfill<");
    expect(await chart(measured({ scenarios: [] }))).to.equal(undefined);
  });
});
