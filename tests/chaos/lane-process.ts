// A lane in a process of its own: plays the seeds that it is sent, one after the other, and answers with what became of
// each.
import { drawPlan } from "./plan.ts";
import { startLane, type Lane } from "./lane.ts";
import { record } from "./record.ts";
import { play, type Outcome } from "./scenario.ts";

/** What a lane is asked. */
export interface ToLane {
  readonly seed: number;
  readonly kinds: readonly string[];
}

/** First that it is ready, then an outcome for each seed. */
export type FromLane =
  | { readonly ready: true }
  | { readonly outcome: Outcome }
  | { readonly error: string };

// Nobody is told anything who is gone.
const send = (message: FromLane): void => void (process.connected && process.send?.(message));

// A person's Ctrl-C comes to all processes of a terminal: it is the command that ends us.
process.on("SIGINT", () => undefined);
let lane: Lane | undefined;
process.on("disconnect", () => {
  // What is under way may hold what stopping waits for; the watchdogs tidy up after us all the same.
  setTimeout(() => process.exit(), 3_000);
  void lane?.stop().finally(() => process.exit());
});
const started = (lane = await startLane());
await record(started);
process.on("message", ({ seed, kinds }: ToLane) => void answer(seed, kinds));
send({ ready: true });

async function answer(seed: number, kinds: readonly string[]): Promise<void> {
  try {
    send({ outcome: await play(started, drawPlan(seed, kinds, started.points)) });
  } catch (error) {
    send({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}
