/** The things that are looked at, each with its state in a few words. */
import { counted, duration, listed, whole } from "../words.ts";
import { nextInLine } from "./line.ts";
import type { Look, Patience } from "./look.ts";
import { STAGES, type Places, type Stage } from "./places.ts";
import thresholds from "./thresholds.json" with { type: "json" };
import type { Check, Status } from "./types.ts";
import {
  batches,
  clock,
  command,
  depthsOf,
  isStanding,
  lagOf,
  ofAnotherLake,
  quarantineStep,
  whoHolds,
} from "./verdict.ts";

const ORDER: readonly Status[] = ["bad", "warn", "busy", "idle", "ok"];

/** The worst first. */
export function checksOf(look: Look, places: Places, patience: Patience): Check[] {
  const checks = [
    freshness(look, patience),
    queues(look, places),
    fence(look, patience),
    quarantine(look, places),
    alarms(look, patience),
    contract(look, places),
    star(look, places),
    lake(look),
  ];
  return checks.toSorted((a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status));
}

function freshness(look: Look, patience: Patience): Check {
  const check = { id: "freshness", title: "Freshness" };
  const { line } = look;
  if (line instanceof Error || !line.newest)
    return {
      ...check,
      status: "idle",
      value: "–",
      text: "Nothing to measure until batch 1 is read.",
    };
  const lag = lagOf(look);
  const limit = `The alarm is at ${duration(thresholds.lagSeconds * 1000)}.`;
  if (lag > 0) {
    const isBad = lag > thresholds.lagSeconds * 1000 || isStanding(look, patience);
    const text = `That long has the oldest batch waited for the warehouse. ${limit}`;
    return { ...check, status: isBad ? "bad" : "busy", value: duration(lag), text };
  }
  if (look.isUnread)
    return {
      ...check,
      status: "bad",
      value: duration(look.now - Date.parse(line.newest.committed_at)),
      text: "So long has nobody read the source, though it has changed.",
    };
  const last = line.load?.receipt.lagSeconds;
  const text = `Nothing waits. So long took the newest batch from the source's bucket to the warehouse. ${limit}`;
  return {
    ...check,
    status: "ok",
    value: last === undefined ? "0 s" : duration(last * 1000),
    text,
  };
}

function queues(look: Look, places: Places): Check {
  const check = { id: "queues", title: "Queues" };
  const { depths } = look;
  if (depths === undefined)
    return {
      ...check,
      status: "idle",
      value: "–",
      text: "This pipeline has no queues that can be asked.",
    };
  if (depths instanceof Error)
    return {
      ...check,
      status: "idle",
      value: "unknown",
      text: `They cannot be asked: ${depths.message}`,
    };
  const of = (count: (stage: Stage) => number): string[] =>
    STAGES.filter((stage) => count(stage) > 0).map((stage) => `${whole(count(stage))} of ${stage}`);
  const dead = of((stage) => depths[stage].dead);
  const waiting = of((stage) => depths[stage].waiting + depths[stage].inFlight);
  const inQueues =
    waiting.length > 0 ? `In the queues: ${listed(waiting)}.` : "Nothing waits in a queue.";
  const total = STAGES.reduce((sum, stage) => sum + depths[stage].dead, 0);
  if (dead.length > 0)
    return {
      ...check,
      status: "bad",
      value: `${whole(total)} dead`,
      text: `Given up after five deliveries: ${listed(dead)}. ${inQueues}`,
      steps: STAGES.filter((stage) => depths[stage].dead > 0).map((stage) => ({
        text: `When the cause is mended, put those of ${stage} back.`,
        command: command(places, `redrive --queue ${stage}`),
      })),
    };
  const all = STAGES.reduce(
    (sum, stage) => sum + depths[stage].waiting + depths[stage].inFlight,
    0,
  );
  const status = all > 0 ? "busy" : "ok";
  return { ...check, status, value: `${whole(all)} waiting`, text: `${inQueues} No dead letters.` };
}

function fence({ source, heldSeconds }: Look, { held }: Patience): Check {
  const check = { id: "fence", title: "Fence" };
  if (source instanceof Error || source.snapshot === undefined)
    return {
      ...check,
      status: "idle",
      value: "unknown",
      text: "Not known while the source cannot be read.",
    };
  if (source.fenceAge === 0)
    return {
      ...check,
      status: "ok",
      value: "free",
      text: "No transaction that writes is open in the source.",
    };
  const text = whoHolds(heldSeconds, source.holder);
  return {
    ...check,
    status: heldSeconds >= held ? "warn" : "ok",
    value: duration(heldSeconds * 1000),
    text,
  };
}

function quarantine({ warehouse, now }: Look, places: Places): Check {
  const check = { id: "quarantine", title: "Quarantine", href: "#/quarantine" };
  if (warehouse instanceof Error)
    return {
      ...check,
      status: "idle",
      value: "unknown",
      text: "Not known while the warehouse cannot be reached.",
    };
  if (!warehouse.isPrepared)
    return { ...check, status: "idle", value: "–", text: "Nothing has been loaded yet." };
  const { quarantined, quarantinedSince } = warehouse;
  if (quarantined === 0)
    return { ...check, status: "ok", value: "0 rows", text: "Every row fits the star." };
  const age = quarantinedSince ? duration(now - quarantinedSince.getTime()) : "some time";
  return {
    ...check,
    status: "warn",
    value: counted(quarantined, "row"),
    text: `Refused and kept aside, the oldest for ${age}. The other rows went on.`,
    steps: [quarantineStep(places)],
  };
}

/** As infrastructure/alarms.cjs names them; those that only CloudWatch can tell of (throttles, duration, heartbeats) are left out. */
export function alarmsOn(look: Look, patience: Patience): string[] {
  const { line, source, warehouse, now, recent } = look;
  const depths = depthsOf(look);
  const on: string[] = [];
  const next = line instanceof Error ? undefined : nextInLine(line);
  const failing = new Set<Stage>();
  if (source instanceof Error || source.problem) failing.add("ingestion");
  if (warehouse instanceof Error || warehouse.problem) failing.add("loading");
  if (!(line instanceof Error) && line.otherBucket !== undefined) failing.add("loading");
  if (next && isStanding(look, patience)) failing.add(next.stage);
  for (const stage of STAGES) {
    if (failing.has(stage)) on.push(`${stage}-errors`);
    if ((depths?.[stage].dead ?? 0) > 0) on.push(`${stage}-dead-letters`);
    const timeout = depths?.[stage].visibilityTimeout;
    const isOld = timeout !== undefined && lagOf(look) > timeout * thresholds.deliveries * 1000;
    if (isOld && next?.stage === stage && depths![stage].waiting > 0) on.push(`${stage}-backlog`);
  }
  const lately = now - thresholds.rejectedSeconds * 1000;
  if (recent.some((one) => one.quarantined > 0 && Date.parse(one.committed_at) > lately))
    on.push("rows-rejected");
  const since = warehouse instanceof Error ? null : warehouse.quarantinedSince;
  if (since && now - since.getTime() > thresholds.quarantineDays * 86_400_000)
    on.push("quarantine-age");
  const isLate = look.arrivals.some(
    ({ at, lagSeconds }) => lagSeconds > thresholds.lagSeconds && now - at < 300_000,
  );
  if (isLate) on.push("lag");
  if (look.isUnread) on.push("reading");
  return on;
}

function alarms(look: Look, patience: Patience): Check {
  const on = alarmsOn(look, patience);
  return {
    id: "alarms",
    title: "Alarms",
    status:
      on.length === 0 ? "ok" : on.every((one) => /^rows-rej|^quar/.test(one)) ? "warn" : "bad",
    value: `${whole(on.length)} on`,
    text:
      on.length === 0
        ? "By what is seen from here, none would be on in CloudWatch."
        : `By what is seen from here, on in CloudWatch: ${listed(on)}.`,
  };
}

function contract({ source }: Look, places: Places): Check {
  const check = { id: "contract", title: "Source" };
  if (source instanceof Error)
    return { ...check, status: "bad", value: "no answer", text: source.message };
  if (source.problem)
    return {
      ...check,
      status: "bad",
      value: "refused",
      text: source.problem.message,
      steps: [{ text: "See all that differs.", command: command(places, "doctor") }],
    };
  const more = source.undeclared.length;
  return {
    ...check,
    status: "ok",
    value: counted(source.tables, "table"),
    text:
      "All that the tables declare is there, and readable." +
      (more > 0 ? ` ${counted(more, "column is", "columns are")} there that no table uses.` : ""),
  };
}

function star({ warehouse }: Look, places: Places): Check {
  const check = { id: "warehouse", title: "Warehouse" };
  if (warehouse instanceof Error)
    return { ...check, status: "bad", value: "no answer", text: warehouse.message };
  if (warehouse.problem)
    return {
      ...check,
      status: "bad",
      value: "refused",
      text: warehouse.problem.message,
      steps: [{ text: "See all that differs.", command: command(places, "doctor") }],
    };
  const value = counted(warehouse.tables, "table");
  if (warehouse.tables === 0)
    return { ...check, status: "idle", value, text: "The loader makes them with the first batch." };
  return { ...check, status: "ok", value, text: "As the tables are declared." };
}

function lake({ line, now }: Look): Check {
  const check = { id: "chain", title: "Lake" };
  if (line instanceof Error)
    return { ...check, status: "bad", value: "no answer", text: line.message };
  const { newest, waiting, otherBucket } = line;
  if (otherBucket !== undefined)
    return {
      ...check,
      status: "bad",
      value: "another",
      text: ofAnotherLake(line, otherBucket),
    };
  if (!newest)
    return {
      ...check,
      status: "idle",
      value: "0 batches",
      text: "No manifest yet in either bucket.",
    };
  const text = waiting.length > 0 ? ` ${batches(waiting)} not loaded yet.` : " All are loaded.";
  return {
    ...check,
    status: "ok",
    value: counted(newest.batch, "batch", "batches"),
    text: `The newest was read at ${clock(newest.committed_at, now)}.${text}`,
  };
}
