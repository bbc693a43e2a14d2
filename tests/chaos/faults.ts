import { setTimeout as delay } from "node:timers/promises";
import type { Random } from "../../localstack/totesys/random.ts";
import type { Call, Injury, Point, Stage } from "./calls.ts";
import type { Lane, World } from "./lane.ts";
import type { Slot } from "./slots.ts";

/** What a fault can lay hands on. */
export interface Surroundings {
  readonly lane: Lane;
  readonly world: World;
  /** Another run of the same stage, from its beginning to its end, in another process. */
  readonly rival: (stage: Stage) => Promise<void>;
}

/** A fault that strikes calls. */
export interface PointKind {
  readonly fits: (point: Point) => boolean;
  /** How many calls in a row it may strike. */
  readonly times: readonly number[];
  readonly injure: (around: Surroundings, chance: Random) => (slot: Slot, call: Call) => Injury;
}

const onS3 =
  (...operations: string[]) =>
  (point: Point): boolean =>
    point.service === "s3" && operations.some((name) => point.what.startsWith(name));
const anyS3 = onS3("");
const inSecrets = ({ service }: Point): boolean => service === "secrets";
const inPostgres = ({ service }: Point): boolean => service === "source" || service === "warehouse";
const any = (): boolean => true;
const isRow = ({ what }: Point): boolean => / [←→] /.test(what);
/** Statements of the warehouse that write, or end what wrote. */
const writes = (point: Point): boolean =>
  point.service === "warehouse" && /^(insert|copy|create|update|commit|alter|do)/.test(point.what);

/** A retry makes one good; three are what an SDK tries; the last is an outage. */
const SOME = [1, 3, 1000];

const refused = (
  status: number,
  code: string,
  fits: PointKind["fits"],
  done = false,
): PointKind => ({
  fits,
  times: SOME,
  injure: () => () => ({ do: "refuse", status, code, done }),
});
const failing = (code: string, message: string, fits: PointKind["fits"]): PointKind => ({
  fits,
  times: [1, 1000],
  injure: () => () => ({ do: "error", code, message }),
});
const run = (
  when: "before" | "meanwhile" | "after",
  next: "cut" | "go on",
  act: (around: Surroundings, slot: Slot, call: Call) => unknown,
  fits: PointKind["fits"],
  times: readonly number[] = [1],
): PointKind => ({
  fits,
  times,
  injure: (around) => (slot, call) => ({
    do: "run",
    when,
    next,
    run: () => act(around, slot, call),
  }),
});
const nothing = (): void => undefined;
const waiting = (fits: PointKind["fits"]): PointKind => ({
  fits,
  times: [1, 3],
  injure: (_, chance) => {
    const ms = chance.int(50, 600);
    return () => ({ do: "wait", ms });
  },
});
const kill = (_: Surroundings, slot: Slot): void => slot.kill();

/** What the server does to a session: ends it, as an administrator does, or a time-out. */
const terminate = async ({ lane }: Surroundings, _: Slot, { pid }: Call): Promise<void> => {
  if (pid !== undefined) await lane.admin.any("select pg_terminate_backend($1, 1000)", [pid]);
};

/** Every fault that strikes calls, by its name. */
export const POINT_KINDS: Readonly<Record<string, PointKind>> = {
  "s3-error": refused(500, "InternalError", anyS3),
  "s3-slow-down": refused(503, "SlowDown", anyS3),
  "s3-denied": refused(403, "AccessDenied", anyS3),
  "s3-error-though-done": refused(500, "InternalError", onS3("Put"), true),
  "s3-reset": run("before", "cut", nothing, anyS3, SOME),
  "s3-answer-lost": run("after", "cut", nothing, anyS3, SOME),
  "s3-gone-meanwhile": run("meanwhile", "cut", nothing, onS3("Put"), SOME),
  "s3-broken-upload": {
    fits: onS3("Put"),
    times: SOME,
    injure: () => () => ({ do: "break", in: "request" }),
  },
  "s3-broken-download": {
    fits: onS3("Get", "List"),
    times: SOME,
    injure: () => () => ({ do: "break", in: "answer" }),
  },
  "s3-delay": waiting(anyS3),
  "s3-twice": {
    fits: anyS3,
    times: SOME,
    injure: (_, chance) => {
      const hears = chance.pick(["first", "second"] as const);
      return () => ({ do: "repeat", hears });
    },
  },
  "s3-conflict": refused(409, "ConditionalRequestConflict", (p) => p.isConditional === true),
  "s3-rival-first": run(
    "before",
    "go on",
    ({ rival }, _, { stage }) => rival(stage),
    (point) => point.isConditional === true && /_batches|_loads/.test(point.what),
  ),
  "s3-shortened": {
    fits: onS3("Get"),
    times: SOME,
    injure: () => () => ({ do: "damage", how: "shorten", of: "answer" }),
  },
  "s3-flipped": {
    fits: onS3("Get", "Put"),
    times: SOME,
    injure:
      () =>
      (_, { what }) => ({
        do: "damage",
        how: "flip",
        of: what.startsWith("Put") ? "request" : "answer",
      }),
  },
  "s3-stale-listing": {
    fits: onS3("List"),
    times: SOME,
    injure: () => () => ({ do: "stale" }),
  },

  "secret-error": refused(500, "InternalServiceError", inSecrets),
  "secret-throttled": refused(400, "ThrottlingException", inSecrets),
  "secret-denied": refused(400, "AccessDeniedException", inSecrets),
  "secret-reset": run("before", "cut", nothing, inSecrets, SOME),
  "secret-delay": waiting(inSecrets),
  "secret-rotated": run(
    "after",
    "go on",
    ({ world }, _, { stage }) => world.rotate(stage === "loading" ? "warehouse" : "source"),
    inSecrets,
  ),
  "secret-rotated-at-connect": run(
    "before",
    "go on",
    ({ world }, _, { stage }) => world.rotate(stage === "loading" ? "warehouse" : "source"),
    (point) => inPostgres(point) && point.what === "connect",
  ),

  "pg-disk-full": failing("53100", "could not extend file: No space left on device", writes),
  "pg-too-many-connections": failing(
    "53300",
    "sorry, too many clients already",
    (point) => inPostgres(point) && point.what === "connect",
  ),
  "pg-statement-timeout": failing(
    "57014",
    "canceling statement due to statement timeout",
    (point) => inPostgres(point) && point.what !== "connect",
  ),
  "pg-serialization": failing("40001", "could not serialize access", writes),
  "pg-deadlock": failing("40P01", "deadlock detected", writes),
  "pg-read-only": failing("25006", "cannot execute in a read-only transaction", writes),
  "pg-terminated": run("before", "go on", terminate, inPostgres),
  "pg-terminated-meanwhile": run("meanwhile", "go on", terminate, inPostgres),
  "pg-reset": run("before", "cut", nothing, inPostgres, [1, 2]),
  "pg-gone-meanwhile": run("meanwhile", "cut", nothing, inPostgres, [1, 2]),
  "pg-answer-lost": run("after", "cut", nothing, inPostgres, [1, 2]),
  "pg-broken-request": {
    fits: inPostgres,
    times: [1],
    injure: () => () => ({ do: "break", in: "request" }),
  },
  "pg-broken-rows": {
    fits: (point) => inPostgres(point) && isRow(point),
    times: [1],
    injure:
      () =>
      (_, { what }) => ({
        do: "break",
        in: what.includes("→") ? "answer" : "request",
      }),
  },
  "pg-delay": waiting(inPostgres),
  "pg-crash": run("before", "go on", ({ lane }) => lane.restart("immediate"), inPostgres),
  "pg-crash-meanwhile": run(
    "meanwhile",
    "go on",
    ({ lane }) => lane.restart("immediate"),
    inPostgres,
  ),
  "pg-restart": run("before", "go on", ({ lane }) => lane.restart("fast"), inPostgres),

  "kill-before": run("before", "cut", kill, any),
  "kill-meanwhile": run("meanwhile", "cut", kill, any),
  "kill-after": run("after", "cut", kill, any),
  // Its sessions time out, another run does its work, and then it goes on where it was.
  freeze: run(
    "before",
    "go on",
    async (around, slot, call) => {
      slot.freeze();
      try {
        await endSessions(around, call.stage);
        await around.rival(call.stage);
      } finally {
        slot.thaw();
      }
    },
    any,
  ),
};

/** Ends a stage's sessions, as the server's idle time-out does. */
async function endSessions({ lane, world }: Surroundings, stage: Stage): Promise<void> {
  if (stage === "transformation") return;
  const database = world.databases[stage === "loading" ? "warehouse" : "source"];
  await lane.admin.any(
    `select pg_terminate_backend(pid, 1000) from pg_stat_activity
      where datname = $1 and application_name = 'totes-warehouse'`,
    [database],
  );
}

/** A fault that lasts for a tick. Gives what ends it. */
export type TickKind = (around: Surroundings, chance: Random) => Promise<() => unknown>;

const roleOf = (chance: Random): { role: "source" | "warehouse"; user: string } => {
  const role = chance.pick(["source", "warehouse"] as const);
  return { role, user: `chaos_${role}` };
};

/** Every fault that lasts for a tick and needs no more than the databases; by its name. */
export const TICK_KINDS: Readonly<Record<string, TickKind>> = {
  "no-connections": async ({ lane }, chance) => {
    const { user } = roleOf(chance);
    await lane.admin.none("alter role $1:name connection limit 0", [user]);
    return () => lane.admin.none("alter role $1:name connection limit -1", [user]);
  },
  "role-timeout": async ({ lane }, chance) => {
    const { user } = roleOf(chance);
    const ms = chance.pick([1, 5, 20]);
    await lane.admin.none("alter role $1:name set statement_timeout = $2", [user, ms]);
    return () => lane.admin.none("alter role $1:name reset statement_timeout", [user]);
  },
  "long-lock": async ({ world }, chance) => {
    const { role } = roleOf(chance);
    const ms = chance.int(100, 800);
    const db = role === "source" ? world.shop : world.star;
    const tables = await db.map(
      "select tablename from pg_tables where schemaname = 'public' order by 1",
      [],
      ({ tablename }: { tablename: string }) => tablename,
    );
    // An empty warehouse has a lock all the same: the loader's own, held by somebody else.
    const table = tables.length > 0 ? chance.pick(tables) : undefined;
    const held = db.tx(async (t) => {
      // A transaction of the shop that stays open until the end may have one that this must not wait for.
      await t.none("set local lock_timeout = '2s'");
      if (table === undefined) await t.any("select pg_advisory_xact_lock($1)", [0x746f746573]);
      else await t.none("lock table public.$1:name in access exclusive mode", [table]);
      await delay(ms);
    });
    // It may be broken by what else befalls the server.
    const ended = held.catch(() => undefined);
    return () => ended;
  },
};

/** Faults of a tick that the scenario itself makes. */
export const RUN_KINDS = ["clock", "kill-at-an-instant", "overlap", "events"] as const;

/** The name of every kind of fault. */
export const KINDS: readonly string[] = [
  ...Object.keys(POINT_KINDS),
  ...Object.keys(TICK_KINDS),
  ...RUN_KINDS,
];
