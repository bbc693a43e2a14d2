import type { Verb } from "./verb.ts";
import { backfill } from "./verbs/backfill.ts";
import { batch } from "./verbs/batch.ts";
import { batches } from "./verbs/batches.ts";
import { catalog } from "./verbs/catalog.ts";
import { doctor } from "./verbs/doctor.ts";
import { newTable } from "./verbs/new.ts";
import { quarantine } from "./verbs/quarantine.ts";
import { rebuild } from "./verbs/rebuild.ts";
import { reconcile } from "./verbs/reconcile.ts";
import { replay } from "./verbs/replay.ts";
import { skip } from "./verbs/skip.ts";
import { sources } from "./verbs/sources.ts";
import { status } from "./verbs/status.ts";
import { watch } from "./verbs/watch.ts";

/** All verbs, in the order in which `--help` names them. */
export const VERBS: readonly Verb[] = [
  watch,
  status,
  doctor,
  batches,
  batch,
  quarantine,
  reconcile,
  rebuild,
  replay,
  skip,
  backfill,
  newTable,
  sources,
  catalog,
];
