import { awaitedLater, joined } from "../../src/errors.ts";
import { isObject } from "../../src/json.ts";
import { expect } from "../support/chai.ts";

describe("isObject", () => {
  it("is true of an object alone", () => {
    expect([{}, { a: 1 }].map(isObject)).to.deep.equal([true, true]);
    expect([null, undefined, [], "a", 1, true, () => 1].map(isObject)).to.deep.equal(
      Array(7).fill(false),
    );
  });
});

describe("joined", () => {
  it("is the one error that there is", () => {
    const one = new Error("one");
    expect(joined([one])).to.equal(one);
  });

  it("is one that has them all, and all of their messages", () => {
    const errors = [new Error("one"), new TypeError("two")];
    const both = joined(errors);
    expect(both).to.be.instanceOf(AggregateError).with.property("message", "one; two");
    expect((both as AggregateError).errors).to.deep.equal(errors);
  });
});

describe("a promise that is awaited later", () => {
  it("may fail before, and fails then", async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    const before = process.listeners("unhandledRejection");
    process.removeAllListeners("unhandledRejection").on("unhandledRejection", note);
    try {
      const promise = awaitedLater(Promise.reject(new Error("no")));
      await new Promise((resolve) => setImmediate(resolve));
      expect(unhandled).to.deep.equal([]);
      await expect(promise).to.be.rejectedWith("no");
    } finally {
      process.removeListener("unhandledRejection", note);
      for (const listener of before) process.on("unhandledRejection", listener);
    }
  });
});
