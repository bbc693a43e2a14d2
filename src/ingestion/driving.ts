import type { LinesFile } from "../lake/lines-file.ts";
import type { Source } from "../table.ts";
import { keyIn, sameKey, type Key, type Range } from "./keyset.ts";
import { cut, firstLine, joined, lastLine, type Lines } from "./lines.ts";

/** Driving rows of one source, one after the other in the order of its key. */
export interface Part extends Range {
  readonly source: Source;
  readonly rows: number;
  /** The rows, unless they are in `file` already. */
  readonly lines: Lines;
  readonly file?: LinesFile | undefined;
}

/** What a batch may hold: no more than this, and one row at least. */
export interface Limits {
  readonly rows: number;
  /** Of the rows as lines of JSON, before compression. */
  readonly bytes: number;
}

/** Where reading goes on. */
export interface Position {
  readonly source: Source;
  readonly after: Key | null;
}

/** Lines of a source; null: it has no more. */
interface Piece {
  readonly source: Source;
  readonly lines: Lines | null;
}

/** The driving rows of a run, source after source, to be taken a batch at a time. */
export class DrivingRows {
  readonly #pieces: AsyncGenerator<Piece>;
  /** Read, and not taken yet. */
  readonly #ahead: Piece[] = [];
  #position: Position | null;

  /**
   * @param order sources, the first of which is read after `after`
   * @param read the lines of a source's driving rows after a key, in the order of its key
   */
  constructor(
    order: readonly Source[],
    after: Key | null,
    read: (source: Source, after: Key | null) => AsyncIterable<Lines>,
  ) {
    const [first] = order;
    this.#position = first ? { source: first, after } : null;
    this.#pieces = (async function* () {
      for (const source of order) {
        for await (const lines of read(source, source === first ? after : null))
          yield { source, lines };
        yield { source, lines: null };
      }
    })();
  }

  /** Where the rows lie that are not taken yet; null where there are none. */
  get position(): Position | null {
    return this.#position;
  }

  /**
   * Rows up to `limits`, or fewer when it is late, but one at least; nothing where no row is left.
   * @param open gives the file that a source's rows may go into as they come; none, where they may have to be given back
   */
  async take(
    limits: Limits,
    isLate: () => boolean,
    open: (source: Source) => LinesFile | undefined = () => undefined,
  ): Promise<Part[]> {
    const parts: Begun[] = [];
    const room = { ...limits };
    let late = false;
    for (;;) {
      const piece = await this.#peek();
      if (!piece) {
        this.#position = null;
        break;
      }
      const { source, lines } = piece;
      if (source !== this.#position?.source) this.#position = { source, after: null };
      const begun = parts.at(-1)?.source === source ? parts.at(-1) : undefined;
      if (!lines) {
        this.#ahead.shift();
        if (begun) begun.ended = true;
        if (late) break;
        continue;
      }
      const [fit, rest] = cutBetweenKeys(source, begun?.last, lines, room);
      // A row that is larger than a batch may be is a batch of its own.
      const [taken, left] =
        fit.rows === 0 && parts.length === 0 ? cut(lines, 1, Infinity) : [fit, rest];
      if (taken.rows === 0) break;
      this.#ahead.splice(0, 1, ...(left.rows > 0 ? [{ source, lines: left }] : []));
      const part = begun ?? {
        source,
        after: this.#position.after,
        ended: false,
        rows: 0,
        lines: [],
        // Rows are given back from the end: what comes after some that may be, may be too.
        file: parts.every(({ file }) => file) ? open(source) : undefined,
        last: taken,
      };
      if (!begun) parts.push(part);
      if (part.file) await part.file.write(taken.chunks);
      else part.lines.push(taken);
      part.last = taken;
      part.rows += taken.rows;
      room.rows -= taken.rows;
      room.bytes -= taken.bytes;
      // Then rows of the same key are all that still has room.
      late ||= isLate();
      if (late) room.rows = 0;
    }
    const last = parts.at(-1);
    if (last && this.#position?.source === last.source)
      this.#position = { source: last.source, after: lastKey(last.source, last.last) };
    return parts.map(({ source, rows, lines, file, after, ended, last: end }) => ({
      source,
      rows,
      lines: joined(lines),
      file,
      after,
      upTo: ended ? null : lastKey(source, end),
    }));
  }

  /** Has rows come again that were taken last. */
  giveBack(parts: readonly Part[]): void {
    const [first] = parts;
    if (!first) return;
    const pieces = parts.flatMap(({ source, lines, upTo }): Piece[] => [
      { source, lines },
      ...(upTo ? [] : [{ source, lines: null }]),
    ]);
    this.#ahead.unshift(...pieces);
    this.#position = { source: first.source, after: first.after };
  }

  /** Ends the reading, wherever it is. */
  async close(): Promise<void> {
    await this.#pieces.return(undefined);
  }

  async #peek(): Promise<Piece | undefined> {
    if (this.#ahead.length === 0) {
      const { value, done } = await this.#pieces.next();
      if (done) return undefined;
      this.#ahead.push(value);
    }
    return this.#ahead[0];
  }
}

/** A part while it grows. */
interface Begun {
  readonly source: Source;
  readonly after: Key | null;
  readonly lines: Lines[];
  readonly file: LinesFile | undefined;
  rows: number;
  /** What was added last. */
  last: Lines;
  ended: boolean;
}

const lastKey = (source: Source, lines: Lines): Key => keyIn(lastLine(lines), source);

/**
 * Cuts where the limits say, but not between rows of one key, which a view or a table without a primary key may have: a
 * run goes on after a key.
 * @param before lines of the same batch that come before
 */
function cutBetweenKeys(
  source: Source,
  before: Lines | undefined,
  lines: Lines,
  { rows, bytes }: Limits,
): readonly [Lines, Lines] {
  let [fit, rest] = cut(lines, rows, bytes);
  while (rest.rows > 0) {
    const last = fit.rows > 0 ? fit : before;
    if (!last || !sameKey(keyIn(lastLine(last), source), keyIn(firstLine(rest), source))) break;
    const [one, others] = cut(rest, 1, Infinity);
    fit = joined([fit, one]);
    rest = others;
  }
  return [fit, rest];
}
