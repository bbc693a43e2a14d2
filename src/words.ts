// Numbers as people read them.

/** `1,234`. */
export const whole = (count: number): string => count.toLocaleString("en-GB");

/** `1 row`, `1,234 rows`. */
export const counted = (count: number, noun: string, plural = `${noun}s`): string =>
  `${whole(count)} ${count === 1 ? noun : plural}`;

/** `a`, `a and b`, `a, b and c`. */
export const listed = (items: readonly string[]): string =>
  [items.slice(0, -1).join(", "), ...items.slice(-1)].filter((part) => part !== "").join(" and ");

/** `512 B`, `3.4 kB`, `1.2 MB`. */
export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const [amount, unit] = bytes < 1e6 ? [bytes / 1e3, "kB"] : [bytes / 1e6, "MB"];
  return `${amount.toFixed(1)} ${unit}`;
}

/** `0.42 s`, of milliseconds. */
export const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(2)} s`;

/** `0.42 s`, `42 s`, `23 min`, `2 h 14 min`, `3 days`, of milliseconds. */
export function duration(milliseconds: number): string {
  if (milliseconds < 10_000) return seconds(milliseconds);
  const full = Math.floor(milliseconds / 1000);
  if (full < 120) return `${full} s`;
  const minutes = Math.floor(full / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} days`;
}
