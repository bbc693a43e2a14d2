/**
 * Dictionaries make a column of repeated values several times as small and quick to write and read. Numbers in
 * a narrow range are looked up in an array, others in a map.
 */

const DENSE_RANGE = 1 << 20;

/** The distinct values of a column, and which of them each row has. */
export interface Dictionary<T> {
  readonly distinct: T[];
  /** For each value, its place in `distinct`. */
  readonly indexes: Uint16Array;
}

/** Looks at a sample, so that a column of distinct values costs little: most keys are one. No values repeat nothing. */
function repeats(values: ArrayLike<unknown>): boolean {
  const samples = Math.min(values.length, 1000);
  const seen = new Set();
  for (let i = 0; i < samples; i++) seen.add(values[Math.floor((i * values.length) / samples)]);
  return samples > 0 && seen.size <= samples * 0.9;
}

/** Of integers from `min` to `max`; undefined where it would not pay. */
export function numberDictionary(
  values: Float64Array,
  min: number,
  max: number,
): Dictionary<number> | undefined {
  if (!repeats(values)) return undefined;
  if (max - min >= DENSE_RANGE) return mapDictionary(values);
  const most = mostDistinct(values);
  const indexes = new Uint16Array(values.length);
  const distinct: number[] = [];
  const places = new Int32Array(max - min + 1);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0;
    let place = places[value - min] ?? 0;
    if (place === 0) {
      if (distinct.length === most) return undefined;
      place = places[value - min] = distinct.push(value);
    }
    indexes[i] = place - 1;
  }
  return { distinct, indexes };
}

/** Of texts of `most` characters in all at most; undefined where it would not pay. */
export function textDictionary(
  values: readonly string[],
  most: number,
): Dictionary<string> | undefined {
  const dictionary = repeats(values) ? mapDictionary(values) : undefined;
  let size = 0;
  for (const value of dictionary?.distinct ?? []) size += value.length;
  return size <= most ? dictionary : undefined;
}

function mapDictionary<T>(values: ArrayLike<T>): Dictionary<T> | undefined {
  const most = mostDistinct(values);
  const indexes = new Uint16Array(values.length);
  const distinct: T[] = [];
  const places = new Map<T, number>();
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as T;
    let place = places.get(value);
    if (place === undefined) {
      if (distinct.length === most) return undefined;
      place = distinct.push(value) - 1;
      places.set(value, place);
    }
    indexes[i] = place;
  }
  return { distinct, indexes };
}

/** Half of the values, and no more than 16 bits can count. */
const mostDistinct = (values: ArrayLike<unknown>): number => Math.min(values.length >> 1, 65_536);
