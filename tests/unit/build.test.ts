import { expect } from "chai";
import { BuildError, checkBuild } from "../../src/build.ts";
import { checkTables } from "../../src/check-tables.ts";
import { fingerprintsOf } from "../../src/fingerprint.ts";
import { defineSource, integer, key } from "../../src/table.ts";

const design = defineSource("design", { design_id: key(integer) });
const tables = checkTables({
  "dim_design.ts": {
    default: {
      name: "dim_design",
      description: "One row per design.",
      source: design,
      columns: { design_id: key(integer) },
      format: () => [],
    },
  },
});
const minutesAgo = (minutes: number): string =>
  new Date(Date.now() - minutes * 60_000).toISOString();
const made = {
  batch: 7,
  build: 2000,
  committed_at: minutesAgo(1),
  fingerprints: { dim_design: "another", dim_new: "one" },
};

describe("checkBuild", () => {
  beforeEach(() => (process.env["BUILD"] = "1000"));
  afterEach(() => delete process.env["BUILD"]);

  it("refuses a batch that newer code made of other modules, and names them", () => {
    expect(() => checkBuild(made, tables)).to.throw(
      BuildError,
      "batch 7 was made by newer code (built 1970-01-01T00:00:02.000Z), with other modules for dim_design, dim_new: " +
        "a deploy is under way. It is tried again; if it fails for an hour, deploy all functions",
    );
  });

  it("takes one that newer code made of the same modules", () =>
    checkBuild({ ...made, fingerprints: fingerprintsOf(tables) }, tables));

  it("takes one that older code made, or code of the same age", () => {
    checkBuild({ ...made, build: 999 }, tables);
    checkBuild({ ...made, build: 1000 }, tables);
  });

  it("takes one of newer code an hour later: that was rolled back", () => {
    checkBuild({ ...made, committed_at: minutesAgo(61) }, tables);
    expect(() => checkBuild({ ...made, committed_at: minutesAgo(59) }, tables)).to.throw(
      BuildError,
    );
  });

  it("knows no age in a checkout, where all functions have one", () => {
    delete process.env["BUILD"];
    checkBuild({ ...made, build: 0 }, tables);
  });
});
