import type { S3Client } from "@aws-sdk/client-s3";
import type { LoadedBatch } from "../../src/loading/load-batch.ts";
import { DAY } from "../totesys/calendar.ts";
import type { Database, Done, Random } from "../totesys/shop.ts";
import type { Service, Tick } from "./service.ts";
import { counted, listed, seconds, type Terminal } from "../../cli/terminal.ts";

/** What the acts play on. */
export interface Scene {
  readonly terminal: Terminal;
  readonly service: Service;
  readonly shop: Database;
  readonly warehouse: Database;
  readonly s3: S3Client;
  readonly processedBucket: string;
  /** Goes on from act to act, so that the same seed plays the same. */
  readonly chance: Random;
  readonly clock: Clock;
}

/** The shop's clock: what is written into created_at and last_updated. */
export class Clock {
  #now: number;

  private constructor(now: number) {
    this.#now = now;
  }

  /** A clock at 16:30 on the first working day after the newest row of the shop. */
  static async after(shop: Database): Promise<Clock> {
    const { newest } = await shop.one<{ newest: number }>(
      `select extract(epoch from greatest((select max(last_updated) from public.sales_order),
                                          (select max(last_updated) from public.purchase_order),
                                          (select max(last_updated) from public.payment)))::float8 * 1000
                as newest`,
    );
    let day = Math.floor(newest / DAY) * DAY + DAY;
    while ([0, 6].includes(new Date(day).getUTCDay())) day += DAY;
    return new Clock(day + 16.5 * 3_600_000);
  }

  /** Some minutes later. */
  later(minutes = 5): Date {
    this.#now += minutes * 60_000;
    return new Date(this.#now);
  }
}

/** Does something in the shop, ticks, waits until it has arrived, and says all of it. */
export async function perform<D extends Done>(
  { terminal, service }: Pick<Scene, "terminal" | "service">,
  change: () => Promise<D>,
): Promise<{ done: D; tick: Tick }> {
  const done = await change();
  const committedAt = performance.now();
  terminal.field("Shop", done.summary);
  const tick = await terminal.working("the schedule ticks", (now) => service.tick(now));
  terminal.field("Pipeline", story(tick, tick.arrivedAt - committedAt));
  return { done, tick };
}

/** What a tick did, and how long after the shop's commit it was in the warehouse. */
export function story({ ingested, transformed, loaded }: Tick, milliseconds: number): string {
  if (loaded.length === 0) return "Nothing new was found.";
  const batches = loaded.map(({ batch }) => String(batch));
  const read = sum(Object.values(ingested.rows));
  const made = sum(transformed.flatMap(({ rows }) => Object.values(rows)));
  return (
    `${batches.length === 1 ? "Batch" : "Batches"} ${listed(batches)}, in the warehouse ` +
    `${seconds(milliseconds)} after the shop's commit: ` +
    `${counted(read, "row")} read, ${counted(made, "star row")} made.`
  );
}

/** Rows that batches inserted into the warehouse or updated, by table; the greatest number first. */
export function changedRows(loaded: readonly LoadedBatch[]): [table: string, rows: number][] {
  const changed = new Map<string, number>();
  for (const { tables } of loaded)
    for (const [table, { changed: rows }] of Object.entries(tables))
      changed.set(table, (changed.get(table) ?? 0) + rows);
  return [...changed].filter(([, rows]) => rows > 0).sort(([, a], [, b]) => b - a);
}

/** The same, as a sentence. */
export function changes(loaded: readonly LoadedBatch[]): string {
  const rows = changedRows(loaded).map(([table, count]) => `${table} ${count}`);
  return rows.length === 0 ? "No row is new or changed." : `New or changed: ${rows.join(", ")}.`;
}

/** The sum of numbers. */
export const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
