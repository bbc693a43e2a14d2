import { nameOf } from "../aws/names.ts";
import { countMessages } from "../aws/queues.ts";
import { STAGES, type QueueDepth, type Stage } from "./places.ts";

/** What is in a stage's queues and their dead letters. @throws QueueError */
export async function queueDepths(stage: string): Promise<Record<Stage, QueueDepth>> {
  const counts = await countMessages(
    STAGES.flatMap((of) => [nameOf(stage, of), nameOf(stage, `${of}-dead-letters`)]),
  );
  return Object.fromEntries(
    STAGES.map((of, at) => [of, { ...counts[2 * at]!, dead: counts[2 * at + 1]!.waiting }]),
  ) as Record<Stage, QueueDepth>;
}
