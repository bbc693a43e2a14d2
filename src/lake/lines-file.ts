// Apart from objects.ts: ingestion alone makes these files.
import { once } from "node:events";
import { createGzip } from "node:zlib";
import { awaitedLater } from "../errors.ts";
import { writeFileToS3 } from "./objects.ts";

/** Bytes that go to the compressor at a time: a call for each chunk that the source sends would cost more than the work. */
const PIECE = 512 << 10;
/** Pieces that were compressed, to be filled again: new ones would be most of the garbage. */
const pieces: Buffer[] = [];

/** A gzipped file of lines in the making. What it is given is compressed at once, by another thread. */
export class LinesFile {
  readonly #gzip = createGzip({ level: 1, chunkSize: 256 << 10 });
  readonly #made: Buffer[] = [];
  readonly #isMade: Promise<unknown>;
  #piece = pieces.pop() ?? Buffer.allocUnsafeSlow(PIECE);
  #filled = 0;

  constructor() {
    this.#gzip.on("data", (chunk: Buffer) => this.#made.push(chunk));
    this.#isMade = awaitedLater(once(this.#gzip, "end"));
  }

  /** Adds lines; their bytes are free again afterwards. Resolves when there is room for more. */
  async write(chunks: readonly Buffer[]): Promise<void> {
    for (const chunk of chunks)
      for (let at = 0; at < chunk.length;) {
        const copied = chunk.copy(this.#piece, this.#filled, at);
        at += copied;
        this.#filled += copied;
        if (this.#filled === PIECE && !this.#compress()) await once(this.#gzip, "drain");
      }
  }

  /** The whole file. */
  async end(): Promise<Buffer> {
    this.#compress();
    this.#gzip.end();
    await this.#isMade;
    return Buffer.concat(this.#made);
  }

  #compress(): boolean {
    const piece = this.#piece;
    const more = this.#gzip.write(piece.subarray(0, this.#filled), () => pieces.push(piece));
    this.#piece = pieces.pop() ?? Buffer.allocUnsafeSlow(PIECE);
    this.#filled = 0;
    return more;
  }
}

/** Puts a file. Its key is this run's alone.
 *  @throws ObjectError, S3Error */
export const writeFile = (bucket: string, key: string, body: Buffer): Promise<void> =>
  writeFileToS3(bucket, key, body, "application/gzip");
