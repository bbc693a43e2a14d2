import { readDocument, receiveBody } from "./body.ts";
import { AwsError } from "./errors.ts";
import {
  headerOf,
  type Answer,
  type Operation,
  type S3Context,
  type S3Request,
} from "./request.ts";
import { current, type Bucket, type Version } from "./store.ts";
import { childrenOf, element, parseXml, s3Document, textElement, textOf } from "./xml.ts";

/** The operations on single objects. */
export const objectOperations: Readonly<Record<string, Operation>> = {
  async PutObject(context, request) {
    const { store } = context;
    const bucket = store.bucket(request.bucket);
    const [blob, received] = await store.blobs.write((write) =>
      receiveBody(request.message, write),
    );
    try {
      // From here to the commit nothing waits: no other request can come in between.
      checkWriteCondition(request, current(bucket, request.key));
    } catch (error) {
      await store.blobs.remove([blob]);
      throw error;
    }
    const version = store.put(bucket, request.key, {
      blobs: [blob],
      size: received.size,
      etag: received.md5.toString("hex"),
      headers: storedHeaders(request),
      checksums: received.checksums,
      checksumType: "FULL_OBJECT",
      encryption: encryptionOf(request),
      ...taggingHeader(request),
    });
    tellCreated(context, bucket, request.key, version, "Put");
    return { headers: { ...versionHeaders(bucket, version), ...checksumHeaders(version) } };
  },

  async CopyObject(context, request) {
    const { store } = context;
    const bucket = store.bucket(request.bucket);
    const source = copySource(context, request);
    const blobs = await store.blobs.copy(source.blobs);
    try {
      checkWriteCondition(request, current(bucket, request.key));
    } catch (error) {
      await store.blobs.remove(blobs);
      throw error;
    }
    const replaces = headerOf(request, "x-amz-metadata-directive") === "REPLACE";
    const { id: _id, time: _time, ...content } = source;
    const version = store.put(bucket, request.key, {
      ...content,
      blobs,
      headers: replaces ? storedHeaders(request) : source.headers,
    });
    tellCreated(context, bucket, request.key, version, "Copy");
    return {
      headers: versionHeaders(bucket, version),
      body: s3Document(
        "CopyObjectResult",
        textElement("ETag", `"${version.etag}"`),
        textElement("LastModified", new Date(version.time).toISOString()),
      ),
    };
  },

  GetObject: getObject,
  HeadObject: getObject,

  DeleteObject(context, request) {
    const bucket = context.store.bucket(request.bucket);
    const headers = remove(context, bucket, request.key, request.query.get("versionId"));
    return { status: 204, headers };
  },

  async DeleteObjects(context, request) {
    const bucket = context.store.bucket(request.bucket);
    const root = parseXml((await readDocument(request.message)).toString());
    const objects = childrenOf(root, "Object");
    if (objects.length === 0 || objects.length > 1000)
      throw new AwsError(400, "MalformedXML", "DeleteObjects takes 1 to 1000 keys");
    const deleted = objects.map((object) => {
      const key = textOf(object, "Key") ?? "";
      const versionId = textOf(object, "VersionId") ?? null;
      const headers = remove(context, bucket, key, versionId);
      return element(
        "Deleted",
        textElement("Key", key),
        textElement("VersionId", versionId ?? undefined),
        textElement("DeleteMarker", headers["x-amz-delete-marker"]),
        textElement("DeleteMarkerVersionId", headers["x-amz-version-id"]),
      );
    });
    const quiet = textOf(root, "Quiet") === "true";
    return { body: s3Document("DeleteResult", ...(quiet ? [] : deleted)) };
  },

  GetObjectTagging({ store }, request) {
    const { tagging } = find(store.bucket(request.bucket), request);
    return { body: tagging ?? s3Document("Tagging", element("TagSet")) };
  },

  async PutObjectTagging({ store }, request) {
    const document = (await readDocument(request.message)).toString();
    parseXml(document);
    const bucket = store.bucket(request.bucket);
    store.tag(bucket, request.key, find(bucket, request).id, document);
    return {};
  },

  DeleteObjectTagging({ store }, request) {
    const bucket = store.bucket(request.bucket);
    store.tag(bucket, request.key, find(bucket, request).id, null);
    return { status: 204 };
  },
};

/**
 * Checks the conditions of a write: `If-None-Match: *` (there is no such object), `If-Match: <etag>` (it is this one).
 * @throws AwsError PreconditionFailed (412), NoSuchKey (404), NotImplemented (501) as S3 does
 */
export function checkWriteCondition(request: S3Request, existing: Version | undefined): void {
  const noneMatch = headerOf(request, "if-none-match");
  if (noneMatch !== undefined && noneMatch !== "*")
    throw new AwsError(
      501,
      "NotImplemented",
      "A header you provided implies functionality that is not implemented",
    );
  if (noneMatch !== undefined && existing) throw preconditionFailed("If-None-Match");
  const match = headerOf(request, "if-match");
  if (match === undefined) return;
  if (!existing) throw noSuchKey(request.key);
  if (bare(match) !== existing.etag) throw preconditionFailed("If-Match");
}

/** The headers that are kept with an object and sent back with it; `aws-chunked` is only a way to send. */
export function storedHeaders({ headers }: S3Request): Record<string, string> {
  const kept = /^(content-(type|disposition|language)|cache-control|expires|x-amz-meta-.+)$/;
  const stored = Object.entries(headers).filter(([name]) => kept.test(name));
  const encoding = String(headers["content-encoding"] ?? "")
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "" && word !== "aws-chunked")
    .join(",");
  if (encoding !== "") stored.push(["content-encoding", encoding]);
  return {
    "content-type": "binary/octet-stream",
    ...Object.fromEntries(stored.map(([name, value]) => [name, String(value)])),
  };
}

/** The encryption that the request asks for: S3 encrypts everything, with AES256 unless told otherwise. */
export function encryptionOf(request: S3Request): string {
  return headerOf(request, "x-amz-server-side-encryption") ?? "AES256";
}

/** Tags that came in a header (`a=1&b=2`), as the document that GetObjectTagging gives. */
export function taggingHeader(request: S3Request): { tagging?: string } {
  const header = headerOf(request, "x-amz-tagging");
  if (header === undefined) return {};
  const tags = [...new URLSearchParams(header)].map(([name, value]) =>
    element("Tag", textElement("Key", name), textElement("Value", value)),
  );
  return { tagging: s3Document("Tagging", element("TagSet", ...tags)) };
}

/** What S3 says of a version after a write and with each read of it. */
export function versionHeaders(bucket: Bucket, version: Version): Record<string, string> {
  return {
    ETag: `"${version.etag}"`,
    "x-amz-server-side-encryption": version.encryption,
    ...(bucket.versioning ? { "x-amz-version-id": version.id } : {}),
  };
}

/** A version's checksums as headers; none where the writer sent none. */
export function checksumHeaders(
  version: Pick<Version, "checksums" | "checksumType">,
): Record<string, string> {
  const checksums = Object.entries(version.checksums);
  if (checksums.length === 0) return {};
  return {
    ...Object.fromEntries(checksums.map(([name, value]) => [`x-amz-checksum-${name}`, value])),
    "x-amz-checksum-type": version.checksumType,
  };
}

/** Raises the event of a new version; `how` is S3's word for the way it came. */
export function tellCreated(
  { notifier }: S3Context,
  bucket: Bucket,
  key: string,
  version: Version,
  how: "Put" | "Copy" | "CompleteMultipartUpload",
): void {
  const { time, size, etag, id } = version;
  const versionId = bucket.versioning ? { versionId: id } : {};
  notifier.tell(bucket, { name: `ObjectCreated:${how}`, key, time, size, etag, ...versionId });
}

function getObject({ store }: S3Context, request: S3Request): Answer {
  const bucket = store.bucket(request.bucket);
  const version = find(bucket, request);
  const headers = {
    ...version.headers,
    ...versionHeaders(bucket, version),
    "Last-Modified": new Date(version.time).toUTCString(),
    "Accept-Ranges": "bytes",
  };
  const match = headerOf(request, "if-match");
  if (match !== undefined && bare(match) !== version.etag) throw preconditionFailed("If-Match");
  if (bare(headerOf(request, "if-none-match") ?? "") === version.etag)
    return { status: 304, headers };

  const range = rangeOf(request, version.size);
  const [from, to] = range ?? [0, version.size];
  const wantsChecksums = headerOf(request, "x-amz-checksum-mode") !== undefined && !range;
  return {
    status: range ? 206 : 200,
    headers: {
      ...headers,
      ...(range ? { "Content-Range": `bytes ${from}-${to - 1}/${version.size}` } : {}),
      ...(wantsChecksums ? checksumHeaders(version) : {}),
    },
    body: { size: to - from, stream: store.blobs.read(version.blobs, from, to) },
  };
}

/** From (included) and to (not included); undefined where the whole is asked for, or a range that S3 does not know. */
function rangeOf(request: S3Request, size: number): readonly [number, number] | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(headerOf(request, "range") ?? "") ?? [];
  if (!first && !last) return undefined;
  const from = first ? Number(first) : Math.max(0, size - Number(last));
  const to = first && last ? Math.min(Number(last) + 1, size) : size;
  if (from >= to)
    throw new AwsError(416, "InvalidRange", "The requested range is not satisfiable", {
      "Content-Range": `bytes */${size}`,
    });
  return [from, to];
}

function find(bucket: Bucket, { key, query }: S3Request): Version {
  const versionId = query.get("versionId");
  const versions = bucket.objects.get(key) ?? [];
  const version =
    versionId === null ? versions.at(-1) : versions.find(({ id }) => id === versionId);
  if (version && !version.marker) return version;
  const headers = version ? { "x-amz-delete-marker": "true", "x-amz-version-id": version.id } : {};
  if (versionId === null) throw noSuchKey(key, headers);
  if (version)
    throw new AwsError(
      405,
      "MethodNotAllowed",
      "The specified method is not allowed against this resource.",
      headers,
    );
  throw new AwsError(404, "NoSuchVersion", "The specified version does not exist.");
}

function copySource({ store }: S3Context, request: S3Request): Version {
  const [path = "", versionId] = (headerOf(request, "x-amz-copy-source") ?? "").split(
    "?versionId=",
  );
  const [bucket = "", ...key] = decodeURIComponent(path).replace(/^\//, "").split("/");
  const query = new URLSearchParams(versionId === undefined ? {} : { versionId });
  return find(store.bucket(bucket), { ...request, key: key.join("/"), query });
}

/** Deletes a version for good, or (none named) puts a delete marker where the bucket keeps versions. */
function remove(
  { store, notifier }: S3Context,
  bucket: Bucket,
  key: string,
  versionId: string | null,
): Record<string, string> {
  if (versionId !== null) {
    const version = bucket.objects.get(key)?.find(({ id }) => id === versionId);
    if (!version) return {};
    store.deleteVersion(bucket, key, versionId);
    notifier.tell(bucket, { name: "ObjectRemoved:Delete", key, time: Date.now(), versionId });
    return version.marker ? { "x-amz-delete-marker": "true", "x-amz-version-id": versionId } : {};
  }
  if (bucket.versioning) {
    const { id, time } = store.put(bucket, key, deleteMarker);
    const name = "ObjectRemoved:DeleteMarkerCreated";
    notifier.tell(bucket, { name, key, time, versionId: id });
    return { "x-amz-delete-marker": "true", "x-amz-version-id": id };
  }
  if (!current(bucket, key)) return {};
  store.deleteVersion(bucket, key, "null");
  notifier.tell(bucket, { name: "ObjectRemoved:Delete", key, time: Date.now() });
  return {};
}

const deleteMarker: Omit<Version, "id" | "time"> = {
  marker: true,
  blobs: [],
  size: 0,
  etag: "",
  headers: {},
  checksums: {},
  checksumType: "FULL_OBJECT",
  encryption: "",
};

function noSuchKey(key: string, headers: Record<string, string> = {}): AwsError {
  return new AwsError(404, "NoSuchKey", `The specified key does not exist: ${key}`, headers);
}

function preconditionFailed(condition: string): AwsError {
  return new AwsError(
    412,
    "PreconditionFailed",
    `At least one of the pre-conditions you specified did not hold: ${condition}`,
  );
}

function bare(etag: string): string {
  return etag.replaceAll('"', "");
}
