// The bounded part of `npm run chaos`: every kind of fault once, on one small stack.
import { expect } from "../support/chai.ts";
import { KINDS, POINT_KINDS } from "./faults.ts";
import { startLane, type Lane } from "./lane.ts";
import { drawPlan } from "./plan.ts";
import { record } from "./record.ts";
import { play } from "./scenario.ts";

describe("a pipeline whose calls are struck", () => {
  let lane: Lane;
  before(async () => {
    lane = await startLane();
    await record(lane);
  });
  after(() => lane.stop());

  it("makes calls at every stage, and to every service", () => {
    const places = [...new Set(lane.points.map(({ stage, service }) => `${stage} ${service}`))];
    expect(places).to.have.members([
      "ingestion s3",
      "ingestion secrets",
      "ingestion source",
      "transformation s3",
      "loading s3",
      "loading secrets",
      "loading warehouse",
    ]);
    const puts = lane.points.filter(({ what }) => /Put.*_batches/.test(what));
    expect(puts.map(({ stage, what }) => `${stage} ${what}`)).to.have.members([
      "ingestion PutObject ingestion/_batches",
      "transformation PutObject processed/_batches",
    ]);
  });

  it("has points that every kind of fault can strike", () => {
    for (const [kind, { fits }] of Object.entries(POINT_KINDS))
      expect(lane.points.some(fits), kind).to.equal(true);
  });

  for (const [i, kind] of KINDS.entries())
    it(`comes to rest with nothing lost, doubled or wrong after ${kind}`, async function () {
      // As the commands draw them; the next seed where a fault does not meet its call.
      for (let seed = i * 100; ; seed++) {
        const outcome = await play(lane, drawPlan(seed, [kind], lane.points));
        expect(outcome.problems, `npm run chaos -- --only ${kind} --replay ${seed}`).to.deep.equal(
          [],
        );
        if (outcome.faults.some(({ fired }) => fired > 0)) break;
      }
    });

  it("suffers the same again when a seed is played again", async () => {
    const [once, again] = [
      await play(lane, drawPlan(4711, ["kill"].flatMap(kindsFrom), lane.points)),
      await play(lane, drawPlan(4711, ["kill"].flatMap(kindsFrom), lane.points)),
    ];
    expect(again.faults).to.deep.equal(once.faults);
    expect(once.faults.some(({ fired }) => fired > 0)).to.equal(true);
  });
});

const kindsFrom = (prefix: string): readonly string[] =>
  KINDS.filter((kind) => kind.startsWith(prefix) && POINT_KINDS[kind] !== undefined);
