// The bounded part of `npm run chaos`: some scenarios of each family of faults, on one small stack.
import { expect } from "../support/chai.ts";
import { POINT_KINDS } from "./faults.ts";
import { startLane, type Lane } from "./lane.ts";
import { drawPlan, kindsIn } from "./plan.ts";
import { record } from "./record.ts";
import { play, type Outcome } from "./scenario.ts";

/** How many scenarios of each: seeds 1, 2, 3 … */
const FAMILIES: Readonly<Record<string, number>> = {
  s3: 5,
  secret: 2,
  pg: 6,
  kill: 3,
  freeze: 1,
  clock: 1,
  overlap: 1,
  events: 1,
  "no-connections": 1,
  "role-timeout": 1,
  "long-lock": 1,
};

describe("a pipeline whose calls are struck", () => {
  let lane: Lane;
  const outcomes: Outcome[] = [];
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
  });

  it("has a call that every kind of fault can strike", () => {
    for (const [kind, { fits }] of Object.entries(POINT_KINDS))
      expect(lane.points.some(fits), kind).to.equal(true);
  });

  for (const [family, count] of Object.entries(FAMILIES))
    for (let seed = 1; seed <= count; seed++)
      it(`comes to rest with nothing lost, doubled or wrong: ${family}, seed ${seed}`, async () => {
        const outcome = await play(lane, drawPlan(seed, kindsIn([family]), lane.points));
        outcomes.push(outcome);
        expect(
          outcome.problems,
          `npm run chaos -- --only ${family} --replay ${seed}`,
        ).to.deep.equal([]);
      });

  it("was struck in nearly all of these scenarios", () => {
    const struck = outcomes.filter(({ faults }) => faults.some(({ fired }) => fired > 0));
    expect(struck.length).to.be.greaterThan(outcomes.length * 0.8);
  });

  it("is struck in the same places when a seed is played again", async () => {
    const kinds = kindsIn(["pg-terminated", "kill-before", "s3-denied"]);
    const once = await play(lane, drawPlan(1, kinds, lane.points));
    const again = await play(lane, drawPlan(1, kinds, lane.points));
    const placesOf = ({ faults }: typeof once) =>
      faults.map(({ kind, stage, at }) => [kind, stage, at]);
    expect(placesOf(again)).to.deep.equal(placesOf(once));
    // One that comes after another's time-out may find its call done already: it is not said of each whether it fired.
    for (const { faults } of [once, again])
      expect(faults.some(({ fired }) => fired > 0)).to.equal(true);
  });
});
