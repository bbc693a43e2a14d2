// Where a stage has `athena: true`: the Glue catalogue's tables over the lake, and the views, from the declarations in tables/.
// The rest is in athena.yml. Loaded with require(): keep it CommonJS.
const { build } = require("esbuild");
const { mkdtempSync, rmSync } = require("node:fs");
const { tmpdir } = require("node:os");
const path = require("node:path");
const plugins = require("../scripts/esbuild-plugins.cjs");

const ENTRY = path.join(__dirname, "..", "src", "lake-sql", "glue.ts");

/** src/lake-sql/glue.ts, with the modules of tables/. */
async function load() {
  const folder = mkdtempSync(path.join(tmpdir(), "athena-"));
  const outfile = path.join(folder, "glue.cjs");
  try {
    await build({
      entryPoints: [ENTRY],
      outfile,
      bundle: true,
      platform: "node",
      format: "cjs",
      plugins,
      logLevel: "silent",
    });
    return require(outfile);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** `etl_files_rows_dim_staff` as the id of a resource. */
const idOf = (name) =>
  `Athena${name.replace(/(^|_)([a-z0-9])/g, (_all, _start, letter) => letter.toUpperCase())}`;

const LAKE = "s3://LAKE";
/** The bucket's name, wherever the lake is named; it is not known before it is made. */
function located(value) {
  if (typeof value === "string")
    return value.startsWith(`${LAKE}/`)
      ? {
          "Fn::Sub": value.replaceAll("${", "${!").replace(LAKE, "s3://${ProcessedBucket}"),
        }
      : value;
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(located);
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, located(one)]));
}

module.exports = async ({ resolveVariable }) => {
  const { athena } = await resolveVariable("self:custom.stage");
  if (!athena) return {};
  const database = `totes_warehouse_${await resolveVariable("sls:stage")}`;
  const inputs = await (await load()).catalogueInputs(LAKE, database);
  return {
    Resources: Object.fromEntries(
      inputs.map((input) => [
        idOf(input.Name),
        {
          Type: "AWS::Glue::Table",
          Condition: "Athena",
          Properties: {
            CatalogId: { Ref: "AWS::AccountId" },
            DatabaseName: { Ref: "AthenaDatabase" },
            TableInput: located(input),
          },
        },
      ]),
    ),
  };
};
