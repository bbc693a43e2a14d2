// serverless-esbuild loads this with require(): keep it CommonJS.
//
// A Lambda bundle has no folder to read. Where src/registry.ts reads tables/ at run time, the bundle gets one static
// import a file instead: dropping in a file is all that a new table needs, there as here.
//
// A bundle also knows how old it is (src/build.ts): when src/ and tables/ were last changed. Packaging the
// same files again makes the same bundle, and what is checked out and deployed later, an older commit too, is newer.
//
// Its source map leads to the lines of our own code, and to the files alone of the packages': their lines made a third of
// what is uploaded.
const { readdirSync, readFileSync } = require("node:fs");
const path = require("node:path");
const { built } = require("./built.cjs");

const root = path.join(__dirname, "..");
const registry = path.join(root, "src", "registry.ts");

/**
 * A source map, at the end of a package's file, that says no more than which file it is. esbuild takes it as one that an
 * earlier build has left.
 */
function fileAlone(file) {
  const map = JSON.stringify({ version: 3, sources: [path.basename(file)], mappings: "AAAA" });
  const base64 = Buffer.from(map).toString("base64");
  return `\n//# sourceMappingURL=data:application/json;base64,${base64}`;
}

/**
 * The plugins, with the modules of `tables/` and of further folders, named from the project's root. A file of a later
 * folder stands in for one of the same name.
 */
const pluginsWith = (...further) => [
  {
    name: "build",
    setup(build) {
      build.initialOptions.define = {
        ...build.initialOptions.define,
        "process.env.BUILD": JSON.stringify(built),
      };
    },
  },
  {
    name: "lines of our own code",
    setup(build) {
      build.onLoad({ filter: /[\\/]node_modules[\\/].*\.[cm]?js$/ }, (args) => ({
        contents: readFileSync(args.path, "utf8") + fileAlone(args.path),
        loader: "default",
      }));
    },
  },
  {
    name: "tables",
    setup(build) {
      const folders = ["tables", ...further].map((folder) => path.join(root, folder));
      build.onLoad({ filter: /[\\/]src[\\/]registry\.ts$/ }, (args) => {
        if (args.path !== registry) return undefined;
        const found = folders.flatMap((folder) =>
          readdirSync(folder)
            .filter((file) => /^[^.]+\.ts$/.test(file))
            .map((file) => [file, path.join(folder, file)]),
        );
        const files = [...new Map(found)].sort(([a], [b]) => (a < b ? -1 : 1));
        return {
          loader: "js",
          resolveDir: root,
          watchDirs: folders,
          contents: [
            ...files.map(([, file], i) => `import * as module${i} from ${JSON.stringify(file)};`),
            `import { checkTables } from "./src/check-tables.ts";`,
            `const tables = checkTables({ ${files.map(([file], i) => `"${file}": module${i}`).join(", ")} });`,
            `export const getTables = async () => tables;`,
          ].join("\n"),
        };
      });
    },
  },
];

module.exports = pluginsWith();
module.exports.pluginsWith = pluginsWith;
