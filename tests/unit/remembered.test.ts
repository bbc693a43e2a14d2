import { remembered } from "../../src/table.ts";
import { expect } from "../support/chai.ts";

describe("remembered", () => {
  const counting = () => {
    const made: string[] = [];
    const of = remembered((text) => {
      made.push(text);
      return text === "nothing" ? undefined : { text };
    });
    return { of, made };
  };

  it("gives the same object for the same text", () => {
    const { of, made } = counting();
    const first = of("a");
    expect(of("b")).to.deep.equal({ text: "b" });
    expect(of("a")).to.equal(first);
    expect(made).to.deep.equal(["a", "b"]);
  });

  it("gives what is made of a text that nothing is made of", () => {
    const { of } = counting();
    expect([of("nothing"), of("nothing")]).to.deep.equal([undefined, undefined]);
  });

  it("keeps some thousands, and no long texts, so that memory has an end", () => {
    const { of, made } = counting();
    for (let i = 0; i < 20_000; i++) of(String(i));
    const before = made.length;
    of("19999");
    expect(made).to.have.length(before);
    of("0");
    expect(made).to.have.length(before + 1);
    expect(of("x".repeat(100))).to.equal(of("x".repeat(100)));
    const long = "x".repeat(101);
    expect(of(long)).to.not.equal(of(long));
  });
});
