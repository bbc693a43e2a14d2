import { expect } from "../support/chai.ts";
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
const made = { batch: 7, build: 2000, fingerprints: { dim_design: "another", dim_new: "one" } };
/** The newest batch is of that age. */
const newest = (build: number) => () => Promise.resolve({ build });

describe("checkBuild", () => {
  beforeEach(() => (process.env["BUILD"] = "1000"));
  afterEach(() => delete process.env["BUILD"]);

  it("refuses a batch that newer code made of other modules, and names them", () =>
    expect(checkBuild(made, tables, newest(2000))).to.be.rejectedWith(
      BuildError,
      "batch 7 was made by newer code (built 1970-01-01T00:00:02.000Z), with other modules for dim_design, dim_new: " +
        "a deploy is under way. It is tried again; if it goes on failing, deploy all functions",
    ));

  it("names itself in what is logged", () => {
    expect(String(new BuildError("no"))).to.equal("BuildError: no");
  });

  it("takes one that newer code made of the same modules", () =>
    checkBuild({ ...made, fingerprints: fingerprintsOf(tables) }, tables, newest(2000)));

  it("takes one that older code made, or code of the same age", async () => {
    await checkBuild({ ...made, build: 999 }, tables, newest(2000));
    await checkBuild({ ...made, build: 1000 }, tables, newest(2000));
  });

  it("takes one of newer code once the newest is not: the newer code was rolled back", async () => {
    await checkBuild(made, tables, newest(1000));
    await checkBuild(made, tables, newest(999));
    await expect(checkBuild(made, tables, newest(1001))).to.be.rejectedWith(BuildError);
  });

  it("knows no age in a checkout, where all functions have one", async () => {
    delete process.env["BUILD"];
    await checkBuild({ ...made, build: 0 }, tables, newest(0));
  });
});
