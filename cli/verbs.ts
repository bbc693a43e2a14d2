import type { Verb } from "./verb.ts";

/** The verbs, in the order in which `--help` names them. Each is loaded when it is asked for: all of them take a second. */
const VERBS: Readonly<Record<string, () => Promise<Verb>>> = {
  up: async () => (await import("./verbs/up.ts")).up,
  down: async () => (await import("./verbs/down.ts")).down,
  run: async () => (await import("./verbs/run.ts")).run,
  trade: async () => (await import("./verbs/trade.ts")).trade,
  watch: async () => (await import("./verbs/watch.ts")).watch,
  status: async () => (await import("./verbs/status.ts")).status,
  doctor: async () => (await import("./verbs/doctor.ts")).doctor,
  batches: async () => (await import("./verbs/batches.ts")).batches,
  batch: async () => (await import("./verbs/batch.ts")).batch,
  quarantine: async () => (await import("./verbs/quarantine.ts")).quarantine,
  reconcile: async () => (await import("./verbs/reconcile.ts")).reconcile,
  deletes: async () => (await import("./verbs/deletes.ts")).deletes,
  rebuild: async () => (await import("./verbs/rebuild.ts")).rebuild,
  lake: async () => (await import("./verbs/lake.ts")).lake,
  replay: async () => (await import("./verbs/replay.ts")).replay,
  skip: async () => (await import("./verbs/skip.ts")).skip,
  redrive: async () => (await import("./verbs/redrive.ts")).redrive,
  backfill: async () => (await import("./verbs/backfill.ts")).backfill,
  logs: async () => (await import("./verbs/logs.ts")).logs,
  new: async () => (await import("./verbs/new.ts")).newTable,
  sources: async () => (await import("./verbs/sources.ts")).sources,
  catalog: async () => (await import("./verbs/catalog.ts")).catalog,
};

/** All of them. */
export const allVerbs = (): Promise<readonly Verb[]> =>
  Promise.all(Object.values(VERBS).map((load) => load()));

/** Those that a command line may mean: the one that it begins with, else all. */
export async function verbsOf([first = ""]: readonly string[]): Promise<readonly Verb[]> {
  return Object.hasOwn(VERBS, first) ? [await VERBS[first]!()] : allVerbs();
}
