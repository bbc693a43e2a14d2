/** A rebuild that cannot be done, or whose outcome could not be told: says why and what to do. */
export class RebuildError extends Error {
  override readonly name = "RebuildError";
}

export const noBatch = (batch: number, bucket: string, newest: number): RebuildError =>
  new RebuildError(`there is no batch ${batch}: the newest of ${bucket} is ${newest}`);
