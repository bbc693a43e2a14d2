import {
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  PutObjectTaggingCommand,
  S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";

/** A request to S3 that failed: says which bucket and key, and what to do about the usual causes. */
export class S3Error extends Error {
  override readonly name = "S3Error";
  constructor(doing: string, bucket: string, key: string, cause: unknown) {
    const { name, message } = cause as Error;
    const advice =
      name === "NoSuchBucket"
        ? "; create it (deploying makes a stage's own), or correct its name"
        : name === "AccessDenied"
          ? "; the role, or whoever runs this, lacks the permission"
          : "";
    super(`cannot ${doing} s3://${bucket}/${key}: ${name}: ${message}${advice}`, { cause });
  }
}

/** An object that is larger than whoever reads it expects. None of it was read. */
export class TooLargeError extends Error {
  override readonly name = "TooLargeError";
  readonly bytes: number;
  constructor(bucket: string, key: string, bytes: number, most: number) {
    super(`s3://${bucket}/${key} has ${bytes} bytes, expected at most ${most}`);
    this.bytes = bytes;
  }
}

// One client an endpoint for the life of the process, so that its connections stay warm between invocations.
const clients = new Map<string, S3Client>();
/** The client of the endpoint that the environment names now. */
export function getClient(): S3Client {
  const endpoint = process.env["AWS_ENDPOINT_URL_S3"] ?? process.env["AWS_ENDPOINT_URL"] ?? "";
  let made = clients.get(endpoint);
  if (!made) {
    // An endpoint that is not AWS's own rarely answers to bucket names as hosts.
    made = new S3Client({ forcePathStyle: endpoint !== "" });
    clients.set(endpoint, made);
  }
  return made;
}

/**
 * @param most bytes that are taken into memory at most; what S3 says of the object's size is looked at first
 * @returns the object's bytes, or undefined where there is none of that key
 * @throws TooLargeError; S3Error when S3 refuses or cannot be reached
 */
export async function getObject(
  bucket: string,
  key: string,
  most: number,
): Promise<Buffer | undefined> {
  try {
    const { Body, ContentLength = 0 } = await getClient().send(
      new GetObjectCommand({ Bucket: bucket, Key: key }),
    );
    if (ContentLength > most) {
      // Ends the connection: nobody is going to read the rest.
      (Body as Readable).destroy();
      throw new TooLargeError(bucket, key, ContentLength, most);
    }
    const { buffer, byteOffset, byteLength } = await Body!.transformToByteArray();
    return Buffer.from(buffer, byteOffset, byteLength); // the same bytes: a copy would take their room again
  } catch (error) {
    if (error instanceof S3ServiceException && error.name === "NoSuchKey") return undefined;
    if (error instanceof TooLargeError) throw error;
    throw new S3Error("read", bucket, key, error);
  }
}

/**
 * Puts an object that must not be there yet.
 * @returns false where one of that key is there, or another writer was first
 * @throws S3Error when S3 refuses for any other reason
 */
export async function putOnce(
  bucket: string,
  key: string,
  body: Buffer,
  contentType: string,
  tries = 4,
): Promise<boolean> {
  try {
    await getClient().send(
      new PutObjectCommand({
        Bucket: bucket,
        Key: key,
        Body: body,
        ContentType: contentType,
        IfNoneMatch: "*",
      }),
    );
    return true;
  } catch (error) {
    // 412: it is there. 409: another conditional put of it is under way, which may yet fail.
    const status = error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
    if (status === 409 && tries > 1) {
      await delay(200);
      return putOnce(bucket, key, body, contentType, tries - 1);
    }
    if (status === 412 || status === 409) return false;
    throw new S3Error("write", bucket, key, error);
  }
}

/** Puts an object over whatever is there: for hints alone.
 *  @throws S3Error */
export async function overwrite(bucket: string, key: string, body: string): Promise<void> {
  try {
    await getClient().send(
      new PutObjectCommand({
        Bucket: bucket,
        Key: key,
        Body: body,
        ContentType: "application/json",
      }),
    );
  } catch (error) {
    throw new S3Error("write", bucket, key, error);
  }
}

/** Marks an object for a lifecycle rule; tags that it had are gone.
 *  @throws S3Error */
export async function tagObject(
  bucket: string,
  key: string,
  tag: { readonly Key: string; readonly Value: string },
): Promise<void> {
  try {
    await getClient().send(
      new PutObjectTaggingCommand({ Bucket: bucket, Key: key, Tagging: { TagSet: [tag] } }),
    );
  } catch (error) {
    throw new S3Error("tag", bucket, key, error);
  }
}

/** The keys under `prefix` that sort after `after`, in order; a request for each 1,000.
 *  @throws S3Error */
export async function listKeys(bucket: string, prefix: string, after: string): Promise<string[]> {
  const keys: string[] = [];
  let token: string | undefined;
  try {
    do {
      const page = await getClient().send(
        new ListObjectsV2Command({
          Bucket: bucket,
          Prefix: prefix,
          StartAfter: after || undefined,
          ContinuationToken: token,
        }),
      );
      for (const { Key } of page.Contents ?? []) if (Key !== undefined) keys.push(Key);
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  } catch (error) {
    throw new S3Error("list", bucket, `${prefix}*`, error);
  }
  return keys;
}
