import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import type { Deployment } from "../../bench/cost-model.ts";
import { limitsOf, ratesOf, sizeOf } from "../../bench/scale-model.ts";
import { count, withTables } from "../../bench/scale-report.ts";
import { expect } from "../support/chai.ts";
import { measured } from "./measured.ts";

/** Idle: 0.09 s of 1,000 rows, 1.09 s of a million more: a microsecond a row. */
const big = { rows: 1_001_000, seconds: 1.09 };
/** A third of a core: three times the CPU. */
const deployment = { ticksADay: 144, memoryMb: 512, memoryOfACoreMb: 1536 } as Deployment;
const trade = { years: 2, readings: 3, peak: 4 };
const room = { batchRows: 1000, timeoutSeconds: 300, transformationConcurrency: 2 };

describe("how far it goes", () => {
  const rates = ratesOf(measured(), big);

  it("is taken from a bench: rows from the backfill, runs from the one row, the scan from two idle runs", () => {
    expect(rates.scanSecondsARow).to.be.closeTo(0.000001, 1e-12);
    // 500 ms and a second of CPU for 1,000 rows; one row took 500 ms, of which ingestion's scan a millisecond.
    expect(rates.stages.loading).to.deep.equal({
      secondsARun: 0.5,
      secondsARow: 0.0005,
      cpuSecondsARow: 0.001,
    });
    expect(rates.stages.ingestion.secondsARun).to.be.closeTo(0.499, 1e-9);
    expect(rates).to.include({ bytesARow: 4000, bytesARun: 4_000_000, objectsARun: 4 });
  });

  it("of 17,520,000 orders a year is what somebody reckons by hand", () => {
    const size = sizeOf(17_520_000, rates, trade, room, deployment);
    // Read three times in 52,560 runs a year: 1,000 in each, 4,000 in the busiest. Two years of orders, a microsecond each.
    expect(size).to.include({ sourceRows: 35_040_000, rowsARun: 1000, peakRows: 4000 });
    expect(size.peakBatches).to.equal(4);
    expect(size.scanSeconds).to.be.closeTo(35.04, 1e-6);
    // A row takes 0.5 ms + 1 ms of CPU × (1536/512 − 1) = 2.5 ms: 4,000 of them 10 s, and two transformations at once 5.
    expect(size.seconds.ingestion).to.be.closeTo(10.499, 1e-6);
    expect(size.seconds.transformation).to.be.closeTo(5.5, 1e-6);
    expect(size.seconds.loading).to.be.closeTo(10.5, 1e-6);
    expect(size.lagSeconds).to.be.closeTo(61.539, 1e-6);
    // 52,560 runs with 4 objects, 52,560,000 rows by 1,000; 52,560 × 4 MB and 52,560,000 × 4 kB.
    expect(size.objectsAYear).to.be.closeTo(262_800, 1e-6);
    expect(size.bytesAYear).to.be.closeTo(420.48e9, 1);
    // 35,040,000 × 2.5 ms.
    expect(size.firstLoadHours).to.be.closeTo(24.333, 0.001);
  });

  it("says what is used up first, and by how many orders a year", () => {
    const limits = limitsOf(rates, trade, room, deployment);
    const [first, ...later] = limits.map(({ ordersAYear }) => ordersAYear);
    // A day by 2.5 ms by two years.
    expect(first).to.be.closeTo(17_280_000, 1);
    const expected = [
      30_000_000, // 60 s by a microsecond by two years
      150_000_000, // 300 s
      357_913_941, // 2,147,483,647 by three readings by two years
      1_050_324_000, // (600 − 0.5) s by 2.5 ms × 52,560 runs by three readings by a peak of four
      1_050_325_752, // (600 − 0.499) s
      2_100_648_000, // two at once
    ];
    expect(later).to.have.length(expected.length);
    for (const [i, orders] of later.entries()) expect(orders).to.be.closeTo(expected[i]!, 1);
    expect(limits[0]!.what).to.match(/first load/);
    expect(limits.at(-1)!.what).to.match(/^transformation, 2 at once/);
  });

  it("is not made up where a scenario was left out", () => {
    expect(() => ratesOf(measured({ scenarios: [] }), big)).to.throw(
      "the scenario backfill was not measured",
    );
  });

  it("is told with two digits that count", () => {
    expect([950, 12_345, 999_999, 103_000_000, 2.134e9].map(count)).to.deep.equal([
      "950",
      "12,000",
      "1 million",
      "100 million",
      "2.1 billion",
    ]);
  });

  it("is refused a page that has no place for it", () => {
    expect(() => withTables("# Scale\n", {} as never)).to.throw(
      /has no lines <!-- npm run scale writes from here --> and <!-- to here -->/,
    );
  });
});

describe("npm run scale", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "scale-test-"));
  after(() => rmSync(folder, { recursive: true }));

  it("writes the tables into the page and leaves its words, and draws the chart beside it", async () => {
    const [page, figures] = [path.join(folder, "page.md"), path.join(folder, "measured.json")];
    writeFileSync(
      page,
      "# Scale\n\nBefore.\n\n<!-- npm run scale writes from here -->\n\nold\n\n<!-- to here -->\n\nAfter.\n",
    );
    writeFileSync(figures, JSON.stringify(measured()));
    const out = path.join(folder, "out.md");
    const args = ["--years", "2", "--measured", figures, "--page", page, "--out", out];
    await promisify(execFile)(process.execPath, ["--import", "tsx", "bench/scale.ts", ...args], {
      cwd: path.join(import.meta.dirname, "..", ".."),
      env: { ...process.env, NODE_NO_WARNINGS: "1" },
    });
    const written = readFileSync(out, "utf8");
    expect(written).to.match(/^# Scale\n\nBefore\.\n/);
    expect(written).to.match(/\n\nAfter\.\n$/);
    expect(written).to.not.contain("old");
    expect(written).to.contain("](out.svg)");
    expect(written).to.match(/\| rows in the source after 2 years +\| 2 million \|/);
    expect(readFileSync(path.join(folder, "out.svg"), "utf8")).to.match(/^<svg /);
  });
});
