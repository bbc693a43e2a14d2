import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { FromLane, ToLane } from "./lane-process.ts";
import type { Outcome } from "./scenario.ts";

/** A lane, in a process of its own. */
export class LaneProcess {
  readonly #child: ChildProcess;
  readonly ready: Promise<void>;

  constructor() {
    this.#child = fork(fileURLToPath(new URL("lane-process.ts", import.meta.url)), [], {
      execArgv: ["--import", import.meta.resolve("tsx")],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    this.ready = this.#answer().then(() => undefined);
  }

  async play(asked: ToLane): Promise<Outcome> {
    this.#child.send(asked);
    const answer = await this.#answer();
    if ("outcome" in answer) return answer.outcome;
    throw new Error(
      `scenario ${asked.seed} cannot be played: ${"error" in answer ? answer.error : "no answer"}`,
    );
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    if (this.#child.connected) this.#child.disconnect();
    await ended;
  }

  async #answer(): Promise<FromLane> {
    const abort = new AbortController();
    try {
      const { signal } = abort;
      return await Promise.race([
        once(this.#child, "message", { signal }).then(([answer]) => answer as FromLane),
        once(this.#child, "exit", { signal }).then(([code, by]) => {
          throw new Error(`a stack ended by itself: ${by ?? `exit status ${code}`}`);
        }),
      ]);
    } finally {
      abort.abort();
    }
  }
}
