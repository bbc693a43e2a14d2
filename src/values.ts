/** The one place that knows how a declared value is checked, stored and written. */
import {
  dateText,
  dayNumber,
  FIRST_DAY,
  FIRST_MICROS,
  momentMicros,
  timeOfDay,
  timestampText,
  timeText,
  wallClockMicros,
} from "./calendar.ts";
import type { Column } from "./columns.ts";
import { FLOAT_DIGITS, layoutOf } from "./vectors.ts";

/**
 * A value as it is held between the formatter and the warehouse: what a Vector (`src/vectors.ts`) holds of one
 * row. By column type:
 * integer: number; bigint: bigint; boolean: boolean; text: string; date: number, days since 1970-01-01
 * (proleptic Gregorian); time: number, µs since midnight; timestamp: bigint, µs since 1970 on the written wall
 * clock; timestamptz: bigint, µs since 1970 UTC; decimal: the unscaled value (`12.30` at scale 2 is 1230), a
 * number of up to 15 digits, a bigint where the column has more. null in a nullable column.
 */
export type Stored = number | bigint | boolean | string | null;

/** A value that its column cannot hold. The message names the value and what was wanted, not the column. */
export class BadValue extends Error {
  override readonly name = "BadValue";
}

const SHOWN = 60;
/** UTF-16 units of a text at most: three bytes each, a page of the file holds it. */
const TEXT_UNITS = 1 << 26;
const INT64_END = 2n ** 63n;
const ZERO = 48;
/** 10ⁿ, for the 38 digits that a decimal may have. */
const POWERS = Array.from({ length: 39 }, (_, n) => 10n ** BigInt(n));

/**
 * Checks what a formatter gave for `column` and gives it as it is stored.
 * Throws BadValue for anything that the column would not hold exactly: nothing is rounded, trimmed or guessed.
 */
export function store(column: Column, value: unknown): Stored {
  if (value === undefined) throw new BadValue("is missing");
  if (value === null) {
    if (column.nullable) return null;
    throw new BadValue("is null");
  }
  switch (column.type) {
    case "integer":
      // `| 0` also makes -0 an ordinary 0.
      if (typeof value === "number" && (value | 0) === value) return value | 0;
      return refuse(value, "an integer of 32 bits");
    case "bigint":
      return storeBigint(value);
    case "boolean":
      return typeof value === "boolean" ? value : refuse(value, "a boolean");
    case "text":
      return storeText(value);
    case "date":
      return storeDate(value);
    case "time":
      return storeTime(value);
    case "timestamp":
      return storeTimestamp(value);
    case "timestamptz":
      return storeTimestamptz(value);
    case "decimal":
      return storeDecimal(column, value);
  }
}

/**
 * PostgreSQL's input text of a stored value, which reads back as the same value whatever the session's
 * DateStyle and time zone are. Throws RangeError for null (it has no text) and for a day outside the
 * years 0001 to 9999; TypeError for a value that is not what the column stores.
 */
export function toText(column: Column, stored: Stored): string {
  if (stored === null) throw new RangeError("null has no text");
  switch (column.type) {
    case "date":
      if (typeof stored === "number") return dateText(stored);
      break;
    case "timestamp":
      if (typeof stored === "bigint") return timestampText(stored);
      break;
    case "timestamptz":
      if (typeof stored === "bigint") return `${timestampText(stored)}+00`;
      break;
    case "decimal":
      if (layoutOf(column) === "bigint" ? typeof stored === "bigint" : Number.isInteger(stored)) {
        return decimalText(String(stored), column.scale ?? 0);
      }
      break;
    case "time":
      if (typeof stored === "number") return timeText(stored);
      break;
    case "integer":
      if (typeof stored === "number") return String(stored);
      break;
    case "bigint":
      if (typeof stored === "bigint") return String(stored);
      break;
    case "boolean":
      if (typeof stored === "boolean") return stored ? "t" : "f";
      break;
    case "text":
      if (typeof stored === "string") return stored;
  }
  throw new TypeError(`${show(stored)} is not how a ${column.type} is stored`);
}

/**
 * What an inferred member (a dimension row made up because a fact refers to it) has in `column`: `unknown`
 * in text, nullable or not; null where it may be; else zero, false, midnight or 0001-01-01.
 */
export function placeholder(column: Pick<Column, "type" | "nullable" | "precision">): Stored {
  if (column.type === "text") return "unknown";
  if (column.nullable) return null;
  switch (column.type) {
    case "integer":
    case "time":
      return 0;
    case "bigint":
      return 0n;
    case "decimal":
      return layoutOf(column) === "bigint" ? 0n : 0;
    case "boolean":
      return false;
    case "date":
      return FIRST_DAY;
    case "timestamp":
    case "timestamptz":
      return FIRST_MICROS;
  }
}

// ---- checking

function refuse(value: unknown, wanted: string): never {
  throw new BadValue(`${show(value)} is not ${wanted}`);
}

function show(value: unknown): string {
  if (typeof value === "string") {
    const shown = JSON.stringify(value.slice(0, SHOWN));
    return value.length > SHOWN ? `${shown}… (${value.length} characters)` : shown;
  }
  if (typeof value === "bigint") {
    const digits = String(value);
    return digits.length > SHOWN ? `${digits.slice(0, SHOWN)}…n` : `${digits}n`;
  }
  if (typeof value === "object" && value !== null) {
    return Array.isArray(value) ? "an array" : value instanceof Date ? "a Date" : "an object";
  }
  if (typeof value === "function" || typeof value === "symbol") return `a ${typeof value}`;
  return String(value);
}

function storeBigint(value: unknown): bigint {
  // 19 digits are all that int64 has; the limit also keeps a megabyte of digits from being parsed.
  if (typeof value === "string" && /^-?[0-9]{1,19}$/.test(value)) {
    const parsed = BigInt(value);
    if (parsed >= -INT64_END && parsed < INT64_END) return parsed;
  }
  return refuse(value, "an integer of 64 bits, as a string of digits");
}

/** In Node 20, but not in the TypeScript library of its year. */
type WellFormed = string & { isWellFormed(): boolean };

function storeText(value: unknown): string {
  if (typeof value !== "string") return refuse(value, "text");
  if (value.length > TEXT_UNITS) throw new BadValue(`${show(value)} is longer than ${TEXT_UNITS}`);
  if (value.includes("\0")) {
    throw new BadValue(`${show(value)} holds U+0000, which PostgreSQL cannot`);
  }
  if (!(value as WellFormed).isWellFormed()) {
    throw new BadValue(`${show(value)} holds half of a surrogate pair, which UTF-8 cannot`);
  }
  return value;
}

function storeDate(value: unknown): number {
  const days = typeof value === "string" ? dayNumber(value) : undefined;
  return days ?? refuse(value, "a date (YYYY-MM-DD)");
}

function storeTime(value: unknown): number {
  const time = typeof value === "string" ? timeOfDay(value) : undefined;
  return time ?? refuse(value, "a time of day (HH:MM:SS[.ffffff])");
}

function storeTimestamp(value: unknown): bigint {
  const micros = typeof value === "string" ? wallClockMicros(value) : undefined;
  return micros ?? refuse(value, "a timestamp without a zone (YYYY-MM-DDTHH:MM:SS[.ffffff])");
}

function storeTimestamptz(value: unknown): bigint {
  const micros = typeof value === "string" ? momentMicros(value) : undefined;
  return micros ?? refuse(value, "a timestamp with a zone (YYYY-MM-DDTHH:MM:SS[.ffffff]±HH:MM)");
}

function storeDecimal(column: Column, value: unknown): number | bigint {
  const { precision, scale } = column;
  if (precision === undefined || scale === undefined || POWERS[precision] === undefined) {
    throw new TypeError("a decimal column declares a precision of 1 to 38 and a scale");
  }
  const unscaled = typeof value === "string" ? unscaledOf(value, precision, scale) : undefined;
  if (unscaled === undefined) {
    return refuse(value, `a decimal(${precision},${scale}), as a string of digits`);
  }
  return precision > FLOAT_DIGITS ? BigInt(unscaled) : unscaled;
}

/**
 * `12.30` at scale 2 → 1230, a bigint where it has more than 15 digits; undefined for what is no decimal or does
 * not fit exactly.
 */
function unscaledOf(value: string, precision: number, scale: number): number | bigint | undefined {
  const start = value.charCodeAt(0) === 45 ? 1 : 0;
  const point = value.indexOf(".");
  const wholeEnd = point < 0 ? value.length : point;
  if (wholeEnd === start || point === value.length - 1) return undefined;
  // A number holds fifteen digits exactly and is many times as fast as a bigint.
  let small = 0;
  let significant = 0;
  let decimals = 0;
  for (let i = start; i < value.length; i++) {
    if (i === point) continue;
    const digit = value.charCodeAt(i) - ZERO;
    if (!(digit >= 0 && digit <= 9)) return undefined;
    if (i > wholeEnd && ++decimals > scale) {
      if (digit !== 0) return undefined;
      continue;
    }
    if (significant > 0 || digit !== 0) significant++;
    if (significant <= FLOAT_DIGITS) small = small * 10 + digit;
  }
  const missing = scale - Math.min(decimals, scale);
  if (significant > 0 && significant + missing > precision) return undefined;
  if (significant + missing <= FLOAT_DIGITS) {
    let scaled = small;
    for (let i = 0; i < missing; i++) scaled *= 10;
    // `0 -` rather than a sign change: there is no negative zero.
    return start === 1 ? 0 - scaled : scaled;
  }
  const digits =
    point < 0
      ? value.slice(start)
      : value.slice(start, point) + value.slice(point + 1, point + 1 + scale);
  const scaled = BigInt(digits) * (POWERS[missing] ?? 1n);
  return start === 1 ? -scaled : scaled;
}

// ---- writing

function decimalText(unscaled: string, scale: number): string {
  const sign = unscaled.startsWith("-") ? "-" : "";
  const digits = unscaled.slice(sign.length).padStart(scale + 1, "0");
  if (scale === 0) return sign + digits;
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}
