import type { Verb } from "./verb.ts";
import { backfill } from "./verbs/backfill.ts";
import { batch } from "./verbs/batch.ts";
import { batches } from "./verbs/batches.ts";
import { doctor } from "./verbs/doctor.ts";
import { quarantine } from "./verbs/quarantine.ts";
import { replay } from "./verbs/replay.ts";
import { skip } from "./verbs/skip.ts";
import { status } from "./verbs/status.ts";

/** All verbs, in the order in which `--help` names them. */
export const VERBS: readonly Verb[] = [
  status,
  doctor,
  batches,
  batch,
  quarantine,
  replay,
  skip,
  backfill,
];
