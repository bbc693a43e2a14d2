import { expect } from "chai";
import fc from "fast-check";
import { packed, repeated, unpack, widthOf } from "../../src/parquet/bits.ts";

const numbers = fc.integer({ min: 1, max: 16 }).chain((width) =>
  fc.record({
    width: fc.constant(width),
    values: fc
      .array(
        fc.record({
          value: fc.integer({ min: 0, max: 2 ** width - 1 }),
          times: fc.integer({ min: 1, max: 20 }),
        }),
        { maxLength: 30 },
      )
      .map((runs) =>
        Uint16Array.from(runs.flatMap(({ value, times }) => Array<number>(times).fill(value))),
      ),
  }),
);

describe("packed and unpack", () => {
  it("give back what was packed, of any width", () => {
    fc.assert(
      fc.property(numbers, ({ width, values }) => {
        const bytes = packed(values, width);
        const read = new Uint32Array(values.length);
        expect(unpack(bytes, 0, bytes.length, width, read)).to.equal(bytes.length);
        expect([...read]).to.deep.equal([...values]);
      }),
      { numRuns: 1000 },
    );
  });

  it("read several runs in a row", () => {
    const bytes = Buffer.concat([
      repeated(5, 300, 3),
      packed(Uint16Array.of(1, 2, 3, 4, 5, 6, 7, 0), 3),
      repeated(2, 1, 3),
    ]);
    const read = new Uint32Array(309);
    unpack(bytes, 0, bytes.length, 3, read);
    expect([...read]).to.deep.equal([...Array<number>(300).fill(5), 1, 2, 3, 4, 5, 6, 7, 0, 2]);
  });

  it("agree with the example in Parquet's documentation", () => {
    // 0 to 7 in three bits: 10001000 11000110 11111010, least significant bits first.
    const bytes = packed(Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7), 3);
    expect([...bytes]).to.deep.equal([3, 0b10001000, 0b11000110, 0b11111010]);
  });

  it("refuse runs that end too early or reach too far", () => {
    const read = new Uint32Array(100);
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.of(0x80),
      Buffer.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x80),
      repeated(1, 101, 8),
      repeated(1, 99, 8),
      repeated(1, 100, 8).subarray(0, -1),
      packed(Uint16Array.from(read.keys()), 8).subarray(0, -1),
    ]) {
      expect(() => unpack(bytes, 0, bytes.length, 8, read)).to.throw(RangeError);
    }
    expect(() => unpack(repeated(2, 100, 8), 0, 3, 1, read)).to.throw(RangeError, "2 in 1 bits");
    expect(() => unpack(Buffer.alloc(9), 0, 9, 25, read)).to.throw(RangeError, "a bit width of 25");
    expect(() => unpack(Buffer.alloc(9), 0, 9, -1, read)).to.throw(RangeError, "a bit width of -1");
  });

  /** What `count` values of `width` bits are, of runs that begin at once and may go on to `to`. */
  const read = (
    bytes: readonly number[],
    count: number,
    width = 8,
    to = bytes.length,
  ): number[] => {
    const out = new Uint32Array(count);
    unpack(Buffer.from(bytes), 0, to, width, out);
    return [...out];
  };

  it("say once what is the same throughout, and count groups of eight where it is not", () => {
    expect([...packed(Uint8Array.of(5, 5, 5, 5, 5, 5, 5, 5, 5), 3)]).to.deep.equal([9 * 2, 5]);
    expect([...repeated(300, 100, 16)]).to.deep.equal([0xc8, 1, 0x2c, 1]);
    // 63 groups are the most that a byte can count: 63 · 2 + 1.
    const most = packed(
      Uint8Array.from({ length: 63 * 8 }, (_, i) => i % 2),
      1,
    );
    expect([most[0], most.length]).to.deep.equal([127, 64]);
  });

  it("read values of up to 24 bits, and lengths of up to five bytes", () => {
    expect(read([...repeated(0x123456, 3, 24)], 3, 24)).to.deep.equal([
      0x123456, 0x123456, 0x123456,
    ]);
    expect(read([0x82, 0x80, 0x80, 0x80, 0, 7], 1)).to.deep.equal([7]);
    expect(() => read([0x82, 0x80, 0x80, 0x80, 0x80, 0, 7], 1)).to.throw("runs end too early");
  });

  it("refuse a run of nothing", () => {
    expect(() => read([0, 7, 2, 7], 1)).to.throw("a run is too long");
    expect(() => read([1, 2, 7], 1)).to.throw("a run is too long");
  });

  it("refuse what is behind the end, though there are bytes", () => {
    expect(() => read([2, 7], 1, 8, 0)).to.throw("runs end too early");
    expect(() => read([2, 7], 1, 8, 1)).to.throw("a run is too long");
    expect(() => read([3, 1, 2, 3, 4, 5, 6, 7, 8], 8, 8, 8)).to.throw("a run is too long");
    expect(() => read([], 1)).to.throw("runs end too early");
  });

  it("refuse a second run that is longer than what is left", () => {
    expect(read([4, 1, 4, 2], 4)).to.deep.equal([1, 1, 2, 2]);
    expect(() => read([4, 1, 6, 2], 4)).to.throw("a run is too long");
  });

  it("take as many bits as the largest index needs, and at least one", () => {
    expect([1, 2, 3, 4, 5, 256, 257, 65_536].map(widthOf)).to.deep.equal([1, 1, 2, 2, 3, 8, 9, 16]);
  });
});
