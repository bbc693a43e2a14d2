#!/usr/bin/env node
// `npx totes`: runs the TypeScript of cli/ as it is.

// Whoever reads on may stop reading: `npx totes batches | head`.
process.stdout.on("error", (error) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});
try {
  const { register } = await import("tsx/esm/api");
  register();
  const { totes } = await import("../cli/totes.ts");
  process.exitCode = await totes(process.argv.slice(2));
} catch (error) {
  if (error.code !== "ERR_MODULE_NOT_FOUND" || !error.message.startsWith("Cannot find package"))
    throw error;
  console.error("not all packages are installed: run `make requirements` (or `npm ci`) first");
  process.exitCode = 2;
}
