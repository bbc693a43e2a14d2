/** A warehouse that cannot hold what the table modules declare. Nothing was loaded. */
export class WarehouseError extends Error {
  override readonly name = "WarehouseError";
}
