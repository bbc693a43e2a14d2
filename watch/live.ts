/** Live events, to every page that is open. */
import type { ServerResponse } from "node:http";
import {
  STATIONS,
  type BatchSummary,
  type Overview,
  type StageEvent,
} from "../src/operations/types.ts";

const EVERY_MS = 1000;

/** Looks at the pipeline while somebody listens, and tells what changed. */
export class Live {
  readonly #look: () => Promise<Overview>;
  readonly #every: number;
  readonly #listeners = new Set<ServerResponse>();
  #timer: NodeJS.Timeout | undefined;
  #before: Overview | undefined;
  #isClosed = false;

  constructor(look: () => Promise<Overview>, every = EVERY_MS) {
    this.#look = look;
    this.#every = every;
  }

  /** Answers with events until the page is closed. */
  join(reply: ServerResponse): void {
    reply.writeHead(200, { "content-type": "text/event-stream" });
    // The browser comes back after as many milliseconds.
    reply.write("retry: 1000\n\n");
    this.#listeners.add(reply);
    reply.on("close", () => this.#listeners.delete(reply));
    if (this.#before) write(reply, "overview", this.#before);
    if (this.#listeners.size === 1 && this.#timer === undefined) this.#lookAgain(0);
  }

  /** Ends all that listen. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const reply of this.#listeners) reply.end();
  }

  #lookAgain(after: number): void {
    this.#timer = setTimeout(() => void this.#tell(), after);
  }

  async #tell(): Promise<void> {
    // A pipeline that cannot be asked now is asked again: the answers themselves say what is wrong.
    const now = await this.#look().catch(() => undefined);
    this.#timer = undefined;
    if (this.#isClosed) return;
    if (this.#listeners.size === 0) {
      // Whoever comes next is not told what happened meanwhile as if it happened then.
      this.#before = undefined;
      return;
    }
    if (now) {
      const moves = this.#before ? stagesBetween(this.#before, now) : [];
      if (textOf(now) !== textOf(this.#before)) this.#send("overview", now);
      for (const move of moves) this.#send("stage", move);
      this.#before = now;
    }
    this.#lookAgain(this.#every);
  }

  #send(event: string, data: object): void {
    for (const reply of this.#listeners) write(reply, event, data);
  }
}

function write(reply: ServerResponse, event: string, data: object): void {
  reply.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

/** All but the clock. */
const textOf = (overview: Overview | undefined): string =>
  overview === undefined ? "" : JSON.stringify({ ...overview, now: "" });

/** The last station that a batch came to. */
function stationOf({ status, stages }: BatchSummary): number {
  if (status === "loaded") return STATIONS.indexOf("warehouse");
  return STATIONS.indexOf(stages.transformation ? "processed_bucket" : "ingestion_bucket");
}

/** The stations that batches came to between two looks, batch by batch, in order. */
export function stagesBetween(before: Overview, now: Overview): StageEvent[] {
  const known = new Map(before.recent.map((summary) => [summary.batch, stationOf(summary)]));
  return now.recent
    .filter(({ batch }) => batch > before.batches || known.has(batch))
    .toSorted((a, b) => a.batch - b.batch)
    .flatMap((summary) => {
      const from = known.get(summary.batch) ?? -1;
      return STATIONS.slice(from + 1, stationOf(summary) + 1).map((station) => ({
        batch: summary.batch,
        station,
        at: now.now,
      }));
    });
}
