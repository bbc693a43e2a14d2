import { scheduleEvent } from "../events.ts";
import type { Functions } from "./functions.ts";

/** Those that the rule of serverless.yml wakes. */
const WOKEN = ["ingestion", "transformation", "loading"] as const;

/**
 * Wakes the functions every so many seconds, as EventBridge does; a tick that comes while they are at work is left out.
 * What fails is in their log. Gives what ends it.
 */
export function startSchedule(functions: Functions, seconds: number): () => void {
  let isAtWork = false;
  const tick = async (): Promise<void> => {
    if (isAtWork) return;
    isAtWork = true;
    await Promise.allSettled(WOKEN.map((name) => functions[name].invoke(scheduleEvent(name))));
    isAtWork = false;
  };
  const timer = setInterval(() => void tick(), seconds * 1000);
  return () => clearInterval(timer);
}
