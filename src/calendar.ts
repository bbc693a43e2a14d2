/**
 * Days, times of day and moments as numbers, from and to ISO 8601 text: the proleptic Gregorian calendar,
 * years 0001 to 9999, no leap seconds. By hand, because JavaScript's Date rolls 30 February over to March,
 * drops microseconds and has a time zone.
 */

const DAY_SECONDS = 86_400;
const ZERO = 48;
const NINE = 57;
const MONTH_DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** 0001-01-01, in days since 1970-01-01. */
export const FIRST_DAY = -719_162;
/** 9999-12-31, in days since 1970-01-01. */
export const LAST_DAY = 2_932_896;
/** µs of a day: no time of day is as late. */
export const DAY_MICROS = 86_400_000_000;
/** 0001-01-01 00:00:00, in µs since 1970. */
export const FIRST_MICROS = BigInt(FIRST_DAY) * 86_400_000_000n;

/** Days since 1970-01-01 of a real day written `YYYY-MM-DD`; undefined for any other text. */
export function dayNumber(text: string): number | undefined {
  const days = text.length === 10 ? daysAt(text) : NaN;
  return Number.isNaN(days) ? undefined : days;
}

/** µs since midnight of `HH:MM:SS[.f]`, f up to six digits; undefined for any other text. */
export function timeOfDay(text: string): number | undefined {
  const micros = secondsAt(text, 0) * 1_000_000 + microsAt(text, 8, text.length);
  return Number.isNaN(micros) ? undefined : micros;
}

/** µs since 1970 of `YYYY-MM-DD[T ]HH:MM:SS[.f]` on its own wall clock; undefined for any other text. */
export function wallClockMicros(text: string): bigint | undefined {
  return microseconds(wallClockAt(text), microsAt(text, 19, text.length));
}

/**
 * µs since 1970 UTC of `YYYY-MM-DD[T ]HH:MM:SS[.f]` with `Z`, `±HH` or `±HH:MM`; undefined for any other
 * text, and where the moment lies outside the years 0001 to 9999 in UTC.
 */
export function momentMicros(text: string): bigint | undefined {
  const zone = zoneStart(text);
  const seconds = wallClockAt(text) - offsetAt(text, zone);
  const day = Math.floor(seconds / DAY_SECONDS);
  if (day < FIRST_DAY || day > LAST_DAY) return undefined;
  return microseconds(seconds, microsAt(text, 19, zone));
}

const pad = (value: number, digits: number): string => String(value).padStart(digits, "0");

/** `YYYY-MM-DD` of days since 1970-01-01. Throws RangeError outside the years 0001 to 9999. */
export function dateText(days: number): string {
  if (!(Number.isInteger(days) && days >= FIRST_DAY && days <= LAST_DAY)) {
    throw new RangeError(`day ${days} is outside the years 0001 to 9999`);
  }
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * fromMarch + 2) / 5) + 1;
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}`;
}

/** `HH:MM:SS.ffffff` of µs since midnight. Throws RangeError for what is no time of day. */
export function timeText(micros: number): string {
  if (!(Number.isInteger(micros) && micros >= 0 && micros < DAY_MICROS)) {
    throw new RangeError(`${micros} µs after midnight are no time of day`);
  }
  const seconds = Math.floor(micros / 1_000_000);
  return `${clockText(seconds)}.${pad(micros - seconds * 1_000_000, 6)}`;
}

/** `HH:MM:SS` of seconds since midnight. */
const clockText = (seconds: number): string =>
  `${pad(Math.floor(seconds / 3600), 2)}:${pad(Math.floor(seconds / 60) % 60, 2)}:${pad(seconds % 60, 2)}`;

/** `YYYY-MM-DD HH:MM:SS.ffffff` of µs since 1970. Throws RangeError outside the years 0001 to 9999. */
export function timestampText(stored: bigint): string {
  let seconds = stored / 1_000_000n;
  let micros = Number(stored % 1_000_000n);
  if (micros < 0) {
    seconds -= 1n;
    micros += 1_000_000;
  }
  const days = Math.floor(Number(seconds) / DAY_SECONDS);
  const rest = Number(seconds) - days * DAY_SECONDS;
  return `${dateText(days)} ${clockText(rest)}.${pad(micros, 6)}`;
}

// ---- the parts of a text: each but `pairAt` gives NaN for what is not there

/** A decimal number of two digits at `at`; less than 0 for anything else: integers are twice as fast as what may be NaN. */
function pairAt(text: string, at: number): number {
  const tens = text.charCodeAt(at);
  const ones = text.charCodeAt(at + 1);
  if (!(tens >= ZERO && tens <= NINE && ones >= ZERO && ones <= NINE)) return -1;
  return (tens - ZERO) * 10 + (ones - ZERO);
}

/** Days since 1970-01-01 of the real day `YYYY-MM-DD` that `text` begins with. */
function daysAt(text: string): number {
  if (text.charCodeAt(4) !== 45 || text.charCodeAt(7) !== 45) return NaN;
  const century = pairAt(text, 0);
  const yearOfCentury = pairAt(text, 2);
  const month = pairAt(text, 5);
  const day = pairAt(text, 8);
  if ((century | yearOfCentury) < 0 || month < 1 || month > 12 || day < 1) return NaN;
  const year = century * 100 + yearOfCentury;
  if (year < 1 || day > MONTH_DAYS[month - 1]!) return NaN;
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  if (month === 2 && day === 29 && !leap) return NaN;
  return daysFromCivil(year, month, day);
}

/**
 * The usual arithmetic on years that begin in March, so that the leap day is the last of its year:
 * https://howardhinnant.github.io/date_algorithms.html
 */
function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year; // never negative: `| 0` cuts as Math.floor does, and keeps integers
  const dayOfYear = (((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) | 0) + day - 1;
  const leaps = ((y / 4) | 0) - ((y / 100) | 0) + ((y / 400) | 0);
  return y * 365 + leaps + dayOfYear - 719_468;
}

/** Seconds since midnight of the `HH:MM:SS` at `at`. */
function secondsAt(text: string, at: number): number {
  if (text.charCodeAt(at + 2) !== 58 || text.charCodeAt(at + 5) !== 58) return NaN;
  const hours = pairAt(text, at);
  const minutes = pairAt(text, at + 3);
  const seconds = pairAt(text, at + 6);
  if ((hours | minutes | seconds) < 0 || hours > 23 || minutes > 59 || seconds > 59) return NaN;
  return hours * 3600 + minutes * 60 + seconds;
}

/** Microseconds of the fraction `.f` to `.ffffff` between `from` and `to`; 0 where that is empty. */
function microsAt(text: string, from: number, to: number): number {
  if (from === to) return 0;
  if (text.charCodeAt(from) !== 46 || to - from < 2 || to - from > 7) return NaN;
  let micros = 0;
  for (let i = from + 1; i < from + 7; i++) {
    const code = i < to ? text.charCodeAt(i) : ZERO;
    if (!(code >= ZERO && code <= NINE)) return NaN;
    micros = micros * 10 + (code - ZERO);
  }
  return micros;
}

/** Seconds since 1970 of the `YYYY-MM-DD[T ]HH:MM:SS` that `text` begins with, on its own wall clock. */
function wallClockAt(text: string): number {
  const separator = text.charCodeAt(10);
  if (separator !== 84 && separator !== 32) return NaN;
  return daysAt(text) * DAY_SECONDS + secondsAt(text, 11);
}

/** Where the zone begins: `Z`, or the sign after the seconds. */
function zoneStart(text: string): number {
  for (let i = 19; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 90 || code === 43 || code === 45) return i;
  }
  return text.length;
}

/** Seconds east of UTC of `Z`, `±HH` or `±HH:MM` from `at` to the end. PostgreSQL knows zones to ±15:59. */
function offsetAt(text: string, at: number): number {
  const length = text.length - at;
  const sign = text.charCodeAt(at);
  if (sign === 90) return length === 1 ? 0 : NaN;
  if (length !== 3 && !(length === 6 && text.charCodeAt(at + 3) === 58)) return NaN;
  const hours = pairAt(text, at + 1);
  const minutes = length === 6 ? pairAt(text, at + 4) : 0;
  if ((hours | minutes) < 0 || hours > 15 || minutes > 59) return NaN;
  const seconds = hours * 3600 + minutes * 60;
  return sign === 45 ? -seconds : seconds;
}

/** undefined where either is NaN. Beyond 2⁵³ µs, which is the year 2255, the product needs a bigint. */
function microseconds(seconds: number, micros: number): bigint | undefined {
  const total = seconds * 1_000_000 + micros;
  if (Number.isSafeInteger(total)) return BigInt(total);
  if (Number.isNaN(total)) return undefined;
  return BigInt(seconds) * 1_000_000n + BigInt(micros);
}
