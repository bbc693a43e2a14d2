import type { LoadedBatch } from "../../src/loading/load-batch.ts";
import { errorIn } from "../demo/log.ts";
import { changedRows } from "../demo/scene.ts";
import { counted, seconds, type Terminal } from "../../cli/terminal.ts";

/** How `sls offline` tells that a function threw which the schedule had started: the class, and the message. */
const SCHEDULED = /Failed to execute scheduled function: \[\w+\] Error: (?:\w+: )?(.+)/;

/** Says in the terminal what the functions print: each load, and each failure once. */
export class Report {
  readonly #terminal: Terminal;
  #complaint = "";

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** Takes a line of the functions, or of `sls offline`. */
  line(line: string): void {
    const loaded = loadedIn(line);
    if (loaded) this.#loaded(loaded);
    const failure = errorIn(line) ?? SCHEDULED.exec(line)?.[1];
    if (failure !== undefined) this.complain(failure);
  }

  /** Forgets what was said: what fails from now on fails anew. */
  forget(): void {
    this.#complaint = "";
  }

  /** What failed, unless that was the last thing said: it is tried again and again. */
  complain(failure: string): void {
    if (failure === this.#complaint) return;
    this.#complaint = failure;
    this.#terminal.alarm(failure);
  }

  #loaded(loaded: LoadedBatch): void {
    this.forget();
    const { batch, lagSeconds, rejected } = loaded;
    const rows = changedRows([loaded]).map(([table, count]) => `${table} ${count}`);
    this.#terminal.field(
      `Batch ${batch}`,
      [
        rows.join(", ") || "no row is new or changed",
        ...(rejected > 0 ? [`${counted(rejected, "row")} in quarantine`] : []),
        `${seconds(lagSeconds * 1000)} after it was read`,
      ].join("; "),
    );
  }
}

/** What a line of the loading function says of a batch; undefined of any other line. */
function loadedIn(line: string): LoadedBatch | undefined {
  if (!line.includes('"message":"loading: loaded"')) return undefined;
  try {
    return JSON.parse(line) as LoadedBatch;
  } catch {
    // Two functions printed at once.
    return undefined;
  }
}
