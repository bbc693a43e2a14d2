/** A table that is keyed by its source: compared range by range, by hash first, row by row where hashes differ. */
import type { Found } from "../transformation/star-rows.ts";
import { keyOf, type Source, type SourceRow, type Table } from "../table.ts";
import {
  oneOf,
  sourceOrder,
  starOrder,
  within,
  type Cuts,
  type KeyRange,
  type KeyTexts,
} from "./key-ranges.ts";
import { same, type Candidate } from "./settle.ts";
import { format, idOf, keyOfRow, keyPlaces, sourceIds } from "./source-rows.ts";
import { Digester, NOTHING, type Digest, type Texts } from "./texts.ts";
import type { RangeDigest, StarRow } from "./warehouse-rows.ts";
import { Settling, type Work } from "./work.ts";

/** Ranges, one after the other, whose rows are read at once. */
const RANGES_AT_ONCE = 5;

export class KeyedTable {
  readonly table: Table;
  readonly source: Source;
  readonly #work: Work;
  readonly #settling: Settling;
  readonly #idOf: (row: SourceRow) => string | undefined;
  readonly #places: readonly number[];
  /** Of the expected rows, by the number of the range. */
  readonly #digests = new Map<number, Digest>();
  #isKeyed = true;

  constructor(table: Table, work: Work) {
    this.table = table;
    this.source = table.sources[0]!;
    this.#work = work;
    this.#settling = new Settling(table, work);
    this.#idOf = sourceIds(table, this.source);
    this.#places = keyPlaces(table);
  }

  /** False once a formatted row had another key than its source row: what was found till then means nothing. */
  get isKeyed(): boolean {
    return this.#isKeyed;
  }

  /** Takes the rows of one range, with what they look up. */
  take(range: number, rows: readonly SourceRow[], found: Found): void {
    if (!this.#isKeyed) return;
    const { texts, rejected } = format(this.table, this.source, rows, found);
    if (!this.#haveOwnKeys(rows, texts)) return;
    const digester = new Digester(this.table);
    for (const row of texts) digester.add(row);
    this.#digests.set(range, digester.digest);
    const tally = this.#work.tally(this.table);
    tally.rows += rows.length;
    tally.quarantined += rejected.length;
  }

  /** The numbers of the ranges that differ. @param chosen those that were compared */
  differing(chosen: readonly number[], found: ReadonlyMap<number, RangeDigest>): number[] {
    return chosen.filter((range) => {
      const theirs = found.get(range);
      const expected = this.#digests.get(range) ?? NOTHING;
      return (theirs?.digest ?? NOTHING) !== expected || (theirs?.repeats ?? 0) > 0;
    });
  }

  /**
   * Compares the rows of ranges.
   * @param ranges in ascending order
   * @param counts whether their rows were not counted yet
   */
  async descend(ranges: readonly number[], { bounds }: Cuts, counts: boolean): Promise<void> {
    this.#work.tally(this.table).descended += ranges.length;
    for (const [first, last] of neighbours(ranges, RANGES_AT_ONCE)) {
      await this.#compare({ from: bounds[first - 1] ?? null, to: bounds[last] ?? null }, counts);
      if (!this.#isKeyed) return;
    }
    await this.#settling.end();
  }

  async #compare(range: KeyRange, counts: boolean): Promise<void> {
    const { table, source } = this;
    const { source: reader, warehouse, isSince } = this.#work;
    const order = sourceOrder(source, reader.catalogue.get(source.name)!);
    const inRange = within(order, "t", range);
    const rows = await all(reader.rows(source, `(${this.#work.where(source)}) and ${inRange}`));
    const { texts, rejected } = format(
      table,
      source,
      rows,
      await reader.look([table], source, rows),
    );
    if (!this.#haveOwnKeys(rows, texts)) return;
    if (counts) {
      const tally = this.#work.tally(table);
      tally.rows += rows.length;
      tally.quarantined += rejected.length;
    }
    const byId = new Map(rows.map((row) => [this.#idOf(row), row]));
    const wanted = isSince
      ? oneOf(starOrder(table), "t", this.#keysOf(byId))
      : within(starOrder(table), "t", range);
    const found = new Map<string, Texts>();
    const repeats: StarRow[] = [];
    for (const row of await all(warehouse.rows(table, wanted))) {
      if (row.isLatest) found.set(this.#idOfStar(row.texts), row.texts);
      if (row.repeats !== null) repeats.push(row);
    }
    const inQuarantine = new Set(rejected);
    const candidates: Candidate[] = [];
    const add = (id: string, expected: Texts | undefined, there: Texts | undefined): void => {
      const row = byId.get(id);
      const atSource = row ? (inQuarantine.has(row) ? "a row in quarantine" : "a row") : "nothing";
      const key = row ? keyOfRow(source, row) : this.#keyOfStar((there ?? expected)!);
      candidates.push({ expected, found: there, atSource, source: { table: source.name, key } });
    };
    for (const row of texts) {
      const id = this.#idOfStar(row);
      const there = found.get(id);
      found.delete(id);
      if (!there || !same(row, there)) add(id, row, there);
    }
    for (const [id, there] of found) add(id, undefined, there);
    await this.#settling.add(await this.#withoutPending(inRange, candidates));
    await this.#settling.repeated(repeats);
  }

  /** Those whose source row did not change after the batch. */
  async #withoutPending(
    inRange: string,
    candidates: readonly Candidate[],
  ): Promise<readonly Candidate[]> {
    if (candidates.length === 0) return [];
    const { table, source } = this;
    const changed = this.#work.isPending(table, source);
    const pending = new Set<string>();
    for await (const rows of this.#work.source.rows(source, `(${changed}) and ${inRange}`))
      for (const row of rows) pending.add(JSON.stringify(keyOfRow(source, row)));
    const left = candidates.filter((one) => !pending.has(JSON.stringify(one.source!.key)));
    this.#work.tally(table).pending += candidates.length - left.length;
    return left;
  }

  /** Sees whether each star row has the key of one of `rows`. */
  #haveOwnKeys(rows: readonly SourceRow[], texts: readonly Texts[]): boolean {
    const ids = new Set(rows.map(this.#idOf));
    this.#isKeyed &&= texts.every((row) => ids.has(this.#idOfStar(row)));
    return this.#isKeyed;
  }

  #idOfStar(texts: Texts): string {
    return idOf(this.#places.map((at) => texts[at]!));
  }

  /** The key of a star row, as its source has it. */
  #keyOfStar(texts: Texts): Record<string, string | null> {
    return Object.fromEntries(
      keyOf(this.source).map((column, at) => [column, texts[this.#places[at]!]!]),
    );
  }

  #keysOf(byId: ReadonlyMap<string | undefined, SourceRow>): KeyTexts[] {
    return [...byId.keys()].flatMap((id) => {
      if (id === undefined) return [];
      return [this.#places.length === 1 ? [id] : (JSON.parse(id) as string[])];
    });
  }
}

/** Runs of neighbouring numbers, the first and the last of each; none longer than `most`. */
export function* neighbours(
  numbers: readonly number[],
  most: number,
): Generator<[first: number, last: number]> {
  let run: [number, number] | undefined;
  for (const number of numbers) {
    if (run && number === run[1] + 1 && number - run[0] < most) run[1] = number;
    else {
      if (run) yield run;
      run = [number, number];
    }
  }
  if (run) yield run;
}

async function all<T>(pieces: AsyncIterable<readonly T[]>): Promise<T[]> {
  const found: T[] = [];
  for await (const piece of pieces) for (const one of piece) found.push(one);
  return found;
}
