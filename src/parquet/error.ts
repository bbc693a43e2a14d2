/** A file that is not what was expected, or a value that cannot be written. */
export class ParquetError extends Error {
  override readonly name = "ParquetError";
  /** The column at fault, where there is one. */
  readonly column: string | undefined;

  constructor(message: string, options: { column?: string; cause?: unknown } = {}) {
    const { column, cause } = options;
    super(column === undefined ? message : `column "${column}": ${message}`, { cause });
    this.column = column;
  }
}
