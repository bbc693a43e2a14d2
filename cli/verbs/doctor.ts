// Everything that the pipeline stands on.
import packageJson from "../../package.json" with { type: "json" };
import { doctor as examine } from "../../src/operations/doctor.ts";
import { getSettings } from "../../src/settings.ts";
import { counted } from "../../src/words.ts";
import { placesOf } from "../places.ts";
import { defineVerb, stageOptions } from "../verb.ts";

export const doctor = defineVerb({
  command: "doctor",
  describe:
    "settings, secrets, rights, versions, clocks, buckets, both databases: each with what to do",
  about:
    "Looks with the credentials of whoever asks, from this machine, and writes nothing. Every look is taken, also when one fails. Exit code 1 where one is bad.",
  examples: [
    ["doctor", "of the stack on this machine"],
    ["doctor --stage dev", "of a deployed stage"],
  ],
  build: (args) => stageOptions(args),
  run: async (stage, { terminal, answer }) => {
    const places = await placesOf(stage);
    const names = getSettings("SOURCE_SECRET", "WAREHOUSE_SECRET");
    const findings = await terminal.working("Looking at everything", () =>
      examine(places, {
        secrets: { source: names.SOURCE_SECRET, warehouse: names.WAREHOUSE_SECRET },
        engines: packageJson.engines.node,
      }),
    );
    answer(findings);
    for (const { title, status, found, advice } of findings) {
      const text = `${title}: ${found}`;
      if (status === "bad") terminal.alarm(`✗ ${text}`);
      else terminal.paragraph(`${status === "ok" ? "✓" : "!"} ${text}`);
      if (advice !== undefined) terminal.paragraph(`→ ${advice}`);
    }
    const bad = findings.filter(({ status }) => status === "bad").length;
    const warnings = findings.filter(({ status }) => status === "warn").length;
    terminal.line();
    terminal.line(
      bad + warnings === 0
        ? `  ${counted(findings.length, "look")}, and all is well`
        : `  ${counted(findings.length, "look")}: ${counted(bad, "is", "are")} bad, ${counted(warnings, "warning")}`,
    );
    return bad > 0 ? 1 : 0;
  },
});
