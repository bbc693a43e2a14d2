/** The types a column can have. Each is one word here, one SQL type, one Parquet type, one check. */
export const COLUMN_TYPES = [
  "integer",
  "bigint",
  "boolean",
  "text",
  "date",
  "time",
  "timestamp",
  "timestamptz",
  "decimal",
] as const;
export type ColumnType = (typeof COLUMN_TYPES)[number];

/** One column, as plain data: its value's TypeScript type `T`, and all that the outside needs to know of it. */
export interface Column<T = unknown> {
  readonly type: ColumnType;
  readonly nullable: boolean;
  /** Part of the natural key: what says that two rows are the same record. */
  readonly key: boolean;
  /** Digits in all, of a decimal. */
  readonly precision?: number;
  /** Digits after the point, of a decimal. */
  readonly scale?: number;
  /** The star table whose key this column holds. */
  readonly references?: string;
  /** Filled by the warehouse: in its DDL, in no row and in no file. */
  readonly generated?: true;
  /** Filled by the pipeline, with the moment by which the row was gone from the source: in no formatter's row. */
  readonly marksDeleted?: true;
  /** What it means, and by which rule it is filled, for people: {@link described}. */
  readonly meaning?: string;
  /** What it holds, say: for people, and for whoever tries a formatter that does not take just any value. */
  readonly examples?: readonly NonNullable<T>[];
  /** Carries `T` for the compiler; never set. */
  readonly _type?: T;
}

/** A record id that the warehouse fills. A table that has one keeps every version of a record. */
export interface Generated extends Column<number> {
  readonly generated: true;
}

export type Columns = Readonly<Record<string, Column>>;

/** The row that `columns` describe, as a formatter takes and gives it. */
export type Row<C extends Columns> = {
  -readonly [K in keyof C as C[K] extends Generated ? never : K]: C[K] extends Column<infer T>
    ? T
    : never;
};

const column = <T>(type: ColumnType): Column<T> => ({ type, nullable: false, key: false });

/** 32 bits, signed. */
export const integer: Column<number> = column<number>("integer");
/** 64 bits, signed; a string of digits, because a JavaScript number ends at 2⁵³. */
export const bigint: Column<string> = column<string>("bigint");
export const boolean: Column<boolean> = column<boolean>("boolean");
/** Text of any length, enums included. */
export const text: Column<string> = column<string>("text");
/** `YYYY-MM-DD`: a string, so that no time zone can move it to another day. */
export const date: Column<string> = column<string>("date");
/** `HH:MM:SS[.f]`, f up to six digits. */
export const time: Column<string> = column<string>("time");
/** `YYYY-MM-DDTHH:MM:SS[.f]`, as the source wrote it, without a zone. */
export const timestamp: Column<string> = column<string>("timestamp");
/** `YYYY-MM-DDTHH:MM:SS[.f]±HH:MM` or `…Z`: a moment. */
export const timestamptz: Column<string> = column<string>("timestamptz");
/** Money. A string, as PostgreSQL hands it over: a float would lose pennies. At most 38 digits. */
export const decimal = (precision: number, scale: number): Column<string> => ({
  ...column<string>("decimal"),
  precision,
  scale,
});
/** A record id: `serial` in the warehouse, absent from rows and files. */
export const serial: Generated = { ...column<number>("integer"), generated: true };

/** Marks a part of the natural key. */
export const key = <T>(of: Column<T>): Column<T> => ({ ...of, key: true });
export const nullable = <T>(of: Column<T>): Column<T | null> => ({ ...of, nullable: true });
/** Marks a column that holds the key of a row of the star table `table`. */
export const references = <T>(table: string, of: Column<T>): Column<T> => ({
  ...of,
  references: table,
});
/**
 * Says in words what a column means, and what it holds, say. Said of a source's column, it is true of each star column that
 * hands its values on; a star column that means something else says so itself. No table is filled again because of it.
 */
export const described = <C extends Column>(
  meaning: string,
  of: C,
  ...examples: NonNullable<C["examples"]>[number][]
): C => ({ ...of, meaning, ...(examples.length > 0 ? { examples } : {}) });
