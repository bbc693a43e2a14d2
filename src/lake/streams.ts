// Apart from objects.ts, for ingestion alone writes files of unknown length: what the other two bundle cannot upload in parts.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { putStream } from "../aws/upload.ts";
import { writeFileToS3 } from "./objects.ts";

/** Memory in bytes that files may wait in until their run knows whether it needs them. */
export interface Hold {
  left: number;
}

/** A file that is no larger waits in memory whatever the others take. */
const SMALL = 64 << 10;

/** A file of lines that was made. `put` puts it, where it waits in memory still. */
export interface WrittenFile {
  readonly key: string;
  /** Lines, of each part. */
  readonly rows: readonly number[];
  readonly bytes: number;
  readonly sha256: string;
  /** True where it waits in memory; false where it was too large for that and lies in the bucket. */
  readonly held: boolean;
  put(): Promise<void>;
}

/**
 * Makes one gzipped file of `parts`, lines one after the other. While `hold` lasts it waits in memory, so that a run
 * which turns out to have nothing new leaves nothing behind; beyond, it streams to the bucket in parts.
 *
 * @throws whatever a part throws, and S3Error
 */
export async function writeFile(
  bucket: string,
  key: string,
  parts: readonly AsyncIterable<Buffer>[],
  hold: Hold,
): Promise<WrittenFile> {
  const rows = parts.map(() => 0);
  async function* lines(): AsyncGenerator<Buffer> {
    for (const [i, part] of parts.entries()) {
      for await (const chunk of part) {
        rows[i]! += countLines(chunk);
        yield chunk;
      }
    }
  }
  const hash = createHash("sha256");
  let bytes = 0;
  let held: Buffer[] | undefined = [];
  const body = new PassThrough({ highWaterMark: 1 << 20 });
  let upload: Promise<void> | undefined;
  const gzipped = pipeline(
    lines,
    createGzip({ level: 1 }),
    async (compressed: AsyncIterable<Buffer>) => {
      for await (const chunk of compressed) {
        hash.update(chunk);
        bytes += chunk.length;
        if (held && (hold.left >= chunk.length || bytes <= SMALL)) {
          hold.left -= chunk.length;
          held.push(chunk);
          continue;
        }
        if (!upload) {
          for (const part of held ?? []) hold.left += part.length;
          upload = putStream(bucket, key, body, "application/gzip");
          // It is waited for below; one that fails meanwhile must not count as unhandled.
          upload.catch(() => undefined);
        }
        for (const part of [...(held ?? []), chunk])
          if (!body.write(part)) await Promise.race([once(body, "drain"), upload]);
        held = undefined;
      }
    },
  );
  try {
    await gzipped;
  } catch (error) {
    // The upload must end too, and not as if the file were whole.
    if (upload) {
      body.destroy(error as Error);
      await upload.catch(() => undefined);
    }
    throw error;
  }
  body.end();
  await upload;
  const waiting = held;
  return {
    key,
    rows,
    bytes,
    sha256: hash.digest("hex"),
    held: waiting !== undefined,
    put: async () => {
      if (waiting) await writeFileToS3(bucket, key, Buffer.concat(waiting), "application/gzip");
    },
  };
}

const NEWLINE = 10;

function countLines(chunk: Buffer): number {
  let lines = 0;
  for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, at + 1)) lines++;
  return lines;
}
