import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { isOurs, LOCAL_FOLDER, removeState, runningStack, type StackState } from "./state.ts";

/** Longest that the process may take to stop all in good order, in milliseconds; then the watchdogs do it. */
const PATIENCE_MS = 20_000;
const POLL_MS = 20;

/** The stack does not stop. */
export class StopError extends Error {
  override readonly name = "StopError";
}

/**
 * Stops the stack that is up, and waits until all of it is gone. Gives the one that was; undefined where there was none.
 * @throws StopError where its process cannot be ended, or its PostgreSQL does not end with it
 */
export async function stopStack(folder = LOCAL_FOLDER): Promise<StackState | undefined> {
  const state = runningStack(folder);
  if (!state) return undefined;
  const { pid } = state;
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    signalTo(pid, signal);
    const until = performance.now() + PATIENCE_MS;
    while (isOurs(pid) && performance.now() < until) await delay(POLL_MS);
    if (isOurs(pid)) continue;
    // Of one that was killed a watchdog stops PostgreSQL, a moment later.
    const { host, port } = state.source;
    const patience = performance.now() + PATIENCE_MS;
    while (await isOpen(state.source)) {
      if (performance.now() > patience)
        throw new StopError(
          `the stack's process has ended, and ${host}:${port}, where its PostgreSQL was, is still answered: end what does it by hand`,
        );
      await delay(POLL_MS);
    }
    removeState(folder);
    return state;
  }
  throw new StopError(
    `process ${pid}, which all of the stack ends with, does not end; end it by hand`,
  );
}

async function isOpen({ host, port }: StackState["source"]): Promise<boolean> {
  const socket = connect({ host, port });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EPERM")
      throw new StopError(`process ${pid} is another user's: stop the stack as that user`, {
        cause: error,
      });
    // It went by itself.
    if (code !== "ESRCH") throw error;
  }
}
