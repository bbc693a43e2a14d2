// Numbers and times as people read them. A number never parts from its unit.

/** `1,234` */
export const int = (n) => n.toLocaleString("en-GB");

/** `1 row`, `1,234 rows` */
export const plural = (n, one, many = `${one}s`) => `${int(n)}\u00A0${n === 1 ? one : many}`;

/** `£12,345`, `£1.23M`; a code that is none goes behind the number. */
export function money(amount, currency) {
  const isLarge = Math.abs(Number(amount)) >= 1e6;
  /** @type {Intl.NumberFormatOptions} */
  const options = {
    notation: isLarge ? "compact" : "standard",
    maximumFractionDigits: isLarge ? 2 : 0,
  };
  if (!/^[A-Z]{3}$/.test(currency))
    return `${Number(amount).toLocaleString("en-GB", options)}\u00A0${currency}`;
  return Number(amount).toLocaleString("en-GB", {
    ...options,
    style: "currency",
    currency,
    currencyDisplay: "narrowSymbol",
  });
}

/** `541 ms`, `1.20 s`, `2.5 min`, of milliseconds; – where there are none. */
export function ms(n) {
  if (n === null || n === undefined) return "–";
  if (n < 1000) return `${Math.round(n)}\u00A0ms`;
  if (n < 60_000) return `${(n / 1000).toFixed(2)}\u00A0s`;
  return n < 5_400_000
    ? `${(n / 60_000).toFixed(1)}\u00A0min`
    : `${(n / 3_600_000).toFixed(1)}\u00A0h`;
}

/** The same for an axis, whose numbers are round. */
export const tick = (n) => ms(n).replace(/\.0+(?=\u00A0)/, "");

/** `961 B`, `2.9 kB`, `38.2 MB` */
export function bytes(n) {
  if (n < 1000) return `${n}\u00A0B`;
  return n < 1e6 ? `${(n / 1e3).toFixed(1)}\u00A0kB` : `${(n / 1e6).toFixed(1)}\u00A0MB`;
}

/** `42 s`, `14 min`, `2 h 14 min`, `9 days`, of seconds */
export function span(s) {
  if (s < 60) return `${Math.max(0, Math.floor(s))}\u00A0s`;
  if (s < 3600) return `${Math.floor(s / 60)}\u00A0min`;
  if (s < 86_400) return `${Math.floor(s / 3600)}\u00A0h\u00A0${Math.floor(s / 60) % 60}\u00A0min`;
  return plural(Math.floor(s / 86_400), "day");
}

/** `14:32` */
export const clock = (iso) => iso.slice(11, 16);

const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];

/** `November`, of `2026-11` */
export const monthName = (month) => MONTHS[Number(month.slice(5, 7)) - 1];

/** `Nov 2026` */
export const shortMonth = (month) => `${monthName(month).slice(0, 3)} ${month.slice(0, 4)}`;

/** `22 November 2026`, of `2026-11-22` */
export const dayName = (day) => `${Number(day.slice(8))} ${monthName(day)} ${day.slice(0, 4)}`;
