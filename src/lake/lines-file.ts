// Apart from objects.ts: ingestion alone makes these files.
import { createGzip } from "node:zlib";
import { writeFileToS3 } from "./objects.ts";
import { sha256 } from "./manifest.ts";

/** A finished file of lines, in memory. */
export interface LinesFile {
  readonly key: string;
  readonly body: Buffer;
  readonly sha256: string;
}

/** Makes one gzipped file of `chunks`, one after the other. */
export async function createFile(key: string, chunks: readonly Buffer[]): Promise<LinesFile> {
  const gzip = createGzip({ level: 1, chunkSize: 256 << 10 });
  const made: Buffer[] = [];
  gzip.on("data", (chunk: Buffer) => made.push(chunk));
  const body = await new Promise<Buffer>((resolve, reject) => {
    gzip.on("error", reject).on("end", () => resolve(Buffer.concat(made)));
    for (const chunk of chunks) gzip.write(chunk);
    gzip.end();
  });
  return { key, body, sha256: sha256(body) };
}

/** Puts a file. Its key is this run's alone.
 *  @throws ObjectError, S3Error */
export const writeFile = (bucket: string, { key, body }: LinesFile): Promise<void> =>
  writeFileToS3(bucket, key, body, "application/gzip");
