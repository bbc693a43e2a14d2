// serverless-esbuild loads this with require(): keep it CommonJS.
//
// A Lambda bundle has no folder to read. Where src/registry.ts reads tables/ at run time, the bundle gets one static
// import a file instead: dropping in a file is all that a new table needs, there as here.
//
// A bundle also knows how old it is (src/build.ts): when src/ and tables/ were last changed. Packaging the
// same files again makes the same bundle, and what is checked out and deployed later, an older commit too, is newer.
const { readdirSync, statSync } = require("node:fs");
const path = require("node:path");

const root = path.join(__dirname, "..");
const folder = path.join(root, "tables");
const registry = path.join(root, "src", "registry.ts");

const built = Math.max(
  ...["src", "tables"].flatMap((name) =>
    // The folders too: going back to before a file was made changes no file.
    ["", ...readdirSync(path.join(root, name), { recursive: true })].map((file) =>
      Math.floor(statSync(path.join(root, name, file)).mtimeMs),
    ),
  ),
);

module.exports = [
  {
    name: "build",
    setup(build) {
      build.initialOptions.define = {
        ...build.initialOptions.define,
        "process.env.BUILD": JSON.stringify(String(built)),
      };
    },
  },
  {
    name: "tables",
    setup(build) {
      build.onLoad({ filter: /[\\/]src[\\/]registry\.ts$/ }, (args) => {
        if (args.path !== registry) return undefined;
        const files = readdirSync(folder)
          .filter((file) => /^[^.]+\.ts$/.test(file))
          .sort();
        return {
          loader: "js",
          resolveDir: folder,
          watchDirs: [folder],
          contents: [
            ...files.map((file, i) => `import * as module${i} from "./${file}";`),
            `import { checkTables } from "../src/check-tables.ts";`,
            `const tables = checkTables({ ${files.map((file, i) => `"${file}": module${i}`).join(", ")} });`,
            `export const getTables = async () => tables;`,
          ].join("\n"),
        };
      });
    },
  },
];
