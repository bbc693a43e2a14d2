import { stopStack } from "./stack.ts";

// Before anything is imported that reads them: what the handlers print would bury the tests' own report.
process.env["POWERTOOLS_LOG_LEVEL"] ??= "SILENT";
process.env["POWERTOOLS_METRICS_DISABLED"] ??= "true";

/** Mocha calls this once, after the last test of the process. */
export async function mochaGlobalTeardown(): Promise<void> {
  await stopStack();
}
