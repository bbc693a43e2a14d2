#!/usr/bin/env node
// `npx totes`: runs the TypeScript of cli/ as it is.
import { register } from "tsx/esm/api";

register();
const { totes } = await import("../cli/totes.ts");
process.exitCode = await totes(process.argv.slice(2));
