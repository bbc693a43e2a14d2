/** It cannot be told whether the warehouse is right; the message says why, and what to do. */
export class ReconciliationError extends Error {
  override readonly name = "ReconciliationError";
}
