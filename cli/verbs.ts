import type { Verb } from "./verb.ts";
import { quarantine } from "./verbs/quarantine.ts";
import { watch } from "./verbs/watch.ts";

/** All verbs, in the order in which `--help` names them. */
export const VERBS: readonly Verb[] = [watch, quarantine];
