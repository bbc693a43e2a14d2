/** Whether all is well: one sentence, what is known, what is not at risk, what to type. */
import { counted, duration, listed, whole } from "../words.ts";
import { nextInLine, type Line } from "./line.ts";
import type { Look, Patience } from "./look.ts";
import { STAGES, type Places, type QueueDepth, type Stage } from "./places.ts";
import type { SourceLook } from "./source.ts";
import type { Step, Verdict } from "./types.ts";

/** A line of `totes` for this stage. */
export const command = ({ stage }: Pick<Places, "stage">, line: string): string =>
  `npx totes ${line}${stage === "local" ? "" : ` --stage ${stage}`}`;

/** `14:31:26 UTC`, with the day where that is another. */
export function clock(at: number | string, now: number): string {
  const text = new Date(at).toISOString();
  const isToday = text.slice(0, 10) === new Date(now).toISOString().slice(0, 10);
  return `${isToday ? "" : `${text.slice(0, 10)} `}${text.slice(11, 19)} UTC`;
}

/** How long what was read has waited for the warehouse, in milliseconds; 0 where nothing waits. */
export const lagOf = ({ now, nextCommitted }: Look): number =>
  nextCommitted === undefined ? 0 : Math.max(0, now - nextCommitted);

/** Whether the line stands: the next batch was given up, cannot be loaded, or waits while nothing moves. */
export function isStanding(look: Look, { silent }: Patience): boolean {
  const { line, arrivals, now } = look;
  if (line instanceof Error) return true;
  if (look.cause !== undefined || look.isGivenUp) return true;
  const last = arrivals.at(-1)?.at ?? 0;
  return lagOf(look) > silent * 1000 && now - last > silent * 1000;
}

export const depthsOf = ({ depths }: Look): Readonly<Record<Stage, QueueDepth>> | undefined =>
  depths instanceof Error ? undefined : depths;

/** Of what was found, the worst is said. */
export function verdictOf(look: Look, places: Places, patience: Patience): Verdict {
  const { source, warehouse, line } = look;
  if (line instanceof Error) return lakeLost(line, places);
  if (warehouse instanceof Error) return warehouseLost(warehouse, look, line, places);
  if (line.otherBucket !== undefined) return otherLake(line, line.otherBucket, places);
  if (source instanceof Error) return sourceLost(source, look, line, places);
  if (isStanding(look, patience)) return stopped(look, line, places);
  if (source.problem) return refused(source.problem, look, line, places);
  if (!line.newest) return empty(places);
  if (look.isUnread) return unread(look, line.newest, places);
  if (look.heldSeconds >= patience.held) return held(look, source, line);
  if (line.waiting.length > 0) return busy(look, line.waiting);
  return well(look, line, places);
}

const asRaw = ({ name, message }: Error): string => `${name}: ${message}`;
const doctor = (places: Places): Step => ({
  text: "See from here what answers, and what does not.",
  command: command(places, "doctor"),
});
const logs = (places: Places, stage: Stage, batch?: number): Step => ({
  text: `Read what ${stage} says.`,
  command: command(
    places,
    `logs --function ${stage}${batch === undefined ? "" : ` --batch ${batch}`}`,
  ),
});

export const quarantineStep = (places: Places): Step => ({
  text: "See which rows do not fit, and why.",
  command: command(places, "quarantine list"),
});

function lakeLost(error: Error, places: Places): Verdict {
  const isDamaged = error.name === "ManifestError";
  return {
    status: "bad",
    short: isDamaged ? "Lake damaged" : "Lake unreachable",
    title: isDamaged
      ? "Stopped: the newest manifest cannot be read."
      : "The buckets cannot be reached.",
    text: isDamaged
      ? "The warehouse stays as it is, and the source is read again from the batch before once the manifest is restored. Nothing of the source is lost."
      : "Nothing is lost: the source and the warehouse stay as they are, and the first run that reaches the buckets goes on.",
    error: {
      heading: isDamaged ? "An object of the lake is not what it was" : "The buckets do not answer",
      text: error.message,
      raw: asRaw(error),
    },
    steps: isDamaged
      ? [
          {
            text: "Name all that is missing or altered, and restore the first version of each.",
            command: command(places, "rebuild --verify"),
          },
        ]
      : [doctor(places)],
  };
}

/** What the loader says of it, too. */
export const ofAnotherLake = ({ loaded }: Line, bucket: string): string =>
  `the warehouse has loaded batch ${whole(loaded)}, and ${bucket} has no such batch: it was filled from another lake; ` +
  "correct INGESTION_BUCKET, PROCESSED_BUCKET or WAREHOUSE_SECRET, or restore the manifest";

function otherLake(line: Line, bucket: string, places: Places): Verdict {
  const text = ofAnotherLake(line, bucket);
  return {
    status: "bad",
    short: "Another lake",
    title: "Stopped: the warehouse was filled from another lake than this.",
    text: `The warehouse stays as it is, at batch ${whole(line.loaded)}: nothing is loaded from a lake that lacks what it has.`,
    error: { heading: "A bucket lacks what the warehouse has", text, raw: text },
    steps: [
      {
        text: "Correct what the functions are told (deploy the stage again), or restore the bucket's manifests. Then look again.",
        command: command(places, "status"),
      },
      {
        text: "Once they are restored, name all that is missing or altered beside.",
        command: command(places, "rebuild --verify"),
      },
    ],
  };
}

function warehouseLost(error: Error, look: Look, line: Line, places: Places): Verdict {
  const waiting = line.waiting.length;
  return {
    status: "bad",
    short: "Warehouse unreachable",
    title: `The warehouse cannot be reached.${waiting > 0 ? ` ${counted(waiting, "batch", "batches")} may wait for it.` : ""}`,
    text:
      "Nothing is lost: the source is still read, and what is read waits in the processed bucket. " +
      `The newest batch there is ${whole(line.newest?.batch ?? 0)}; the last that is known to be loaded is ${whole(line.loaded)}.`,
    error: {
      heading: "The warehouse’s database does not let us in",
      text: error.message,
      raw: asRaw(error),
    },
    steps: [
      doctor(places),
      {
        text: "Once it is mended, load what waits now rather than at the next tick.",
        command: command(places, "run"),
      },
    ],
  };
}

function sourceLost(error: Error, look: Look, { newest }: Line, places: Places): Verdict {
  const since = newest && clock(newest.committed_at, look.now);
  return {
    status: "bad",
    short: "Source unreachable",
    title: "The source cannot be reached. What changes there is not read.",
    text:
      "Nothing is lost: the first run that reaches it reads everything since the last fence. " +
      (since === undefined
        ? "No batch has been read yet."
        : `The warehouse is as the source was at ${since}, or later.`),
    error: {
      heading: "The source’s database does not let us in",
      text: error.message,
      raw: asRaw(error),
    },
    steps: [
      doctor(places),
      {
        text: "If it moved, put the new host into its secret: it is fetched at each run, nothing needs a restart. Then read it.",
        command: command(places, "run"),
      },
    ],
  };
}

function refused(error: Error, look: Look, { newest }: Line, places: Places): Verdict {
  return {
    status: "bad",
    short: "Source refused",
    title: "Stopped before reading: the source is not what the tables were written for.",
    text:
      "Nothing is lost: nothing was written since, and everything since the last fence is read afterwards. " +
      (newest
        ? `The warehouse has all that was read until ${clock(newest.committed_at, look.now)}.`
        : "No batch has been read yet."),
    error: { heading: "Ingestion refuses the source", text: error.message, raw: asRaw(error) },
    steps: [
      {
        text: "Change the source, or tables/sources.ts and the modules that use it, until this says that they agree.",
        command: command(places, "doctor"),
      },
      { text: "Then read what changed meanwhile.", command: command(places, "run") },
    ],
  };
}

const HEADINGS: Readonly<Record<string, string>> = {
  WarehouseError: "The warehouse is not as the tables declare it",
  ObjectError: "An object of the lake is not what was committed",
  ManifestError: "A manifest of the lake is not what was committed",
};

function stopped(look: Look, line: Line, places: Places): Verdict {
  const { batch, stage } = nextInLine(line)!;
  const { waiting, loaded, load, newest } = line;
  const later = waiting.length - 1;
  const { cause, isGivenUp } = look;
  const reason = isGivenUp ? `${stage} failed five times` : `${stage} does not get it done`;
  const stays =
    load === undefined
      ? "The warehouse has no batch yet."
      : `The warehouse stays as it was at ${clock(load.loadedAt, look.now)}, after batch ${whole(loaded)}.`;
  const waits =
    later > 0 ? `${batches(waiting.slice(1))} ${later === 1 ? "waits" : "wait"} behind it. ` : "";
  return {
    status: "bad",
    short: `Stopped at ${whole(batch)}`,
    title: `Stopped at batch ${whole(batch)}: ${reason}.${later > 0 ? ` ${counted(later, "later batch", "later batches")} ${later === 1 ? "waits" : "wait"}.` : ""}`,
    text: `Nothing is lost: the source is still read (batch ${whole(newest?.batch ?? batch)} is the newest). ${waits}${stays}`,
    ...(cause && {
      error: {
        heading: HEADINGS[cause.name] ?? `${stage} would fail`,
        text: cause.message,
        raw: asRaw(cause),
      },
    }),
    steps: [
      ...(cause ? mend(cause, places) : [logs(places, stage, batch)]),
      {
        text: isGivenUp
          ? "Then put its message back into the queue; what waits follows by itself."
          : "Then have it done now; what waits follows by itself.",
        command: command(places, isGivenUp ? `redrive --queue ${stage}` : `replay ${batch}`),
      },
      {
        text: "Check that source and warehouse agree.",
        command: command(places, "reconcile"),
      },
      ...(stage === "loading"
        ? [
            {
              text: `Only if batch ${whole(batch)} may be left out: skip it. That is recorded, and its rows are missing until they are read again.`,
              command: command(places, `skip ${batch} --why "…"`),
            },
          ]
        : []),
    ],
  };
}

function mend({ name }: Error, places: Places): Step[] {
  if (name === "WarehouseError")
    return [
      {
        text: "Alter the warehouse, or the table's module, until this says that they agree.",
        command: command(places, "doctor"),
      },
    ];
  return [
    {
      text: "Name all that is missing or altered in the lake, and restore the first version of each.",
      command: command(places, "rebuild --verify"),
    },
  ];
}

function empty(places: Places): Verdict {
  return {
    status: "idle",
    short: "Empty",
    title: "Nothing is loaded yet. The warehouse is empty.",
    text: "The source, both buckets and the warehouse answer; no batch has been made.",
    steps: [
      {
        text: "Make the first batch now rather than at the next tick.",
        command: command(places, "run"),
      },
      ...(places.stage === "local"
        ? [
            {
              text: "Let the shop trade, so that there is something to see.",
              command: "npx totes trade",
            },
          ]
        : []),
    ],
  };
}

function unread({ now }: Look, newest: { committed_at: string }, places: Places): Verdict {
  const since = now - Date.parse(newest.committed_at);
  return {
    status: "bad",
    short: "Not read",
    title: `The source has changes that nobody has read for ${duration(since)}.`,
    text: "Nothing is lost: the next ingestion reads everything since the last fence. All that was read before is on its way or loaded.",
    steps: [
      { text: "Read it now.", command: command(places, "run") },
      logs(places, "ingestion"),
      {
        text: "If that went well, the schedule does not run: its rules must be enabled (docs/runbook.md, “Nothing is loaded”).",
      },
    ],
  };
}

function held(look: Look, { holder, fenceAge }: SourceLook, line: Line): Verdict {
  const open = duration(look.heldSeconds * 1000);
  return {
    status: "warn",
    short: "Fence held",
    title: "Working, but one old transaction makes every run read more than it needs.",
    text:
      `Nothing is missing from the warehouse but what that transaction has not committed. ${counted(fenceAge, "transaction")} ` +
      `began since, and each run reads their rows again until it ends. ${whoHolds(look.heldSeconds, holder)}` +
      (line.waiting.length > 0
        ? ` ${counted(line.waiting.length, "batch is", "batches are")} on the way.`
        : ""),
    steps:
      holder?.pid == null
        ? [
            {
              text: `Ask in the source who has a transaction open for ${open} or longer.`,
              command:
                holder === undefined
                  ? "SELECT pid, usename, application_name, state, xact_start FROM pg_stat_activity WHERE backend_xid IS NOT NULL ORDER BY xact_start LIMIT 1;"
                  : "SELECT gid, owner, prepared FROM pg_prepared_xacts ORDER BY prepared LIMIT 1;",
            },
          ]
        : [
            {
              text: `Ask the owner of pid ${holder.pid} (user ${holder.usename}, application ${holder.application_name || "without a name"}) to commit or roll back.`,
            },
            {
              text: "If nobody answers, end it in the source. Only its own unfinished work is undone.",
              command: `SELECT pg_terminate_backend(${holder.pid});`,
            },
          ],
  };
}

/** `Held by pid 4211: user reporting, application psql, idle in transaction for 2 h 14 min.` */
export function whoHolds(seconds: number, holder: SourceLook["holder"]): string {
  const open = duration(seconds * 1000);
  if (holder === undefined)
    return `Held for ${open} or longer by a session that this user may not see: GRANT pg_read_all_stats to it.`;
  if (holder.pid === null)
    return `Held by the prepared transaction ${holder.application_name} of user ${holder.usename} for ${open}.`;
  const application = holder.application_name ? `, application ${holder.application_name}` : "";
  // What it is at, and since when, is shown to whoever may read all statistics.
  const since =
    holder.state === null ? `open for ${open} or longer` : `${holder.state} for ${open}`;
  return `Held by pid ${holder.pid}: user ${holder.usename}${application}, ${since}.`;
}

/** `batch 44`, `batches 44 to 49`. */
export const batches = (numbers: readonly number[]): string =>
  numbers.length === 1
    ? `Batch ${whole(numbers[0]!)}`
    : `Batches ${whole(numbers[0]!)} to ${whole(numbers.at(-1)!)}`;

function busy(look: Look, waiting: readonly number[]): Verdict {
  const lag = duration(lagOf(look));
  return {
    status: "busy",
    short: `${counted(waiting.length, "batch", "batches")} on the way`,
    title: `Working. ${batches(waiting)} ${waiting.length === 1 ? "is" : "are"} on the way to the warehouse.`,
    text: `The oldest was read ${lag} ago.`,
    steps: [],
  };
}

function well(look: Look, { newest, load }: Line, places: Places): Verdict {
  const { batch, committed_at, cursor } = newest!;
  const age = duration(look.now - Date.parse(committed_at));
  const dead = STAGES.filter((stage) => (depthsOf(look)?.[stage].dead ?? 0) > 0);
  const lag = load?.receipt.lagSeconds;
  const text =
    `Batch ${whole(batch)} is the newest: read ${age} ago, ` +
    (typeof load?.skippedWhy === "string"
      ? `and skipped: ${load.skippedWhy}.`
      : `in the warehouse ${lag === undefined ? "since" : `${duration(lag * 1000)} later`}.`) +
    (cursor ? " Its run is not done, and goes on at the next tick." : "");
  const quarantined = look.warehouse instanceof Error ? 0 : look.warehouse.quarantined;
  if (dead.length === 0)
    return {
      status: "ok",
      short: "All loaded",
      title:
        quarantined === 0
          ? "Healthy. All that was read is in the warehouse."
          : `Working. All that was read is in the warehouse, but ${counted(quarantined, "row")} in quarantine.`,
      text,
      steps: quarantined === 0 ? [] : [quarantineStep(places)],
    };
  return {
    status: "warn",
    short: "Dead letters",
    title: `All that was read is in the warehouse, but dead letters of ${listed(dead)} keep an alarm on.`,
    text: `${text} The batches that they name are done; they only have to leave the queue.`,
    steps: dead.map((stage) => ({
      text: `Put those of ${stage} back: they find their work done.`,
      command: command(places, `redrive --queue ${stage}`),
    })),
  };
}
