/**
 * Takes what PostgreSQL sends, cut into chunks anywhere, and calls `see` with each message's type and with where in its
 * chunk it begins, hopping over what is in it.
 */
export function hopper(
  see: (type: number, chunk: Buffer, at: number) => void,
): (chunk: Buffer) => void {
  let left = 0;
  let head = Buffer.alloc(0);
  return (chunk) => {
    let at = Math.min(left, chunk.length);
    left -= at;
    while (at < chunk.length) {
      const missing = 5 - head.length;
      if (chunk.length - at < missing || head.length > 0) {
        // A message's head lies across two chunks.
        const part = chunk.subarray(at, at + missing);
        if (head.length === 0) see(chunk[at]!, chunk, at);
        head = Buffer.concat([head, part]);
        at += part.length;
        if (head.length < 5) return;
        left = head.readInt32BE(1) - 4;
        head = Buffer.alloc(0);
      } else {
        see(chunk[at]!, chunk, at);
        left = chunk.readInt32BE(at + 1) - 4;
        at += 5;
      }
      const step = Math.min(left, chunk.length - at);
      at += step;
      left -= step;
    }
  };
}
