// `npm run transcripts`: has the test that runs every verb and every incident paste what they print into the documentation.
import { spawnSync } from "node:child_process";

const { status } = spawnSync(
  process.execPath,
  ["node_modules/mocha/bin/mocha.js", "--spec", "tests/cli/incidents.test.ts"],
  { stdio: "inherit", env: { ...process.env, TRANSCRIPTS: "write" } },
);
process.exitCode = status ?? 1;
