import type { Verb } from "./verb.ts";
import { backfill } from "./verbs/backfill.ts";
import { batch } from "./verbs/batch.ts";
import { batches } from "./verbs/batches.ts";
import { catalog } from "./verbs/catalog.ts";
import { deletes } from "./verbs/deletes.ts";
import { doctor } from "./verbs/doctor.ts";
import { down } from "./verbs/down.ts";
import { lake } from "./verbs/lake.ts";
import { logs } from "./verbs/logs.ts";
import { newTable } from "./verbs/new.ts";
import { quarantine } from "./verbs/quarantine.ts";
import { rebuild } from "./verbs/rebuild.ts";
import { reconcile } from "./verbs/reconcile.ts";
import { redrive } from "./verbs/redrive.ts";
import { replay } from "./verbs/replay.ts";
import { run } from "./verbs/run.ts";
import { skip } from "./verbs/skip.ts";
import { sources } from "./verbs/sources.ts";
import { status } from "./verbs/status.ts";
import { trade } from "./verbs/trade.ts";
import { up } from "./verbs/up.ts";
import { watch } from "./verbs/watch.ts";

/** All verbs, in the order in which `--help` names them. */
export const VERBS: readonly Verb[] = [
  up,
  down,
  run,
  trade,
  watch,
  status,
  doctor,
  batches,
  batch,
  quarantine,
  reconcile,
  deletes,
  rebuild,
  lake,
  replay,
  skip,
  redrive,
  backfill,
  logs,
  newTable,
  sources,
  catalog,
];
