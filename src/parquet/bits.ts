/** Parquet's run-length and bit-packing hybrid: https://parquet.apache.org/docs/file-format/data-pages/encodings/ */

/** Bits that hold the numbers below `count`; at least 1, because not every reader takes a width of 0. */
export function widthOf(count: number): number {
  return Math.max(1, 32 - Math.clz32(count - 1));
}

/** `values` in one bit-packed run, or in one repeated run where they are all the same. Width at most 24. */
export function packed(values: Uint8Array | Uint16Array, width: number): Buffer {
  const first = values[0];
  if (first === undefined) return Buffer.alloc(0);
  if (values.every((value) => value === first)) return repeated(first, values.length, width);
  const groups = (values.length + 7) >> 3;
  const out = Buffer.alloc(5 + groups * width);
  let at = putVarint(out, 0, ((groups << 1) | 1) >>> 0);
  const end = at + groups * width;
  let bits = 0;
  let held = 0;
  for (let i = 0; i < values.length; i++) {
    held |= (values[i] ?? 0) << bits;
    bits += width;
    while (bits >= 8) {
      out[at++] = held;
      held >>>= 8;
      bits -= 8;
    }
  }
  out[at] = held;
  // The last group is padded with zeros, which Buffer.alloc wrote.
  return out.subarray(0, end);
}

/** `value`, `count` times. */
export function repeated(value: number, count: number, width: number): Buffer {
  const bytes = (width + 7) >> 3;
  const out = Buffer.alloc(5 + bytes);
  const at = putVarint(out, 0, count * 2);
  out.writeUIntLE(value, at, bytes);
  return out.subarray(0, at + bytes);
}

/**
 * Fills `out` from the runs that begin at `from` in `bytes`; gives where they end.
 * Throws RangeError for runs that are too short, reach beyond `to`, or are wider than 24 bits.
 */
export function unpack(
  bytes: Buffer,
  from: number,
  to: number,
  width: number,
  out: Uint8Array | Uint32Array,
): number {
  if (width < 0 || width > 24) throw new RangeError(`a bit width of ${width}`);
  const mask = (1 << width) - 1;
  const valueBytes = (width + 7) >> 3;
  let at = from;
  let filled = 0;
  while (filled < out.length) {
    let header = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      if (at > to || shift > 28) throw new RangeError("runs end too early");
      header |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    const count = header >>> 1;
    if ((header & 1) === 0) {
      if (count === 0 || count > out.length - filled || at + valueBytes > to) {
        throw new RangeError("a run is too long");
      }
      const value = valueBytes === 0 ? 0 : bytes.readUIntLE(at, valueBytes);
      if (value > mask) throw new RangeError(`${value} in ${width} bits`);
      out.fill(value, filled, filled + count);
      filled += count;
      at += valueBytes;
      continue;
    }
    // Whole groups of eight: the last may hold more than is wanted.
    const wanted = Math.min(count * 8, out.length - filled);
    if (count === 0 || at + count * width > to) throw new RangeError("a run is too long");
    let bits = 0;
    let held = 0;
    let next = at;
    for (let i = 0; i < wanted; i++) {
      while (bits < width) {
        held |= (bytes[next++] ?? 0) << bits;
        bits += 8;
      }
      out[filled++] = held & mask;
      held >>>= width;
      bits -= width;
    }
    at += count * width;
  }
  return at;
}

function putVarint(out: Buffer, at: number, value: number): number {
  let rest = value;
  let next = at;
  while (rest > 127) {
    out[next++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  out[next++] = rest;
  return next;
}
