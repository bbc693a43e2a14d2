import type { Verb } from "./verb.ts";
import { quarantine } from "./verbs/quarantine.ts";

/** All verbs, in the order in which `--help` names them. */
export const VERBS: readonly Verb[] = [quarantine];
