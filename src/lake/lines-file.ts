// Apart from objects.ts: ingestion alone makes these files.
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { writeFileToS3 } from "./objects.ts";
import { sha256 } from "./manifest.ts";

/** A finished file of lines, in memory. */
export interface LinesFile {
  readonly key: string;
  readonly body: Buffer;
  readonly sha256: string;
}

/** Bytes that go to the compressor at a time: what the source sends is so small that the calls would cost more than the work. */
const PIECE = 512 << 10;

/** Makes one gzipped file of `chunks`, one after the other. */
export async function createFile(key: string, chunks: readonly Buffer[]): Promise<LinesFile> {
  const made: Buffer[] = [];
  await pipeline(
    pieces(chunks),
    createGzip({ level: 1, chunkSize: 256 << 10 }),
    async (gzipped) => {
      for await (const part of gzipped) made.push(part as Buffer);
    },
  );
  const body = Buffer.concat(made);
  return { key, body, sha256: sha256(body) };
}

function* pieces(chunks: readonly Buffer[]): Generator<Buffer> {
  let some: Buffer[] = [];
  let size = 0;
  for (const chunk of chunks) {
    some.push(chunk);
    size += chunk.length;
    if (size < PIECE) continue;
    yield Buffer.concat(some);
    some = [];
    size = 0;
  }
  if (size > 0) yield Buffer.concat(some);
}

/** Puts a file. Its key is this run's alone.
 *  @throws ObjectError, S3Error */
export const writeFile = (bucket: string, { key, body }: LinesFile): Promise<void> =>
  writeFileToS3(bucket, key, body, "application/gzip");
