import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { FromLane, ToLane } from "./lane-process.ts";
import type { Outcome } from "./scenario.ts";

/** A lane, in a process of its own. */
export class LaneProcess {
  #child = start();
  readonly ready: Promise<unknown> = answerOf(this.#child);

  /**
   * Plays a scenario. A stack that broke with it, as one that starves may, is started anew, and the scenario with it.
   * @throws Error where it breaks again
   */
  async play(asked: ToLane): Promise<Outcome> {
    try {
      return await this.#play(asked);
    } catch {
      await this.stop();
      this.#child = start();
      await answerOf(this.#child);
      return this.#play(asked);
    }
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    if (this.#child.connected) this.#child.disconnect();
    await ended;
  }

  async #play(asked: ToLane): Promise<Outcome> {
    this.#child.send(asked);
    const answer = await answerOf(this.#child);
    if ("outcome" in answer) return answer.outcome;
    throw new Error(
      `scenario ${asked.seed} cannot be played: ${"error" in answer ? answer.error : "no answer"}`,
    );
  }
}

function start(): ChildProcess {
  return fork(fileURLToPath(new URL("lane-process.ts", import.meta.url)), [], {
    execArgv: ["--import", import.meta.resolve("tsx")],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
}

async function answerOf(child: ChildProcess): Promise<FromLane> {
  const abort = new AbortController();
  try {
    const { signal } = abort;
    return await Promise.race([
      once(child, "message", { signal }).then(([answer]) => answer as FromLane),
      once(child, "exit", { signal }).then(([code, by]) => {
        throw new Error(`a stack ended by itself: ${by ?? `exit status ${code}`}`);
      }),
    ]);
  } finally {
    abort.abort();
  }
}
