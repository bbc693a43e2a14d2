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
    expect(() => unpack(Buffer.alloc(9), 0, 9, 25, read)).to.throw(RangeError);
    expect(() => unpack(Buffer.alloc(9), 0, 9, -1, read)).to.throw(RangeError);
  });

  it("take as many bits as the largest index needs, and at least one", () => {
    expect([1, 2, 3, 4, 5, 256, 257, 65_536].map(widthOf)).to.deep.equal([1, 1, 2, 2, 3, 8, 9, 16]);
  });
});
