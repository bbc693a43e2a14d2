import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import path from "node:path";
import type { Stack } from "../stack.ts";

/**
 * Begins a log file anew, and gives what writes a line into it, until the stack stops.
 * @throws Error where the file cannot be written
 */
export function openLog(stack: Pick<Stack, "defer">, file: string): (line: string) => void {
  mkdirSync(path.dirname(file), { recursive: true });
  closeSync(openSync(file, "w"));
  // Appending keeps lines whole where two runs write to one log.
  const log = openSync(file, "a");
  let isOpen = true;
  stack.defer("log", () => {
    isOpen = false;
    closeSync(log);
  });
  return (line) => {
    if (isOpen) writeSync(log, `${line}\n`);
  };
}

/** The message of a function's log line that tells of an error; undefined where it does not, or is no JSON. */
export function errorIn(line: string): string | undefined {
  if (!line.includes('"level":"ERROR"')) return undefined;
  const message = /"message":("(?:[^"\\]|\\.)*")/.exec(line)?.[1];
  return message === undefined ? undefined : String(JSON.parse(message));
}
