/** Lines of text as the source sends them: bytes that nobody looks into but to count them and to cut between two. */

import { LINE_BYTES } from "../lake/objects.ts";

/** A source row that is too large for the lake. */
export class LineError extends Error {
  override readonly name = "LineError";
}

const NEWLINE = 10;

/** Whole lines, each with its newline. Where one chunk ends and the next begins means nothing. */
export interface Lines {
  readonly chunks: readonly Buffer[];
  readonly rows: number;
  readonly bytes: number;
}

const NO_LINES: Lines = { chunks: [], rows: 0, bytes: 0 };

/**
 * Whole lines, as many at a time as a chunk completes. What is left without a newline at the end is a line too.
 * @param table whose rows they are
 * @throws LineError for one that is longer than whoever reads the lake takes
 */
export async function* wholeLines(
  chunks: AsyncIterable<Buffer>,
  table = "a table",
): AsyncGenerator<Lines> {
  let begun: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    bytes += end > 0 ? chunk.indexOf(NEWLINE) : chunk.length;
    if (bytes >= LINE_BYTES)
      throw new LineError(
        `${table}: a row of more than ${LINE_BYTES} bytes of JSON; make it smaller, or grant SELECT on the table's other columns alone`,
      );
    if (end > 0) yield linesOf([...begun, chunk.subarray(0, end)]);
    if (end > 0) begun = [];
    if (end > 0) bytes = chunk.length - end;
    if (end < chunk.length) begun.push(chunk.subarray(end));
  }
  if (begun.length > 0) yield linesOf([...begun, Buffer.of(NEWLINE)]);
}

const linesOf = (chunks: readonly Buffer[]): Lines => ({
  chunks,
  rows: chunks.reduce((sum, chunk) => sum + countLines(chunk), 0),
  bytes: chunks.reduce((sum, chunk) => sum + chunk.length, 0),
});

function countLines(chunk: Buffer): number {
  let lines = 0;
  for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, at + 1)) lines++;
  return lines;
}

export const joined = (parts: readonly Lines[]): Lines => ({
  chunks: parts.flatMap(({ chunks }) => chunks),
  rows: parts.reduce((sum, { rows }) => sum + rows, 0),
  bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
});

/** As many lines as fit into `rows` and `bytes`, and the others. */
export function cut(lines: Lines, rows: number, bytes: number): readonly [fit: Lines, rest: Lines] {
  if (lines.rows <= rows && lines.bytes <= bytes) return [lines, NO_LINES];
  // Where the last line that fits ends: in which chunk, where in it, and how much lies before.
  let end = { chunk: 0, at: 0, rows: 0, bytes: 0 };
  let count = 0;
  let before = 0;
  scan: for (const [i, chunk] of lines.chunks.entries()) {
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, at + 1)) {
      if (++count > rows || before + at + 1 > bytes) break scan;
      end = { chunk: i, at: at + 1, rows: count, bytes: before + at + 1 };
    }
    before += chunk.length;
  }
  const split = lines.chunks[end.chunk]!;
  return [
    {
      chunks: [...lines.chunks.slice(0, end.chunk), split.subarray(0, end.at)],
      rows: end.rows,
      bytes: end.bytes,
    },
    {
      chunks: [split.subarray(end.at), ...lines.chunks.slice(end.chunk + 1)],
      rows: lines.rows - end.rows,
      bytes: lines.bytes - end.bytes,
    },
  ];
}

/** The first line, of lines that are there. */
export const firstLine = (lines: Lines): string =>
  Buffer.concat(cut(lines, 1, Infinity)[0].chunks).toString();

/** The last line, of lines that are there. */
export function lastLine({ chunks }: Lines): string {
  const found: Buffer[] = [];
  for (const chunk of chunks.toReversed()) {
    // Not the newline that it ends with.
    const before = chunk.length - (found.length === 0 ? 2 : 1);
    const start = before < 0 ? 0 : chunk.lastIndexOf(NEWLINE, before) + 1;
    found.unshift(chunk.subarray(start));
    if (start > 0) break;
  }
  return Buffer.concat(found).toString();
}
