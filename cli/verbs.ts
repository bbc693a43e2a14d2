import type { Verb } from "./verb.ts";
import { catalog } from "./verbs/catalog.ts";
import { quarantine } from "./verbs/quarantine.ts";
import { rebuild } from "./verbs/rebuild.ts";
import { reconcile } from "./verbs/reconcile.ts";

/** All verbs, in the order in which `--help` names them. */
export const VERBS: readonly Verb[] = [quarantine, reconcile, rebuild, catalog];
