/** A map whose keys are in the order of their UTF-8 bytes, as S3 lists them; made to be listed from anywhere. */
export class SortedMap<V> {
  readonly #values = new Map<string, V>();
  readonly #keys: string[] = [];

  get size(): number {
    return this.#keys.length;
  }

  get(key: string): V | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: V): void {
    if (!this.#values.has(key)) this.#keys.splice(this.#position(key), 0, key);
    this.#values.set(key, value);
  }

  delete(key: string): void {
    if (this.#values.delete(key)) this.#keys.splice(this.#position(key), 1);
  }

  /** Entries from the first key that is not below `key`. The map must not change meanwhile. */
  *from(key: string): Generator<[string, V]> {
    for (let index = this.#position(key); index < this.#keys.length; index++) {
      const found = this.#keys[index] as string;
      yield [found, this.#values.get(found) as V];
    }
  }

  values(): IterableIterator<V> {
    return this.#values.values();
  }

  #position(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareUtf8(this.#keys[middle] as string, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Compares by UTF-8 bytes: negative, 0 or positive. `<` would put emoji before `ﬀ`, as UTF-16 has them. */
export function compareUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
