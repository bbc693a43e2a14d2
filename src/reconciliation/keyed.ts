/** A table that is keyed by its source: compared range by range, by hash first, row by row where hashes differ. */
import type { Found } from "../transformation/star-rows.ts";
import { keyOf, type Source, type SourceRow, type Table } from "../table.ts";
import { ReconciliationError } from "./error.ts";
import {
  oneOf,
  sourceOrder,
  starOrder,
  within,
  type Cuts,
  type KeyRange,
  type KeyTexts,
} from "./key-ranges.ts";
import { differencesOf } from "./report.ts";
import { describe, same, type Candidate } from "./settle.ts";
import { format, idOf, keyOfRow, keyPlaces, sourceIds } from "./source-rows.ts";
import { Digester, isMarked, NOTHING, type Texts } from "./texts.ts";
import type { RangeDigest, StarRow } from "./warehouse-rows.ts";
import { Settling, type Work } from "./work.ts";

export class KeyedTable {
  readonly table: Table;
  readonly source: Source;
  readonly #work: Work;
  readonly #settling: Settling;
  readonly #idOf: (row: SourceRow) => string | undefined;
  readonly #places: readonly number[];
  /** What the warehouse's ranges come to, by number; undefined where each range is looked at. */
  #digests: ReadonlyMap<number, RangeDigest> | undefined;
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

  /**
   * Asks the warehouse what ranges come to, before their rows are taken.
   * @param chosen the ranges that are compared; all where undefined
   */
  async ask({ bounds }: Cuts, chosen: readonly number[] | undefined): Promise<void> {
    const { hashes, tally } = this.#work;
    this.#digests = await tally(this.table).timed(() => hashes.digests(this.table, bounds, chosen));
  }

  /**
   * Compares the rows of one range, with what they look up: all that is held of the table, beside the candidates that wait to
   * be settled.
   * @throws ReconciliationError for a row without its source row's key, after differences were told
   */
  async take(at: number, range: KeyRange, rows: readonly SourceRow[], found: Found): Promise<void> {
    if (!this.#isKeyed) return;
    const { texts, rejected } = format(this.table, this.source, rows, found);
    const byId = new Map(rows.map((row) => [this.#idOf(row), row]));
    const strange = texts.find((row) => !byId.has(this.#idOfStar(row)));
    if (strange) return this.#giveUp(strange, rows, found);
    const tally = this.#work.tally(this.table);
    tally.rows += rows.length;
    tally.quarantined += rejected.length;
    if (this.#isEqual(at, texts)) return;
    tally.descended++;
    await tally.timed(() => this.#compare(range, byId, texts, rejected));
  }

  /** Settles what is left, after all ranges were taken. */
  async end(): Promise<void> {
    if (this.#isKeyed) await this.#work.tally(this.table).timed(() => this.#settling.end());
  }

  #isEqual(at: number, texts: readonly Texts[]): boolean {
    if (this.#digests === undefined) return false;
    const { digest, repeats } = this.#digests.get(at) ?? { digest: NOTHING, repeats: 0 };
    if (repeats > 0) return false;
    const digester = new Digester(this.table);
    for (const row of texts) digester.add(row);
    return digester.digest === digest;
  }

  async #compare(
    range: KeyRange,
    byId: ReadonlyMap<string | undefined, SourceRow>,
    texts: readonly Texts[],
    rejected: readonly SourceRow[],
  ): Promise<void> {
    const { table, source } = this;
    const order = starOrder(table);
    // What changed since a batch is a part of its range.
    const wanted = this.#work.isSince
      ? oneOf(order, "t", this.#keysOf(byId))
      : within(order, "t", range);
    const found = new Map<string, Texts>();
    const repeats: StarRow[] = [];
    for await (const rows of this.#work.warehouse.rows(table, wanted))
      for (const row of rows) {
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
    for (const [id, there] of found) if (!isMarked(table, there)) add(id, undefined, there);
    await this.#settling.add(await this.#withoutPending(range, candidates));
    await this.#settling.repeated(repeats);
  }

  /** Those whose source row did not change after the batch. */
  async #withoutPending(
    range: KeyRange,
    candidates: readonly Candidate[],
  ): Promise<readonly Candidate[]> {
    if (candidates.length === 0) return [];
    const { table, source } = this;
    const { source: reader, isPending, tally } = this.#work;
    const order = sourceOrder(source, reader.catalogue.get(source.name)!);
    const changed = `(${isPending(table, source)}) and ${within(order, "t", range)}`;
    const pending = new Set<string>();
    for await (const rows of reader.meanwhile(source, changed))
      for (const row of rows) pending.add(JSON.stringify(keyOfRow(source, row)));
    const left = candidates.filter((one) => !pending.has(JSON.stringify(one.source!.key)));
    tally(table).pending += candidates.length - left.length;
    return left;
  }

  /** One of `rows` made a star row that has not the key of any of them. */
  #giveUp(strange: Texts, rows: readonly SourceRow[], found: Found): void {
    const { table, source } = this;
    this.#isKeyed = false;
    if (differencesOf(this.#work.tally(table).report()) === 0) return;
    const id = this.#idOfStar(strange);
    const maker = rows.find((row) =>
      format(table, source, [row], found).texts.some((made) => this.#idOfStar(made) === id),
    )!;
    throw new ReconciliationError(
      `${table.name} cannot be compared, and what was named of it till now may be wrong: ${source.name} ` +
        `${JSON.stringify(keyOfRow(source, maker))} makes a row with the key ${JSON.stringify(describe(table, { found: strange }).key)}, ` +
        "while the rows before it made rows with their own keys: have its format do so for all rows, or give it another key",
    );
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
