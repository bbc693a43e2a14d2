import { createHash, randomUUID } from "node:crypto";
import { compositeChecksum, readDocument, receiveBody } from "./body.ts";
import { AwsError } from "./errors.ts";
import {
  checkWriteCondition,
  checksumHeaders,
  encryptionOf,
  storedHeaders,
  taggingHeader,
  tellCreated,
  versionHeaders,
} from "./objects.ts";
import { headerOf, type Operation, type S3Request } from "./request.ts";
import { current, type Bucket, type Part, type Upload } from "./store.ts";
import {
  childrenOf,
  element,
  parseXml,
  s3Document,
  textElement,
  textOf,
  type XmlNode,
} from "./xml.ts";

/** S3 takes no smaller part, but for the last. */
const smallestPart = 5 * 1024 * 1024;

/** The operations of multipart uploads. */
export const multipartOperations: Readonly<Record<string, Operation>> = {
  CreateMultipartUpload({ store }, request) {
    const upload: Upload = {
      id: randomUUID().replaceAll("-", ""),
      key: request.key,
      time: Date.now(),
      headers: storedHeaders(request),
      encryption: encryptionOf(request),
      ...taggingHeader(request),
      parts: new Map(),
    };
    store.bucket(request.bucket).uploads.set(upload.id, upload);
    const algorithm = headerOf(request, "x-amz-checksum-algorithm");
    return {
      headers: algorithm === undefined ? {} : { "x-amz-checksum-algorithm": algorithm },
      body: s3Document(
        "InitiateMultipartUploadResult",
        textElement("Bucket", request.bucket),
        textElement("Key", request.key),
        textElement("UploadId", upload.id),
      ),
    };
  },

  async UploadPart({ store }, request) {
    const upload = uploadOf(store.bucket(request.bucket), request);
    const number = Number(request.query.get("partNumber"));
    if (!Number.isInteger(number) || number < 1 || number > 10_000)
      throw new AwsError(400, "InvalidArgument", "Part number must be from 1 to 10000");
    const [blob, { md5, checksums }] = await store.blobs.write((write) =>
      receiveBody(request.message, write),
    );
    const before = upload.parts.get(number);
    upload.parts.set(number, { blob, md5, checksums, time: Date.now() });
    if (before) await store.blobs.remove([before.blob]);
    return {
      headers: {
        ETag: `"${md5.toString("hex")}"`,
        ...checksumHeaders({ checksums, checksumType: "COMPOSITE" }),
      },
    };
  },

  async CompleteMultipartUpload(context, request) {
    const { store } = context;
    const document = parseXml((await readDocument(request.message)).toString());
    // From here on nothing waits: no other request can come between the condition and the commit.
    const bucket = store.bucket(request.bucket);
    const upload = uploadOf(bucket, request);
    const parts = chosenParts(upload, childrenOf(document, "Part"));
    checkWriteCondition(request, current(bucket, request.key));
    const checksums = compositeChecksums(parts);
    const digests = Buffer.concat(parts.map(({ md5 }) => md5));
    const version = store.put(bucket, request.key, {
      blobs: parts.map(({ blob }) => blob),
      size: parts.reduce((sum, { blob }) => sum + blob.size, 0),
      etag: `${createHash("md5").update(digests).digest("hex")}-${parts.length}`,
      headers: upload.headers,
      checksums,
      checksumType: "COMPOSITE",
      encryption: upload.encryption,
      ...(upload.tagging === undefined ? {} : { tagging: upload.tagging }),
    });
    bucket.uploads.delete(upload.id);
    tellCreated(context, bucket, request.key, version, "CompleteMultipartUpload");
    const unused = [...upload.parts.values()].filter((part) => !parts.includes(part));
    await store.blobs.remove(unused.map(({ blob }) => blob));
    return {
      headers: versionHeaders(bucket, version),
      body: s3Document(
        "CompleteMultipartUploadResult",
        textElement("Bucket", request.bucket),
        textElement("Key", request.key),
        textElement("ETag", `"${version.etag}"`),
        ...checksumElements(checksums),
      ),
    };
  },

  async AbortMultipartUpload({ store }, request) {
    const bucket = store.bucket(request.bucket);
    const upload = uploadOf(bucket, request);
    bucket.uploads.delete(upload.id);
    await store.blobs.remove([...upload.parts.values()].map(({ blob }) => blob));
    return { status: 204 };
  },

  ListParts({ store }, request) {
    const upload = uploadOf(store.bucket(request.bucket), request);
    const parts = [...upload.parts].toSorted(([a], [b]) => a - b);
    return {
      body: s3Document(
        "ListPartsResult",
        textElement("Bucket", request.bucket),
        textElement("Key", request.key),
        textElement("UploadId", upload.id),
        textElement("IsTruncated", false),
        ...parts.map(([number, { blob, md5, time }]) =>
          element(
            "Part",
            textElement("PartNumber", number),
            textElement("LastModified", new Date(time).toISOString()),
            textElement("ETag", `"${md5.toString("hex")}"`),
            textElement("Size", blob.size),
          ),
        ),
      ),
    };
  },

  ListMultipartUploads({ store }, request) {
    const prefix = request.query.get("prefix") ?? "";
    const uploads = [...store.bucket(request.bucket).uploads.values()];
    return {
      body: s3Document(
        "ListMultipartUploadsResult",
        textElement("Bucket", request.bucket),
        textElement("Prefix", prefix),
        textElement("IsTruncated", false),
        ...uploads
          .filter(({ key }) => key.startsWith(prefix))
          .map(({ key, id, time }) =>
            element(
              "Upload",
              textElement("Key", key),
              textElement("UploadId", id),
              textElement("Initiated", new Date(time).toISOString()),
            ),
          ),
      ),
    };
  },
};

function uploadOf(bucket: Bucket, { key, query }: S3Request): Upload {
  const upload = bucket.uploads.get(query.get("uploadId") ?? "");
  if (upload?.key === key) return upload;
  throw new AwsError(404, "NoSuchUpload", "The specified multipart upload does not exist.");
}

function chosenParts(upload: Upload, wanted: readonly XmlNode[]): readonly Part[] {
  if (wanted.length === 0) throw new AwsError(400, "MalformedXML", "An upload needs a part");
  const numbers = wanted.map((part) => Number(textOf(part, "PartNumber")));
  if (numbers.some((number, index) => index > 0 && number <= (numbers[index - 1] ?? 0)))
    throw new AwsError(400, "InvalidPartOrder", "The list of parts was not in ascending order.");
  return wanted.map((want, index) => {
    const part = upload.parts.get(numbers[index] ?? 0);
    const etag = textOf(want, "ETag")?.replaceAll('"', "");
    if (!part || part.md5.toString("hex") !== etag)
      throw new AwsError(400, "InvalidPart", `Part ${numbers[index]} could not be found.`);
    if (index < wanted.length - 1 && part.blob.size < smallestPart)
      throw new AwsError(
        400,
        "EntityTooSmall",
        "Your proposed upload is smaller than the minimum allowed size",
      );
    return part;
  });
}

/** Those algorithms that all parts came with. */
function compositeChecksums(parts: readonly Part[]): Record<string, string> {
  const algorithms = Object.keys(parts[0]?.checksums ?? {});
  return Object.fromEntries(
    algorithms.flatMap((algorithm) => {
      const all = parts.flatMap(({ checksums }) => checksums[algorithm] ?? []);
      return all.length === parts.length ? [[algorithm, compositeChecksum(algorithm, all)]] : [];
    }),
  );
}

function checksumElements(checksums: Record<string, string>): string[] {
  const entries = Object.entries(checksums);
  if (entries.length === 0) return [];
  return [
    ...entries.map(([algorithm, value]) =>
      textElement(`Checksum${algorithm.toUpperCase()}`, value),
    ),
    textElement("ChecksumType", "COMPOSITE"),
  ];
}
