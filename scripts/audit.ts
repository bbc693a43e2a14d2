// `npm audit`, told apart from a registry that has no audit: that one is said aloud, and is no pass.
import { spawnSync } from "node:child_process";

interface Audit {
  readonly error?: { readonly summary?: string };
  readonly message?: string;
  readonly metadata?: { readonly vulnerabilities: Readonly<Record<string, number>> };
}

const { stdout, stderr } = spawnSync("npm", ["audit", "--json", "--omit=dev"], {
  encoding: "utf8",
  shell: process.platform === "win32",
});
let audit: Audit = {};
try {
  audit = JSON.parse(stdout) as Audit;
} catch {
  console.error(stderr);
}
if (!audit.metadata) {
  console.log(
    `audit: NOT DONE. The registry gave no answer (${audit.message ?? audit.error?.summary ?? "no JSON"}); ` +
      "run `npm run audit` where the registry offers audits.",
  );
} else {
  const { high = 0, critical = 0, total = 0 } = audit.metadata.vulnerabilities;
  console.log(`audit: ${total} known vulnerabilities, ${high + critical} of them high or critical`);
  if (high + critical > 0) process.exitCode = 1;
}
