import type { Context } from "aws-lambda";
import { deadlineOf, patience } from "../../src/handlers/deadline.ts";
import { expect } from "../support/chai.ts";

/** A context whose time can be set. */
function contextOf(left: number): { context: Context; spend: (ms: number) => void } {
  const context = { getRemainingTimeInMillis: () => left } as unknown as Context;
  return { context, spend: (ms) => (left -= ms) };
}

describe("an invocation's time", () => {
  it("is without end where there is no deadline", () => {
    const { goOn, isLate } = deadlineOf(undefined);
    expect([goOn(), isLate(), patience(undefined)]).to.deep.equal([true, false, 60_000]);
  });

  it("of 300 s suffices for one more batch until 75 s are left, and for the batch at hand until 30 s are", () => {
    const { context, spend } = contextOf(300_000);
    const { goOn, isLate } = deadlineOf(context);
    spend(224_999);
    expect([goOn(), isLate()]).to.deep.equal([true, false]);
    spend(1);
    expect([goOn(), isLate()]).to.deep.equal([false, false]);
    spend(45_000);
    expect([goOn(), isLate()]).to.deep.equal([false, false]);
    spend(1);
    expect([goOn(), isLate()]).to.deep.equal([false, true]);
  });

  it("is without end where a context does not tell it", () => {
    const { goOn, isLate } = deadlineOf({} as Context);
    expect([goOn(), isLate()]).to.deep.equal([true, false]);
  });

  it("is for waiting up to a minute, or to half of it", () => {
    expect(
      [300_000, 119_999, 20_000].map((left) => patience(contextOf(left).context)),
    ).to.deep.equal([60_000, 59_999.5, 10_000]);
  });

  it("of 20 s is for one batch, which ends after half of it", () => {
    const { context, spend } = contextOf(20_000);
    const { goOn, isLate } = deadlineOf(context);
    expect([goOn(), isLate()]).to.deep.equal([false, false]);
    spend(10_001);
    expect(isLate()).to.equal(true);
  });
});
