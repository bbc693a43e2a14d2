import { Upload } from "@aws-sdk/lib-storage";
import type { Readable } from "node:stream";
import { getClient, S3Error } from "./s3.ts";

/** Puts an object whose size is not known yet, in parts of 8 MiB.
 *  @throws S3Error */
export async function putStream(
  bucket: string,
  key: string,
  body: Readable,
  contentType: string,
): Promise<void> {
  try {
    await new Upload({
      client: getClient(),
      params: { Bucket: bucket, Key: key, Body: body, ContentType: contentType },
      partSize: 8 << 20,
      queueSize: 2,
    }).done();
  } catch (error) {
    throw new S3Error("write", bucket, key, error);
  }
}
