// `npm run check:workflows`: the GitHub workflows, by two linters; zizmor is the one that knows what attackers do.
import { runPythonTools } from "./python-tools.ts";

process.exitCode = await runPythonTools("check:workflows", [
  ["actionlint"],
  ["zizmor", "--offline", "--no-progress", "--persona", "pedantic", ".github"],
]);
