/** A compaction that cannot be done: says why and what to do. */
export class CompactionError extends Error {
  override readonly name = "CompactionError";
}
