/** One error for several: itself where there is one, else all of them with their messages. */
export const joined = (errors: readonly Error[]): Error =>
  errors.length === 1
    ? errors[0]!
    : new AggregateError(errors, errors.map(({ message }) => message).join("; "));
