import fc from "fast-check";
import { DrivingRows, type Part } from "../../src/ingestion/driving.ts";
import { cut, lastLine, wholeLines, type Lines } from "../../src/ingestion/lines.ts";
import { defineSource, integer, key, type Source } from "../../src/table.ts";
import { expect } from "../support/chai.ts";

const source = (name: string): Source => defineSource(name, { id: key(integer) });
const never = (): boolean => false;
const textOf = ({ chunks }: Lines): string => Buffer.concat(chunks).toString();

/** A stream of `text`, in chunks of these sizes, over and over. */
async function* chunked(text: string, sizes: readonly number[]): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length]!;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

async function all(lines: AsyncIterable<Lines>): Promise<Lines[]> {
  const found: Lines[] = [];
  for await (const some of lines) found.push(some);
  return found;
}

describe("lines", () => {
  const line = fc
    .string({ unit: "binary", maxLength: 12 })
    .map((text) => text.replaceAll("\n", ""));
  const lines = fc.array(line, { minLength: 1, maxLength: 30 });
  const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });

  it("are whole, however their bytes arrive", async () => {
    await fc.assert(
      fc.asyncProperty(lines, sizes, fc.boolean(), async (texts, chunks, ends) => {
        const text = texts.map((one) => `${one}\n`).join("");
        const found = await all(wholeLines(chunked(ends ? text : text.slice(0, -1), chunks)));
        const whole = found.map(textOf);
        if (ends || texts.at(-1) !== "") expect(whole.join("")).to.equal(text);
        for (const [i, some] of whole.entries()) {
          expect(some.endsWith("\n")).to.equal(true);
          expect(found[i]!.rows).to.equal(some.split("\n").length - 1);
          expect(found[i]!.bytes).to.equal(Buffer.byteLength(some));
          expect(lastLine(found[i]!)).to.equal(`${some.split("\n").at(-2)!}\n`);
        }
      }),
    );
  });

  it("are cut after as many as fit", async () => {
    await fc.assert(
      fc.asyncProperty(
        lines,
        sizes,
        fc.nat(35),
        fc.nat(200),
        async (texts, chunks, rows, bytes) => {
          const text = texts.map((one) => `${one}\n`).join("");
          const [one] = await all(wholeLines(chunked(text, [text.length * 4])));
          const pieces = await all(wholeLines(chunked(text, chunks)));
          const together = {
            chunks: pieces.flatMap((piece) => piece.chunks),
            rows: one!.rows,
            bytes: one!.bytes,
          };
          let [count, size] = [0, 0];
          for (const each of texts) {
            size += Buffer.byteLength(each) + 1;
            if (count === rows || size > bytes) break;
            count++;
          }
          const [fit, rest] = cut(together, rows, bytes);
          expect(textOf(fit)).to.equal(
            texts
              .slice(0, count)
              .map((each) => `${each}\n`)
              .join(""),
          );
          expect(textOf(rest)).to.equal(
            texts
              .slice(count)
              .map((each) => `${each}\n`)
              .join(""),
          );
          expect([fit.rows, rest.rows]).to.deep.equal([count, texts.length - count]);
          expect(fit.bytes + rest.bytes).to.equal(together.bytes);
        },
      ),
    );
  });
});

describe("DrivingRows", () => {
  const a = source("a");
  const b = source("b");
  const c = source("c");
  const linesOf = (ids: readonly number[]): string => ids.map((id) => `{"id":${id}}\n`).join("");
  const reader =
    (tables: Readonly<Record<string, readonly number[]>>, sizes: readonly number[]) =>
    (of: Source, after: Readonly<Record<string, string | null>> | null): AsyncIterable<Lines> =>
      wholeLines(
        chunked(
          linesOf(tables[of.name]!.filter((id) => !after || id > Number(after["id"]))),
          sizes,
        ),
      );
  const seen = (parts: readonly Part[]): [string, number[]][] =>
    parts.map(({ source: of, lines }) => [
      of.name,
      [...textOf(lines).matchAll(/\d+/g)].map(([id]) => Number(id)),
    ]);
  const ids = fc
    .uniqueArray(fc.nat(99), { maxLength: 12 })
    .map((some) => some.toSorted((x, y) => x - y));

  it("gives every row once, in order, whatever the limits; a run goes on at any border", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({ a: ids, b: ids, c: ids }),
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 4 }),
        fc.record({ rows: fc.integer({ min: 1, max: 9 }), bytes: fc.integer({ min: 1, max: 90 }) }),
        fc.integer({ min: 1, max: 4 }),
        async (tables, sizes, limits, batchesAnInvocation) => {
          const expected = ["a", "b", "c"].flatMap((name) =>
            tables[name as "a"].map((id) => `${name}${id}`),
          );
          const found: string[] = [];
          let order: Source[] = [a, b, c];
          let after: Readonly<Record<string, string | null>> | null = null;
          for (let invocations = 0; order.length > 0; invocations++) {
            expect(invocations).to.be.at.most(40);
            const rows: DrivingRows = new DrivingRows(order, after, reader(tables, sizes));
            for (let batch = 0; batch < batchesAnInvocation && rows.position; batch++) {
              const parts = await rows.take(limits, never);
              const flat = seen(parts).flatMap(([name, some]) => some.map((id) => `${name}${id}`));
              const bytes = parts.reduce((sum, { lines }) => sum + lines.bytes, 0);
              expect(flat.length).to.be.at.most(limits.rows);
              if (flat.length > 1) expect(bytes).to.be.at.most(limits.bytes);
              if (rows.position) expect(flat.length).to.be.at.least(1);
              for (const part of parts)
                for (const id of seen([part])[0]![1]) {
                  if (part.after) expect(id).to.be.greaterThan(Number(part.after["id"]));
                  if (part.upTo) expect(id).to.be.at.most(Number(part.upTo["id"]));
                }
              found.push(...flat);
            }
            const { position } = rows;
            await rows.close();
            order = position ? order.slice(order.indexOf(position.source)) : [];
            after = position?.after ?? null;
          }
          expect(found).to.deep.equal(expected);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("ends a batch when it is late, after some rows", async () => {
    const rows = new DrivingRows([a], null, reader({ a: [1, 2, 3, 4] }, [9]));
    expect(seen(await rows.take({ rows: 9, bytes: 999 }, () => true))).to.deep.equal([["a", [1]]]);
    expect(rows.position).to.deep.equal({ source: a, after: { id: "1" } });
  });

  it("knows that a source is done, and says so in its range", async () => {
    const rows = new DrivingRows([a, b], null, reader({ a: [1, 2], b: [5, 6] }, [99]));
    const [first, second] = await rows.take({ rows: 3, bytes: 999 }, never);
    expect([first!.after, first!.upTo]).to.deep.equal([null, null]);
    expect([second!.after, second!.upTo]).to.deep.equal([null, { id: "5" }]);
    const [third] = await rows.take({ rows: 3, bytes: 999 }, never);
    expect([third!.after, third!.upTo]).to.deep.equal([{ id: "5" }, null]);
    expect(rows.position).to.equal(null);
  });

  it("keeps rows of one key together", async () => {
    const of = { a: [1, 2, 2, 2, 3] };
    for (const sizes of [[99], [9], [5]]) {
      const rows = new DrivingRows([a], null, reader(of, sizes));
      expect(seen(await rows.take({ rows: 2, bytes: 999 }, never))).to.deep.equal([
        ["a", [1, 2, 2, 2]],
      ]);
      expect(seen(await rows.take({ rows: 2, bytes: 999 }, never))).to.deep.equal([["a", [3]]]);
    }
  });

  it("takes a row that is larger than a batch may be, alone", async () => {
    const rows = new DrivingRows([a], null, reader({ a: [1, 222_222, 3] }, [99]));
    const sizes: number[] = [];
    while (rows.position)
      sizes.push(seen(await rows.take({ rows: 9, bytes: 10 }, never))[0]![1].length);
    expect(sizes).to.deep.equal([1, 1, 1]);
  });

  it("gives again what was given back", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({ a: ids, b: ids, c: ids }),
        fc.integer({ min: 1, max: 9 }),
        fc.infiniteStream(fc.nat(3)),
        async (tables, most, choice) => {
          const rows = new DrivingRows([a, b, c], null, reader(tables, [30]));
          const found: [string, number[]][] = [];
          while (rows.position) {
            const parts = await rows.take({ rows: most, bytes: 999 }, never);
            const kept = choice.next().value;
            rows.giveBack(parts.slice(kept));
            found.push(...seen(parts.slice(0, kept)));
          }
          expect(found.flatMap(([name, some]) => some.map((id) => `${name}${id}`))).to.deep.equal(
            ["a", "b", "c"].flatMap((name) => tables[name as "a"].map((id) => `${name}${id}`)),
          );
        },
      ),
    );
  });

  it("keeps rows of one key together also when it is late, wherever a chunk ends", async () => {
    const of = { a: [1, 2, 2, 2, 2, 3], b: [4] };
    const found: [string, number[]][][] = [];
    // A row a chunk.
    const rows = new DrivingRows([a, b], null, reader(of, [9]));
    while (rows.position) found.push(seen(await rows.take({ rows: 99, bytes: 999 }, () => true)));
    expect(found.filter((parts) => parts.length > 0)).to.deep.equal([
      [["a", [1]]],
      [["a", [2, 2, 2, 2]]],
      [["a", [3]]],
      [["b", [4]]],
    ]);
  });

  it("stops reading when it is closed", async () => {
    let closed = false;
    const rows = new DrivingRows([a], null, async function* () {
      try {
        for (let id = 1; ; id++) yield* wholeLines(chunked(linesOf([id]), [99]));
      } finally {
        closed = true;
      }
    });
    await rows.take({ rows: 2, bytes: 99 }, never);
    await rows.close();
    expect(closed).to.equal(true);
  });
});
