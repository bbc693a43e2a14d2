import { closeSync, openSync, readFileSync, truncateSync, writeSync } from "node:fs";

/**
 * A file of JSON lines, one for each change, in the order in which they happened. Appending is one synchronous call, so
 * no other request can come between a look at the state and its change.
 */
export class Journal<Entry> {
  readonly #file: number;
  /** What an earlier process wrote. */
  readonly past: readonly Entry[];

  /** Opens the file, or begins it. A last line that a crash cut off never happened: it is cut away. */
  constructor(path: string) {
    this.#file = openSync(path, "a+");
    const content = readFileSync(path);
    const end = content.lastIndexOf("\n") + 1;
    if (end < content.length) truncateSync(path, end);
    this.past = content
      .toString("utf8", 0, end)
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Entry);
  }

  append(entry: Entry): void {
    writeSync(this.#file, `${JSON.stringify(entry)}\n`);
  }

  close(): void {
    closeSync(this.#file);
  }
}
