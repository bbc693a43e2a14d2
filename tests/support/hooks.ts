// Before anything is imported that reads them: what the handlers print would bury the tests' own report.
process.env["POWERTOOLS_LOG_LEVEL"] ??= "SILENT";
process.env["POWERTOOLS_METRICS_DISABLED"] ??= "true";

// Its own coverage a process writes all the same. Commands and functions that tests start would take half as long again with
// it, and run little that is not run in here.
delete process.env["NODE_V8_COVERAGE"];

/** Mocha calls this once, after the last test of the process. Most tests need no stack, and half of a second less without it. */
export async function mochaGlobalTeardown(): Promise<void> {
  if (!(Symbol.for("totes.stack") in globalThis)) return;
  const { stopStack } = await import("./stack.ts");
  await stopStack();
}
