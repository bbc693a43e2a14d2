import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { crc32 } from "node:zlib";
import { AwsError } from "./errors.ts";

/** What was found out about a body while it went by. */
export interface Received {
  /** Bytes, without any framing. */
  readonly size: number;
  readonly md5: Buffer;
  /** The checksums that the client sent, all of them right: algorithm in small letters to base64. */
  readonly checksums: Readonly<Record<string, string>>;
}

interface Digest {
  update(chunk: Buffer): unknown;
  digest(): Buffer;
}

/** The algorithms that the SDK uses without extra packages. The others are refused, never ignored. */
const algorithms: Readonly<Record<string, () => Digest>> = {
  crc32: () => new Crc32(),
  sha1: () => createHash("sha1"),
  sha256: () => createHash("sha256"),
};

/** Largest body that is held in memory: an XML or JSON document, never an object. */
const documentLimit = 8 * 1024 * 1024;

/**
 * Passes a body on chunk by chunk, without its aws-chunked framing, and checks it against all that the client said of it:
 * length, Content-MD5, signed SHA-256, checksums in headers and trailers.
 * @throws AwsError (400) where it differs; what was passed on is then worth nothing.
 */
export async function receiveBody(
  request: IncomingMessage,
  write: (chunk: Buffer) => Promise<unknown> | undefined,
): Promise<Received> {
  const { headers } = request;
  const signed = String(headers["x-amz-content-sha256"] ?? "");
  const streaming = signed.startsWith("STREAMING-");
  const claims = checksumClaims(headers);
  const announced = String(headers["x-amz-trailer"] ?? "").split(",");

  const digests = new Map<string, Digest>();
  for (const name of [...claims.keys(), ...announced.map(algorithmOf)]) {
    if (name) digests.set(name, newDigest(name));
  }
  const isHashed = /^[0-9a-f]{64}$/.test(signed);
  if (isHashed && !digests.has("sha256")) digests.set("sha256", newDigest("sha256"));
  const md5 = createHash("md5");

  let size = 0;
  const source: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false });
  for await (const chunk of streaming ? withoutFrames(source, claims) : source) {
    size += chunk.length;
    md5.update(chunk);
    for (const digest of digests.values()) digest.update(chunk);
    await write(chunk);
  }

  const length = headers[streaming ? "x-amz-decoded-content-length" : "content-length"];
  if (length !== undefined && Number(length) !== size)
    throw new AwsError(400, "IncompleteBody", `The body has ${size} bytes, not ${String(length)}`);
  const found = new Map([...digests].map(([name, digest]) => [name, digest.digest()]));
  if (isHashed && found.get("sha256")?.toString("hex") !== signed)
    throw new AwsError(
      400,
      "XAmzContentSHA256Mismatch",
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
    );
  for (const [name, claim] of claims) {
    if (found.get(name)?.toString("base64") !== claim)
      throw new AwsError(
        400,
        "BadDigest",
        `The ${name.toUpperCase()} you specified did not match the calculated checksum.`,
      );
  }
  const whole = md5.digest();
  if (headers["content-md5"] !== undefined && headers["content-md5"] !== whole.toString("base64"))
    throw new AwsError(
      400,
      "BadDigest",
      "The Content-MD5 you specified did not match what we received.",
    );
  return { size, md5: whole, checksums: Object.fromEntries(claims) };
}

/**
 * Reads a document (XML, JSON) into memory, with all the checks of `receiveBody`.
 * @throws AwsError MaxMessageLengthExceeded (400) beyond 8 MiB.
 */
export async function readDocument(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  await receiveBody(request, (chunk) => {
    size += chunk.length;
    if (size > documentLimit)
      throw new AwsError(400, "MaxMessageLengthExceeded", "Your request was too big.");
    chunks.push(chunk);
    return undefined;
  });
  return Buffer.concat(chunks);
}

/**
 * The checksum of a multipart object: that of its parts' checksums, with their number behind it.
 * @throws AwsError NotImplemented (501) for an algorithm that is not known here.
 */
export function compositeChecksum(algorithm: string, parts: readonly string[]): string {
  const digest = newDigest(algorithm);
  for (const part of parts) digest.update(Buffer.from(part, "base64"));
  return `${digest.digest().toString("base64")}-${parts.length}`;
}

function checksumClaims(headers: IncomingMessage["headers"]): Map<string, string> {
  const claims = new Map<string, string>();
  for (const [name, value] of Object.entries(headers)) {
    const algorithm = algorithmOf(name);
    if (algorithm) claims.set(algorithm, String(value));
  }
  return claims;
}

/** `x-amz-checksum-crc32` is a checksum; `-mode`, `-type` and `-algorithm` talk about one. */
function algorithmOf(header: string): string | undefined {
  return /^x-amz-checksum-(?!mode$|type$|algorithm$)(\w+)$/.exec(header.trim().toLowerCase())?.[1];
}

function newDigest(algorithm: string): Digest {
  const create = algorithms[algorithm];
  if (!create)
    throw new AwsError(501, "NotImplemented", `The checksum ${algorithm} is not implemented here`);
  return create();
}

/** Undoes aws-chunked: `size[;chunk-signature=…]CRLF bytes CRLF`, repeated, and trailers after the size 0. */
async function* withoutFrames(
  source: AsyncIterable<Buffer>,
  claims: Map<string, string>,
): AsyncGenerator<Buffer> {
  const reader = new FrameReader(source);
  try {
    for (;;) {
      const line = await reader.line();
      const size = /^[0-9a-f]+/i.exec(line)?.[0];
      if (size === undefined) throw incomplete(`No chunk begins with "${line.slice(0, 40)}"`);
      const length = Number.parseInt(size, 16);
      if (length === 0) break;
      yield* reader.take(length);
      if ((await reader.line()) !== "") throw incomplete("A chunk is longer than it says");
    }
    for (let line = await reader.line(); line !== ""; line = await reader.line()) {
      const colon = line.indexOf(":");
      const algorithm = algorithmOf(line.slice(0, colon));
      if (algorithm) claims.set(algorithm, line.slice(colon + 1).trim());
    }
  } finally {
    await reader.close();
  }
}

/** Reads lines and stretches of bytes from a stream whose own chunks begin and end anywhere. */
class FrameReader {
  readonly #source: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Up to the next CRLF, without it. Some clients leave out the last one: the end of the body stands for it. */
  async line(): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf("\r\n");
      if (end >= 0) {
        const line = this.#rest.toString("latin1", 0, end);
        this.#rest = this.#rest.subarray(end + 2);
        return line;
      }
      if (this.#rest.length > 16_384) throw incomplete("A line of the framing is too long");
      const chunk = await this.#next();
      if (!chunk) {
        if (this.#rest.length > 0) throw incomplete("The body ends within its framing");
        return "";
      }
      this.#rest = Buffer.concat([this.#rest, chunk]);
    }
  }

  async *take(length: number): AsyncGenerator<Buffer> {
    let missing = length;
    while (missing > 0) {
      if (this.#rest.length === 0) {
        const chunk = await this.#next();
        if (!chunk) throw incomplete("The body ends within a chunk");
        this.#rest = chunk;
      }
      const piece = this.#rest.subarray(0, missing);
      this.#rest = this.#rest.subarray(piece.length);
      missing -= piece.length;
      yield piece;
    }
  }

  /** Lets go of the source, so that what is left of it can be drained. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }

  async #next(): Promise<Buffer | undefined> {
    const { done, value } = await this.#source.next();
    return done ? undefined : value;
  }
}

function incomplete(message: string): AwsError {
  return new AwsError(400, "IncompleteBody", message);
}

class Crc32 implements Digest {
  #value = 0;

  update(chunk: Buffer): void {
    this.#value = crc32(chunk, this.#value);
  }

  digest(): Buffer {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(this.#value);
    return bytes;
  }
}
