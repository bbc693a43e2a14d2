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
import { format, idOf, keyOfRow, keyPlaces, sourceIds, type Formatted } from "./source-rows.ts";
import { Digester, isMarked, NOTHING, type Digest, type Texts } from "./texts.ts";
import type { RangeDigest, StarRow } from "./warehouse-rows.ts";
import { Settling, type Work } from "./work.ts";

/** Rows of the warehouse that are held at once: a range of the source's may have any number of them, which it lacks. */
const ROWS_AT_ONCE = 10_000;
const NO_ROWS: RangeDigest = { digest: NOTHING, rows: 0, repeats: 0 };

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
   * Compares the rows of one range, with what they look up. These, some of the warehouse's rows at a time and the candidates
   * that wait to be settled are all that is held of the table.
   * @throws ReconciliationError for a row without its source row's key, after differences were told
   */
  async take(at: number, range: KeyRange, rows: readonly SourceRow[], found: Found): Promise<void> {
    if (!this.#isKeyed) return;
    const formatted = format(this.table, this.source, rows, found);
    const { texts, rejected } = formatted;
    const byId = new Map(rows.map((row) => [this.#idOf(row), row]));
    const strange = texts.find((row) => !byId.has(this.#idOfStar(row)));
    if (strange) return this.#giveUp(strange, rows, found);
    const tally = this.#work.tally(this.table);
    tally.rows += rows.length;
    tally.quarantined += rejected.length;
    await this.#settling.rejected(this.source, rejected);
    const theirs = this.#digests && (this.#digests.get(at) ?? NO_ROWS);
    if (theirs && theirs.repeats === 0 && theirs.digest === this.#digestOf(texts)) return;
    tally.descended++;
    await tally.timed(async () => {
      // Of a part of the range, as what changed since a batch is, the keys say which rows are wanted.
      const parts = theirs
        ? await this.#partsOf(range, theirs)
        : [oneOf(starOrder(this.table), "t", this.#keysOf(byId))];
      await this.#compare(range, parts, byId, formatted);
    });
  }

  /** Settles what is left, after all ranges were taken. */
  async end(): Promise<void> {
    if (this.#isKeyed) await this.#work.tally(this.table).timed(() => this.#settling.end());
  }

  #digestOf(texts: readonly Texts[]): Digest {
    const digester = new Digester(this.table);
    for (const row of texts) digester.add(row);
    return digester.digest;
  }

  /** Conditions that are true of the warehouse's rows `t` of a range, of some at a time. */
  async #partsOf(range: KeyRange, { rows }: RangeDigest): Promise<string[]> {
    const { warehouse } = this.#work;
    const bounds = rows > ROWS_AT_ONCE ? await warehouse.cuts(this.table, range, ROWS_AT_ONCE) : [];
    return Array.from({ length: bounds.length + 1 }, (_, at) => {
      const part = { from: bounds[at - 1] ?? range.from, to: bounds[at] ?? range.to };
      return within(starOrder(this.table), "t", part);
    });
  }

  async #compare(
    range: KeyRange,
    parts: readonly string[],
    byId: ReadonlyMap<string | undefined, SourceRow>,
    { texts, rejected }: Formatted,
  ): Promise<void> {
    const { table, source } = this;
    const expected = new Map(texts.map((row) => [this.#idOfStar(row), row]));
    const inQuarantine = new Set(rejected);
    const candidateOf = (
      id: string,
      mine: Texts | undefined,
      found: Texts | undefined,
    ): Candidate => {
      const row = byId.get(id);
      const atSource = row ? (inQuarantine.has(row) ? "a row in quarantine" : "a row") : "nothing";
      const key = row ? keyOfRow(source, row) : this.#keyOfStar((found ?? mine)!);
      return { expected: mine, found, atSource, source: { table: source.name, key } };
    };
    for (const part of parts) {
      const candidates: Candidate[] = [];
      const repeats: StarRow[] = [];
      // To the end, before anything else is asked of the warehouse: it is one connection.
      for await (const rows of this.#work.warehouse.rows(table, part))
        for (const row of rows) {
          if (row.repeats !== null) repeats.push(row);
          if (!row.isLatest) continue;
          const id = this.#idOfStar(row.texts);
          const mine = expected.get(id);
          expected.delete(id);
          if (mine ? !same(mine, row.texts) : !isMarked(table, row.texts))
            candidates.push(candidateOf(id, mine, row.texts));
        }
      await this.#settling.add(await this.#withoutPending(range, candidates));
      await this.#settling.repeated(repeats);
    }
    const missing = [...expected].map(([id, mine]) => candidateOf(id, mine, undefined));
    await this.#settling.add(await this.#withoutPending(range, missing));
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
    if (pending.size === 0) return candidates;
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
