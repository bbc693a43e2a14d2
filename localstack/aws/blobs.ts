import { randomUUID } from "node:crypto";
import { closeSync, mkdirSync, openSync, read } from "node:fs";
import { copyFile, open, readdir, rm } from "node:fs/promises";
import path from "node:path";
import { Readable } from "node:stream";

/** Bytes on disk under a name of their own. An object is made of one blob, or of one for each of its parts. */
export interface Blob {
  readonly id: string;
  /** Bytes. */
  readonly size: number;
}

const readSize = 256 * 1024;

/** A folder of blobs. They are written once, under new names, and never changed. */
export class BlobFolder {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  /**
   * Makes a blob of what `receive` writes, and gives it with what `receive` gives.
   * @throws whatever `receive` throws; no file stays behind then.
   */
  async write<T extends { readonly size: number }>(
    receive: (write: (chunk: Buffer) => Promise<void>) => Promise<T>,
  ): Promise<[Blob, T]> {
    const id = randomUUID();
    const file = await open(this.#path(id), "wx");
    try {
      const result = await receive((chunk) => file.appendFile(chunk));
      return [{ id, size: result.size }, result];
    } catch (error) {
      await this.remove([{ id, size: 0 }]);
      throw error;
    } finally {
      await file.close();
    }
  }

  /** The bytes `from` up to but not including `to` of the blobs laid end to end. */
  read(blobs: readonly Blob[], from: number, to: number): Readable {
    const slices: Slice[] = [];
    let start = 0;
    for (const blob of blobs) {
      const first = Math.max(from - start, 0);
      const end = Math.min(to - start, blob.size);
      // Opened here and now: whoever reads goes on reading when the object is overwritten or deleted meanwhile.
      if (first < end)
        slices.push({ file: openSync(this.#path(blob.id), "r"), position: first, end });
      start += blob.size;
    }
    return new SliceStream(slices);
  }

  async copy(blobs: readonly Blob[]): Promise<Blob[]> {
    return Promise.all(
      blobs.map(async ({ id, size }) => {
        const copy = { id: randomUUID(), size };
        await copyFile(this.#path(id), this.#path(copy.id));
        return copy;
      }),
    );
  }

  async remove(blobs: readonly Blob[]): Promise<void> {
    await Promise.all(blobs.map(({ id }) => rm(this.#path(id), { force: true, maxRetries: 3 })));
  }

  /** Removes all but these: uploads that were cut off, objects whose removal was. */
  async sweep(kept: ReadonlySet<string>): Promise<void> {
    const found = await readdir(this.#folder);
    await this.remove(found.filter((id) => !kept.has(id)).map((id) => ({ id, size: 0 })));
  }

  #path(id: string): string {
    return path.join(this.#folder, id);
  }
}

interface Slice {
  readonly file: number;
  position: number;
  readonly end: number;
}

class SliceStream extends Readable {
  readonly #slices: Slice[];
  #reading = false;

  constructor(slices: Slice[]) {
    super({ highWaterMark: readSize });
    this.#slices = slices;
  }

  override _read(): void {
    const slice = this.#slices[0];
    if (!slice) {
      this.push(null);
      return;
    }
    const length = Math.min(readSize, slice.end - slice.position);
    const buffer = Buffer.allocUnsafe(length);
    this.#reading = true;
    read(slice.file, buffer, 0, length, slice.position, (error, count) => {
      this.#reading = false;
      if (this.destroyed) {
        this.#closeAll();
        return;
      }
      if (error || count === 0) {
        this.destroy(error ?? new Error("A blob is shorter than it was"));
        return;
      }
      slice.position += count;
      if (slice.position === slice.end) {
        closeSync(slice.file);
        this.#slices.shift();
      }
      this.push(buffer.subarray(0, count));
    });
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    // A file that is being read is closed afterwards: its number could be another file's by then.
    if (!this.#reading) this.#closeAll();
    callback(error);
  }

  #closeAll(): void {
    for (const slice of this.#slices.splice(0)) closeSync(slice.file);
  }
}
