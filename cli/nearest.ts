import { closest, distance } from "fastest-levenshtein";

/** `; did you mean fact_payment?` where one of `known` is spelt nearly so, else nothing. */
export function didYouMean(word: string, known: readonly string[]): string {
  if (known.length === 0) return "";
  const nearest = closest(word, known);
  const isNear = distance(word, nearest) <= Math.max(1, Math.floor(nearest.length / 3));
  return isNear ? `; did you mean ${nearest}?` : "";
}
