// P1, P2, P3 and P5 over random histories of the shop and the pipeline, against a model that shares no code with either.
import fc from "fast-check";
import { closeAll, type TestPipeline } from "../support/pipeline.ts";
import { openPlayground, play } from "./play.ts";
import { assertOften } from "./runs.ts";
import { anyHistory } from "./steps.ts";

describe("any history", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPlayground();
  });
  after(closeAll);

  it("leaves the warehouse as the model has it, after each load and at rest", async () => {
    await assertOften(
      "any history",
      fc.asyncProperty(anyHistory, (history) => play(p, history)),
      15,
    );
  });
});
