import { random } from "../../localstack/totesys/random.ts";
import { STAGES } from "./calls.ts";
import { History, type Act } from "./history.ts";
import type { Lane } from "./lane.ts";
import { pointsOf, type Switchboard } from "./switchboard.ts";

/**
 * Runs a pipeline without faults, and has the lane know every call that its functions make: those of a first load, and
 * those of later runs.
 * @throws FunctionError where one fails
 */
export async function record(lane: Lane): Promise<void> {
  const world = await lane.open(1, "planted-0");
  const history = new History(world.shop, random(1));
  const { AWS_ENDPOINT_URL: _, ...env } = world.env;
  const tick = async (acts: readonly Act[]): Promise<Switchboard["counts"]> => {
    lane.board.clear();
    await history.act(acts);
    for (const stage of STAGES) {
      const invocation = {
        stage,
        event: stage === "ingestion" ? null : {},
        env,
        remainingMs: 60_000,
      };
      const ended = await lane.slots.invoke(invocation);
      if ("failed" in ended) throw ended.failed;
    }
    return new Map(lane.board.counts);
  };
  try {
    const first = await tick([]);
    const later = await tick(["orders", "silence", "payments", "rename", "poison"]);
    await history.end();
    lane.points = pointsOf(first, later);
  } finally {
    await world.close();
  }
}
