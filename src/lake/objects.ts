import { isAscii } from "node:buffer";
import { Readable } from "node:stream";
import { createGunzip, gzipSync } from "node:zlib";
import { getObject, putOnce, TooLargeError } from "../aws/s3.ts";
import { concerning, noted } from "../errors.ts";
import { isObject } from "../json.ts";
import type { SourceRow } from "../table.ts";
import { isOfTable } from "./keys.ts";
import { sha256, type LakeObject } from "./manifest.ts";

/** A data object that is not what its manifest says. Its whole batch fails: nothing of it is half-done. */
export class ObjectError extends Error {
  override readonly name = "ObjectError";
}

/**
 * Reads a data object whole and holds it against its manifest.
 * @throws ObjectError where it is gone, truncated or altered
 */
export const getContentFromFile = (bucket: string, object: LakeObject): Promise<Buffer> =>
  concerning({ table: object.table }, () => getWhole(bucket, object));

async function getWhole(bucket: string, object: LakeObject): Promise<Buffer> {
  const bytes = await getIfThere(bucket, object);
  if (!bytes) throw goneError(bucket, object);
  return bytes;
}

/** What is said of an object that is not there. @param instead what to restore rather than that */
export const goneError = (
  bucket: string,
  { key }: LakeObject,
  instead = "restore it from its version",
): ObjectError =>
  new ObjectError(`s3://${bucket}/${key} is gone, though a manifest names it; ${instead}`);

/**
 * As `getContentFromFile`, for whoever knows what to read instead of an object that is not there.
 * @returns undefined where it is gone
 * @throws ObjectError where it is truncated or altered
 */
export async function getIfThere(bucket: string, object: LakeObject): Promise<Buffer | undefined> {
  const where = `s3://${bucket}/${object.key}`;
  if (!isOfTable(object.key, object.table))
    throw new ObjectError(
      `${where} is no object of ${object.table}, though a manifest says so; restore the manifest that was written first`,
    );
  const bytes = await getUpTo(bucket, object);
  if (!bytes) return undefined;
  const found = sha256(bytes);
  if (bytes.length !== object.bytes || found !== object.sha256)
    throw new ObjectError(
      `${where} is not what was committed: expected ${object.bytes} bytes with SHA-256 ${object.sha256}, ` +
        `found ${bytes.length} with ${found}; restore the version that was written first`,
    );
  return bytes;
}

/** @throws ObjectError where there is more than was committed: none of it was read */
async function getUpTo(
  bucket: string,
  { key, bytes }: Pick<LakeObject, "key" | "bytes">,
): Promise<Buffer | undefined> {
  try {
    return await getObject(bucket, key, bytes);
  } catch (error) {
    if (!(error instanceof TooLargeError)) throw error;
    throw new ObjectError(
      `s3://${bucket}/${key} is not what was committed: expected ${bytes} bytes, found ${error.bytes}; ` +
        "restore the version that was written first",
      { cause: error },
    );
  }
}

const NEWLINE = 10;
const COMMA = 44;
const OPEN = 91;
const CLOSE = 93;
/** Bytes of a line at most; ingestion makes none that is longer. */
export const LINE_BYTES = 128 << 20;
/** Bytes of lines that are parsed at once, about: what is made of more outlives V8's young generation. */
const STRETCH = 64 << 10;
/** Bytes that are unpacked at once: each time is a way to another thread and back. */
const PIECE = 256 << 10;

/**
 * Reads a source table's rows of one batch, some 64 KiB of them at a time, in the order of the file.
 * @throws ObjectError where the object is not what its manifest says, is not gzip, or has a line that is no JSON object
 */
export async function* readS3Json(bucket: string, object: LakeObject): AsyncGenerator<SourceRow[]> {
  const where = `s3://${bucket}/${object.key}`;
  const bytes = await getContentFromFile(bucket, object);
  const pieces = Readable.from([bytes]).pipe(createGunzip({ chunkSize: PIECE }));
  let parsed = 0;
  try {
    for await (const rows of parseLines(where, pieces)) {
      // A small file may unpack to more than there is memory, and more than was committed.
      if (parsed > object.rows)
        throw new ObjectError(`${where}: expected ${object.rows} rows, found more`);
      parsed += rows.length;
      yield rows;
    }
    if (parsed !== object.rows)
      throw new ObjectError(`${where}: expected ${object.rows} rows, found ${parsed}`);
  } catch (cause) {
    const isOurs = cause instanceof ObjectError;
    const why = `${where} cannot be read: ${(cause as Error).message}`;
    throw noted(isOurs ? cause : new ObjectError(why, { cause }), { table: object.table });
  }
}

/**
 * Parses lines of JSON objects, some 64 KiB of them at a time. Where one chunk ends and the next begins means nothing.
 * @param where what the lines are of, for messages
 * @throws ObjectError for a line that is no JSON object
 */
export async function* parseLines(
  where: string,
  chunks: AsyncIterable<Buffer>,
): AsyncGenerator<SourceRow[]> {
  const lines = new Lines(where);
  for await (const piece of chunks) {
    for (let from = 0; from < piece.length; from += STRETCH) {
      const part = piece.subarray(from, from + STRETCH);
      const end = part.lastIndexOf(NEWLINE) + 1;
      if (end > 0) {
        lines.hold(part.subarray(0, end));
        yield lines.parse();
      }
      lines.hold(part.subarray(end));
    }
  }
  if (!lines.empty) yield lines.parse();
}

/**
 * Lines of JSON, parsed many at once: a quarter faster than one a line. They are collected in one buffer, which is
 * used again, and made one array there, commas for newlines: copies would be most of the garbage.
 */
class Lines {
  /** Rows parsed so far. */
  parsed = 0;
  readonly #where: string;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #held = Buffer.alloc(2 * STRETCH, OPEN);
  /** The first byte is the array's bracket. */
  #end = 1;

  constructor(where: string) {
    this.#where = where;
  }

  get empty(): boolean {
    return this.#end === 1;
  }

  /** @throws ObjectError for a line that no source row has */
  hold(bytes: Buffer): void {
    if (this.#end + bytes.length > LINE_BYTES)
      throw new ObjectError(
        `${this.#where}, line ${this.parsed + 1}: more than ${LINE_BYTES} bytes; restore the version that was written first`,
      );
    if (this.#end + bytes.length >= this.#held.length) {
      const wanted = Math.min(2 * (this.#end + bytes.length), LINE_BYTES + 1);
      const larger = Buffer.allocUnsafeSlow(wanted);
      this.#held.copy(larger, 0, 0, this.#end);
      this.#held = larger;
    }
    this.#end += bytes.copy(this.#held, this.#end);
  }

  /** The rows of all that is held, which is then held no more. */
  parse(): SourceRow[] {
    const held = this.#held;
    const end = held[this.#end - 1] === NEWLINE ? this.#end - 1 : this.#end;
    const starts = [1];
    for (let at = held.indexOf(NEWLINE); at >= 0 && at < end; at = held.indexOf(NEWLINE, at + 1)) {
      held[at] = COMMA;
      starts.push(at + 1);
    }
    held[end] = CLOSE;
    this.#end = 1;
    const rows = this.#array(end) ?? this.#refuse(starts, end);
    this.parsed += rows.length;
    return rows;
  }

  /** undefined where it is not one of objects; only then does anybody look at the lines. */
  #array(end: number): SourceRow[] | undefined {
    const bytes = this.#held.subarray(0, end + 1);
    // Nearly always; and JSON is parsed faster where all characters are of one byte.
    const text = isAscii(bytes) ? bytes.toString("latin1") : this.#decoder.decode(bytes);
    try {
      const rows = JSON.parse(text) as unknown[];
      return rows.every(isObject) ? rows : undefined;
    } catch {
      return undefined;
    }
  }

  #refuse(starts: readonly number[], end: number): never {
    for (const [i, start] of starts.entries()) {
      const line = `${this.#where}, line ${this.parsed + i + 1}`;
      let row: unknown;
      try {
        row = JSON.parse(this.#held.toString("utf8", start, (starts[i + 1] ?? end + 1) - 1));
      } catch (cause) {
        throw new ObjectError(`${line}: ${(cause as Error).message}`, { cause });
      }
      if (!isObject(row)) {
        const found = row === null ? "null" : Array.isArray(row) ? "an array" : `a ${typeof row}`;
        throw new ObjectError(`${line}: expected a JSON object, found ${found}`);
      }
    }
    throw new ObjectError(`${this.#where}, after line ${this.parsed}: not one JSON object a line`);
  }
}

/** Puts a finished data object. Its key is this run's alone.
 *  @throws ObjectError where one of that key is there: no object is ever overwritten */
export async function writeFileToS3(
  bucket: string,
  key: string,
  body: Buffer,
  contentType: string,
): Promise<void> {
  if (await putOnce(bucket, key, body, contentType)) return;
  // The SDK retries a put whose answer got lost, and then finds its own object.
  const there = await getUpTo(bucket, { key, bytes: body.length });
  if (there?.equals(body)) return;
  const why = there
    ? "is there already, and differs"
    : "was not put: S3 says that another put of it is under way; the next run tries again";
  throw new ObjectError(`s3://${bucket}/${key} ${why}`);
}

/** What of a file of lines is held as text at most, in characters. */
const HELD = 1 << 20;

/** A gzipped file of JSON lines in the making: lines are gzipped as they come, a member of the file for each megabyte. */
export class JsonLines {
  rows = 0;
  readonly #members: Buffer[] = [];
  #lines: string[] = [];
  #length = 0;

  add(row: unknown): void {
    const line = `${JSON.stringify(row)}\n`;
    this.rows++;
    this.#lines.push(line);
    this.#length += line.length;
    if (this.#length >= HELD) this.#gzip();
  }

  /** The whole file. */
  body(): Buffer {
    if (this.#length > 0) this.#gzip();
    return Buffer.concat(this.#members);
  }

  #gzip(): void {
    this.#members.push(gzipSync(this.#lines.join(""), { level: 1 }));
    this.#lines = [];
    this.#length = 0;
  }
}
