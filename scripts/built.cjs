// When src/ and tables/ were last changed, in milliseconds since 1970: how old a build is (src/build.ts). The bundles have it
// in them, and the functions' environment has it for whoever asks Lambda (`totes doctor`). Loaded with require(): keep it CommonJS.
const { readdirSync, statSync } = require("node:fs");
const path = require("node:path");

const root = path.join(__dirname, "..");

const newest = Math.max(
  ...["src", "tables"].flatMap((name) =>
    // The folders too: going back to before a file was made changes no file.
    ["", ...readdirSync(path.join(root, name), { recursive: true })].map((file) =>
      Math.floor(statSync(path.join(root, name, file)).mtimeMs),
    ),
  ),
);

module.exports = { built: String(newest) };
