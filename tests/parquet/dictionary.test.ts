import { expect } from "chai";
import { numberDictionary, textDictionary } from "../../src/parquet/dictionary.ts";

/** Whole numbers from 0, `count` of them, again and again. */
const cycle = (length: number, count: number): number[] =>
  Array.from({ length }, (_, i) => i % count);

describe("a dictionary", () => {
  const numbers = (values: readonly number[]) =>
    numberDictionary(
      Float64Array.from(values),
      values.reduce((least, value) => Math.min(least, value)),
      values.reduce((most, value) => Math.max(most, value)),
    );
  const plain = <T>(of: { distinct: T[]; indexes: Uint16Array } | undefined) =>
    of && { distinct: of.distinct, indexes: [...of.indexes] };

  it("has each number once, in the order in which they come, and each row's place among them", () => {
    const expected = { distinct: [-7, 5, -9], indexes: [0, 0, 1, 0, 2, 1] };
    expect(plain(numbers([-7, -7, 5, -7, -9, 5]))).to.deep.equal(expected);
  });

  it("is the same of numbers too far apart to be looked up in an array", () => {
    for (const far of [2 ** 20 - 1, 2 ** 20, 2 ** 40, 2 ** 52])
      expect(plain(numbers([far, 0, far, 0, 0]))).to.deep.equal({
        distinct: [far, 0],
        indexes: [0, 1, 0, 1, 1],
      });
  });

  it("has each text once, the empty one too", () => {
    expect(plain(textDictionary(["b", "", "b", "", "a", "a"], 100))).to.deep.equal({
      distinct: ["b", "", "a"],
      indexes: [0, 1, 0, 1, 2, 2],
    });
  });

  it("is not made where more than half of the values differ", () => {
    const spread = (values: number[]): number[] => values.map((value) => value * 2 ** 21);
    for (const of of [(values: number[]) => values, spread]) {
      expect(numbers(of(cycle(10, 5)))?.distinct).to.have.length(5);
      expect(numbers(of(cycle(10, 6)))).to.equal(undefined);
      expect(numbers(of(cycle(11, 5)))?.distinct).to.have.length(5);
      expect(numbers(of(cycle(11, 6)))).to.equal(undefined);
    }
    expect(textDictionary(cycle(10, 5).map(String), 100)?.distinct).to.have.length(5);
    expect(textDictionary(cycle(10, 6).map(String), 100)).to.equal(undefined);
  });

  it("is not made of more values than two bytes can count", () => {
    const upTo = (count: number): number[] =>
      Array.from({ length: 140_000 }, (_, i) => (i < count ? i : 0));
    const { distinct, indexes } = numbers(upTo(65_536))!;
    expect(distinct).to.have.length(65_536);
    expect([indexes[65_535], indexes[65_536]]).to.deep.equal([65_535, 0]);
    expect(numbers(upTo(65_537))).to.equal(undefined);
  });

  it("is not made of nothing", () => {
    expect(textDictionary([], 100)).to.equal(undefined);
    expect(numberDictionary(new Float64Array(), 0, 0)).to.equal(undefined);
  });

  it("is not made of texts that are longer in all than they may be", () => {
    const texts = ["abc", "de", "abc", "de", "", ""];
    expect(textDictionary(texts, 5)?.distinct).to.deep.equal(["abc", "de", ""]);
    expect(textDictionary(texts, 4)).to.equal(undefined);
  });

  it("is not looked for where a thousand values, evenly spread, are nearly all different", () => {
    // Of 2,000 values every other is looked at: 900 different ones are few enough, 901 are not.
    const sampled = (different: number): number[] =>
      Array.from({ length: 2000 }, (_, i) => (i % 2 === 0 ? Math.min(i / 2, different - 1) : 0));
    expect(numbers(sampled(900))?.distinct).to.have.length(900);
    expect(numbers(sampled(901))).to.equal(undefined);
  });
});
