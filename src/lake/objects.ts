import { Readable } from "node:stream";
import { createGunzip, gzipSync } from "node:zlib";
import { getObject, putOnce } from "../aws/s3.ts";
import { isObject } from "../json.ts";
import type { SourceRow } from "../table.ts";
import { sha256, type LakeObject } from "./manifest.ts";

/** A data object that is not what its manifest says. Its whole batch fails: nothing of it is half-done. */
export class ObjectError extends Error {
  override readonly name = "ObjectError";
}

/**
 * Reads a data object whole and holds it against its manifest.
 * @throws ObjectError where it is gone, truncated or altered
 */
export async function getContentFromFile(bucket: string, object: LakeObject): Promise<Buffer> {
  const where = `s3://${bucket}/${object.key}`;
  const bytes = await getObject(bucket, object.key);
  if (!bytes)
    throw new ObjectError(
      `${where} is gone, though a manifest names it; restore it from its version`,
    );
  const found = sha256(bytes);
  if (bytes.length !== object.bytes || found !== object.sha256)
    throw new ObjectError(
      `${where} is not what was committed: expected ${object.bytes} bytes with SHA-256 ${object.sha256}, ` +
        `found ${bytes.length} with ${found}; restore the version that was written first`,
    );
  return bytes;
}

const NEWLINE = 10;

/**
 * Reads a source table's rows of one batch, some 64 KiB of them at a time, in the order of the file.
 * @throws ObjectError where the object is not what its manifest says, is not gzip, or has a line that is no JSON object
 */
export async function* readS3Json(bucket: string, object: LakeObject): AsyncGenerator<SourceRow[]> {
  const where = `s3://${bucket}/${object.key}`;
  const bytes = await getContentFromFile(bucket, object);
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  /** The beginning of a line, or of a long one the beginning in parts: put together once, when its end is there. */
  let rest: Buffer[] = [];
  let rows = 0;
  const parsed = (text: Buffer): SourceRow[] => {
    const found = parseLines(decoder.decode(text), where, rows);
    rows += found.length;
    return found;
  };
  try {
    for await (const chunk of Readable.from([bytes]).pipe(createGunzip({ chunkSize: 64 << 10 }))) {
      const part = chunk as Buffer;
      const end = part.lastIndexOf(NEWLINE) + 1;
      if (end > 0) {
        const stretch = Buffer.concat([...rest, part.subarray(0, end)]);
        rest = [];
        yield parsed(stretch);
      }
      if (end < part.length) rest.push(part.subarray(end));
    }
    if (rest.length > 0) yield parsed(Buffer.concat(rest));
  } catch (cause) {
    if (cause instanceof ObjectError) throw cause;
    throw new ObjectError(`${where} cannot be read: ${(cause as Error).message}`, { cause });
  }
  if (rows !== object.rows)
    throw new ObjectError(`${where}: expected ${object.rows} rows, found ${rows}`);
}

/**
 * One call of JSON.parse for many lines is a quarter faster than one a line; only a failure is looked at by line.
 * A line alone is parsed as it is: it may be long.
 */
function parseLines(text: string, where: string, before: number): SourceRow[] {
  const lines = text.endsWith("\n") ? text.slice(0, -1) : text;
  try {
    const rows: unknown[] = lines.includes("\n")
      ? (JSON.parse(`[${lines.replaceAll("\n", ",")}]`) as unknown[])
      : [JSON.parse(lines)];
    if (rows.every(isObject)) return rows;
  } catch {
    // Found again below, with its line.
  }
  for (const [i, line] of lines.split("\n").entries()) {
    let row: unknown;
    try {
      row = JSON.parse(line);
    } catch (cause) {
      throw new ObjectError(`${where}, line ${before + i + 1}: ${(cause as Error).message}`, {
        cause,
      });
    }
    if (!isObject(row)) {
      const found = row === null ? "null" : Array.isArray(row) ? "an array" : `a ${typeof row}`;
      throw new ObjectError(
        `${where}, line ${before + i + 1}: expected a JSON object, found ${found}`,
      );
    }
  }
  throw new ObjectError(`${where}, after line ${before}: not one JSON object a line`);
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
  const there = await getObject(bucket, key);
  if (!there?.equals(body))
    throw new ObjectError(`s3://${bucket}/${key} is there already, and differs`);
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
    this.#members.push(gzipSync(this.#lines.join("")));
    this.#lines = [];
    this.#length = 0;
  }
}
