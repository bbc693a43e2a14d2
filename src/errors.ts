/** One error for several: itself where there is one, else all of them with their messages. */
export const joined = (errors: readonly Error[]): Error =>
  errors.length === 1
    ? errors[0]!
    : new AggregateError(errors, errors.map(({ message }) => message).join("; "));

/** The promise itself, which may fail before anybody waits for it: whoever does then is told. */
export function awaitedLater<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
