import { readdirSync, readFileSync } from "node:fs";

/** Of Linux on every machine that Node runs on. */
const TICKS_A_SECOND = 100;

/**
 * CPU seconds that a process' children have used so far, those that have ended among them; their children are not looked
 * for, for PostgreSQL's have none. undefined where there is no /proc to ask.
 */
export function cpuOfChildren(pid: number): number | undefined {
  for (;;) {
    const before = statOf(pid);
    const alive = readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map((name) => statOf(Number(name)))
      .filter((stat) => stat?.parent === pid)
      .reduce((sum, stat) => sum + (stat?.own ?? 0), 0);
    const after = statOf(pid);
    if (!before || !after) return undefined;
    // One that ended in between is in neither sum.
    if (before.ofEnded === after.ofEnded) return (after.ofEnded + alive) / TICKS_A_SECOND;
  }
}

/** In ticks. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
function statOf(pid: number): { parent: number; own: number; ofEnded: number } | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    // It ended meanwhile, or this is not Linux.
    return undefined;
  }
  // From the third field on: the second is a name, which may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [parent, user, system, endedUser, endedSystem] = [1, 11, 12, 13, 14].map((field) =>
    Number(fields[field]),
  ) as [number, number, number, number, number];
  return { parent, own: user + system, ofEnded: endedUser + endedSystem };
}
