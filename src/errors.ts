/** One error for several: itself where there is one, else all of them with their messages. */
export const joined = (errors: readonly Error[]): Error =>
  errors.length === 1
    ? errors[0]!
    : new AggregateError(errors, errors.map(({ message }) => message).join("; "));

/** What an error is about, where it is known: its line in the log says so. */
export interface Concern {
  readonly batch?: number;
  readonly table?: string;
}

const concerns = new WeakMap<object, Concern>();

/** What `concerning` was told of an error. */
export const concernOf = (error: object): Concern => concerns.get(error) ?? {};

/** Notes what an error is about; what was noted before, nearer to its cause, stays. @returns the error itself */
export function noted<E>(error: E, concern: Concern): E {
  if (typeof error === "object" && error !== null)
    concerns.set(error, { ...concern, ...concernOf(error) });
  return error;
}

/** Does work on a batch, or on a table: what it throws is noted to be about that. */
export async function concerning<T>(concern: Concern, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw noted(error, concern);
  }
}

/** For `catch`: an error of that kind says nothing here, and any other is thrown again. */
export const ignoring =
  (kind: new (...args: never[]) => Error) =>
  (error: unknown): undefined => {
    if (!(error instanceof kind)) throw error;
  };

/** The promise itself, which may fail before anybody waits for it: whoever does then is told. */
export function awaitedLater<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
