/**
 * A table whose rows are not its sources' rows, as a calendar is: what the source makes is held in memory as hashes, a part of
 * the keys at a time, and the warehouse's rows are held against that.
 */
import { hash } from "node:crypto";
import type { Key } from "../ingestion/keyset.ts";
import type { Source, SourceRow, Table } from "../table.ts";
import type { Found } from "../transformation/star-rows.ts";
import { same, type Candidate } from "./settle.ts";
import { format, idOf, keyOfRow, keyPlaces } from "./source-rows.ts";
import { Digester, isMarked, type Texts } from "./texts.ts";
import type { StarRow } from "./warehouse-rows.ts";
import { Settling, type Work } from "./work.ts";

/** Keys that are held at once: if every row differs, both sides' rows take some 150 MB. */
const KEYS = 100_000;
/** Rows of a source that are formatted at once. */
const AT_ONCE = 2_000;

/** A row that the two sides do not agree about. */
interface Doubt {
  readonly found: Texts | undefined;
  /** What rows make of it that did not change after the batch, the first that was met. */
  made: { readonly texts: Texts; readonly source: { table: string; key: Key } } | undefined;
  /** Whether such a row makes what the warehouse has. */
  agreed: boolean;
}

export class DerivedTable {
  readonly table: Table;
  readonly #work: Work;
  readonly #settling: Settling;
  readonly #digester: Digester;
  readonly #places: readonly number[];
  readonly #keys: number;
  /** The hash of what is made, by id: where several rows make one differently, each in turn is the last that is loaded. */
  #made = new Map<string, string | Set<string>>();
  /** The keys fall into so many parts, of which this one is held. */
  #parts: number;
  #part = 0;

  /**
   * @param rows that the warehouse has, about
   * @param keys that are held at once
   */
  constructor(table: Table, work: Work, rows: number, keys: number = KEYS) {
    this.table = table;
    this.#work = work;
    this.#keys = keys;
    this.#parts = Math.max(1, Math.ceil(rows / keys));
    this.#settling = new Settling(table, work);
    this.#digester = new Digester(table);
    this.#places = keyPlaces(table);
  }

  /** Takes rows of one of its sources, with what they look up. */
  async take(source: Source, rows: readonly SourceRow[], found: Found): Promise<void> {
    const { texts, rejected } = format(this.table, source, rows, found);
    if (this.#part === 0) {
      const tally = this.#work.tally(this.table);
      tally.rows += rows.length;
      tally.quarantined += rejected.length;
      await this.#settling.rejected(source, rejected);
    }
    for (const row of texts) {
      const id = this.#idOfStar(row);
      if (!this.#isHeld(id)) continue;
      const made = this.#digester.of(row);
      const before = this.#made.get(id);
      if (before === undefined) this.#made.set(id, made);
      else if (typeof before !== "string") before.add(made);
      else if (before !== made) this.#made.set(id, new Set([before, made]));
    }
    // The other parts are as large, about, and come later.
    while (this.#part === 0 && this.#made.size > this.#keys) {
      this.#parts *= 2;
      for (const id of this.#made.keys()) if (!this.#isHeld(id)) this.#made.delete(id);
    }
  }

  /** Compares what its sources made, after all their rows were taken. */
  async compare(): Promise<void> {
    for (;;) {
      await this.#comparePart();
      if (++this.#part >= this.#parts) return;
      this.#made = new Map();
      for (const source of this.table.sources)
        await this.#read(source, this.#work.where(source), (rows, found) =>
          this.take(source, rows, found),
        );
    }
  }

  async #comparePart(): Promise<void> {
    const doubts = new Map<string, Doubt>();
    const doubt = (id: string, found?: Texts): void =>
      void doubts.set(id, { found, made: undefined, agreed: false });
    const extra: Candidate[] = [];
    const repeated: StarRow[] = [];
    // To the end, before anything else is asked of the warehouse: it is one connection.
    for await (const rows of this.#work.warehouse.rows(this.table, "true"))
      for (const row of rows) {
        const { texts } = row;
        const id = this.#idOfStar(texts);
        if (!this.#isHeld(id)) continue;
        if (row.repeats !== null) repeated.push(row);
        if (!row.isLatest) continue;
        const made = this.#made.get(id);
        this.#made.delete(id);
        const hash = this.#digester.of(texts);
        if (made === undefined) {
          if (!isMarked(this.table, texts))
            extra.push({ expected: undefined, found: texts, atSource: "not known" });
        } else if (typeof made === "string" ? made !== hash : !made.has(hash)) doubt(id, texts);
      }
    for (const id of this.#made.keys()) doubt(id);
    await this.#settle(doubts);
    if (!this.#work.isPartial) await this.#settling.add(extra);
    await this.#settling.repeated(repeated);
    await this.#settling.end();
  }

  /** Of rows that do not agree, says which are made by source rows that did not change after the batch. */
  async #settle(doubts: ReadonlyMap<string, Doubt>): Promise<void> {
    if (doubts.size === 0) return;
    for (const source of this.table.sources) {
      const settled = `(${this.#work.isPending(this.table, source)}) is not true`;
      await this.#read(source, settled, (rows, found) => {
        const { texts } = format(this.table, source, rows, found);
        if (!texts.some((row) => doubts.has(this.#idOfStar(row)))) return;
        for (const row of rows)
          for (const made of format(this.table, source, [row], found).texts) {
            const of = doubts.get(this.#idOfStar(made));
            if (!of) continue;
            of.agreed ||= of.found !== undefined && same(made, of.found);
            of.made ??= {
              texts: made,
              source: { table: source.name, key: keyOfRow(source, row) },
            };
          }
      });
    }
    const candidates: Candidate[] = [];
    for (const { found, made, agreed } of doubts.values())
      if (made && !agreed)
        candidates.push({
          expected: made.texts,
          found,
          atSource: "not known",
          source: made.source,
        });
      else this.#work.tally(this.table).pending++;
    await this.#settling.add(candidates);
  }

  async #read(
    source: Source,
    where: string,
    take: (rows: SourceRow[], found: Found) => void | Promise<void>,
  ): Promise<void> {
    const { source: reader } = this.#work;
    for await (const rows of inLots(reader.rows(source, where), () => AT_ONCE))
      await take(rows, await reader.look([this.table], source, rows));
  }

  #isHeld(id: string): boolean {
    if (this.#parts === 1) return true;
    return Number.parseInt(hash("sha256", id, "hex").slice(0, 8), 16) % this.#parts === this.#part;
  }

  #idOfStar(texts: Texts): string {
    return idOf(this.#places.map((at) => texts[at]!));
  }
}

/**
 * Rows in lots; the last may be smaller.
 * @param sizeOf how many rows a lot has, by its number from 0
 */
export async function* inLots(
  pieces: AsyncIterable<SourceRow[]>,
  sizeOf: (lot: number) => number,
): AsyncGenerator<SourceRow[]> {
  let held: SourceRow[] = [];
  let lot = 0;
  for await (const piece of pieces) {
    for (const row of piece) held.push(row);
    let at = 0;
    while (held.length - at >= sizeOf(lot)) yield held.slice(at, (at += sizeOf(lot++)));
    if (at > 0) held = held.slice(at);
  }
  if (held.length > 0) yield held;
}
