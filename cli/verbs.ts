import type { Verb } from "./verb.ts";
import { down } from "./verbs/down.ts";
import { quarantine } from "./verbs/quarantine.ts";
import { rebuild } from "./verbs/rebuild.ts";
import { reconcile } from "./verbs/reconcile.ts";
import { redrive } from "./verbs/redrive.ts";
import { run } from "./verbs/run.ts";
import { trade } from "./verbs/trade.ts";
import { up } from "./verbs/up.ts";

/** All verbs, in the order in which `--help` names them. */
export const VERBS: readonly Verb[] = [
  up,
  down,
  run,
  trade,
  quarantine,
  redrive,
  reconcile,
  rebuild,
];
