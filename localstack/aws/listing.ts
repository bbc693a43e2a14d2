import { AwsError } from "./errors.ts";
import type { Operation, S3Request } from "./request.ts";
import { percentEncode } from "./signature.ts";
import { current, type Bucket, type Version } from "./store.ts";
import { compareUtf8 } from "./sorted-map.ts";
import { element, s3Document, textElement } from "./xml.ts";

interface Question {
  readonly prefix: string;
  readonly delimiter: string;
  readonly limit: number;
  /** Entries up to and including this one were listed before. */
  readonly after: string;
}

/** One line of a listing: an object, or all keys that share a prefix up to the delimiter. */
type Line =
  | { readonly key: string; readonly version: Version }
  | { readonly key: string; readonly version?: undefined };

interface Page {
  readonly lines: readonly Line[];
  readonly more: boolean;
}

/** The listings. Their keys are in the order of their UTF-8 bytes. */
export const listingOperations: Readonly<Record<string, Operation>> = {
  ListObjectsV2({ store }, request) {
    const token = request.query.get("continuation-token");
    const startAfter = request.query.get("start-after");
    const after = token === null ? (startAfter ?? "") : decodeToken(token);
    const question = { ...questionOf(request), after };
    const { lines, more } = page(store.bucket(request.bucket), question);
    const encode = encoderOf(request);
    const last = lines.at(-1);
    return {
      body: s3Document(
        "ListBucketResult",
        ...heading(request, question),
        textElement("StartAfter", startAfter === null ? undefined : encode(startAfter)),
        textElement("ContinuationToken", token ?? undefined),
        textElement("KeyCount", lines.length),
        textElement("IsTruncated", more),
        textElement("NextContinuationToken", more && last ? encodeToken(last.key) : undefined),
        ...lines.map((line) => lineElement(line, encode)),
      ),
    };
  },

  ListObjects({ store }, request) {
    const marker = request.query.get("marker") ?? "";
    const question = { ...questionOf(request), after: marker };
    const { lines, more } = page(store.bucket(request.bucket), question);
    const encode = encoderOf(request);
    const last = lines.at(-1);
    return {
      body: s3Document(
        "ListBucketResult",
        ...heading(request, question),
        textElement("Marker", encode(marker)),
        textElement("IsTruncated", more),
        textElement("NextMarker", more && last ? encode(last.key) : undefined),
        ...lines.map((line) => lineElement(line, encode)),
      ),
    };
  },

  ListObjectVersions({ store }, request) {
    const question = questionOf(request);
    if (question.delimiter !== "")
      throw new AwsError(501, "NotImplemented", "Versions are listed without delimiter here");
    const keyMarker = request.query.get("key-marker") ?? "";
    const versionMarker = request.query.get("version-id-marker");
    const encode = encoderOf(request);
    const { lines, next } = versionPage(
      store.bucket(request.bucket),
      question,
      keyMarker,
      versionMarker,
    );
    return {
      body: s3Document(
        "ListVersionsResult",
        ...heading(request, question),
        textElement("KeyMarker", encode(keyMarker)),
        textElement("VersionIdMarker", versionMarker ?? ""),
        textElement("IsTruncated", next !== undefined),
        textElement("NextKeyMarker", next && encode(next.key)),
        textElement("NextVersionIdMarker", next?.version.id),
        ...lines.map(({ key, version, isLatest }) =>
          element(
            version.marker ? "DeleteMarker" : "Version",
            ...contents(key, version, encode),
            textElement("VersionId", version.id),
            textElement("IsLatest", isLatest),
          ),
        ),
      ),
    };
  },
};

function questionOf({ query }: S3Request): Omit<Question, "after"> {
  const limit = Number(query.get("max-keys") ?? 1000);
  if (!Number.isInteger(limit) || limit < 0)
    throw new AwsError(400, "InvalidArgument", "max-keys is not a whole number");
  return {
    prefix: query.get("prefix") ?? "",
    delimiter: query.get("delimiter") ?? "",
    limit: Math.min(limit, 1000),
  };
}

function page(bucket: Bucket, { prefix, delimiter, limit, after }: Question): Page {
  const lines: Line[] = [];
  let group = "";
  const start = compareUtf8(after, prefix) > 0 ? after : prefix;
  for (const [key] of bucket.objects.from(start)) {
    if (!key.startsWith(prefix)) break;
    if (group !== "" && key.startsWith(group)) continue;
    const version = current(bucket, key);
    if (!version || key === after) continue;
    const end = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
    if (end >= 0) group = key.slice(0, end + delimiter.length);
    // A page that ended with a group names the group as what to go on after.
    if (end >= 0 && group === after) continue;
    if (lines.length === limit) return { lines, more: limit > 0 };
    lines.push(end < 0 ? { key, version } : { key: group });
  }
  return { lines, more: false };
}

interface VersionLine {
  readonly key: string;
  readonly version: Version;
  readonly isLatest: boolean;
}

function versionPage(
  bucket: Bucket,
  { prefix, limit }: Omit<Question, "after">,
  keyMarker: string,
  versionMarker: string | null,
): { lines: VersionLine[]; next: VersionLine | undefined } {
  const lines: VersionLine[] = [];
  const start = compareUtf8(keyMarker, prefix) > 0 ? keyMarker : prefix;
  for (const [key, versions] of bucket.objects.from(start)) {
    if (!key.startsWith(prefix)) break;
    let newestFirst = versions
      .map((version, index) => ({ key, version, isLatest: index === versions.length - 1 }))
      .toReversed();
    if (key === keyMarker) {
      // With a version named, the rest of the key's versions are still to come; without, none is.
      const listed = newestFirst.findIndex(({ version }) => version.id === versionMarker);
      newestFirst = listed < 0 ? [] : newestFirst.slice(listed + 1);
    }
    for (const line of newestFirst) {
      if (lines.length === limit) return { lines, next: lines.at(-1) };
      lines.push(line);
    }
  }
  return { lines, next: undefined };
}

function heading(request: S3Request, question: Omit<Question, "after">): string[] {
  const encode = encoderOf(request);
  return [
    textElement("Name", request.bucket),
    textElement("Prefix", encode(question.prefix)),
    textElement("Delimiter", question.delimiter === "" ? undefined : encode(question.delimiter)),
    textElement("MaxKeys", question.limit),
    textElement("EncodingType", request.query.get("encoding-type") ?? undefined),
  ];
}

function lineElement({ key, version }: Line, encode: (key: string) => string): string {
  return version
    ? element("Contents", ...contents(key, version, encode))
    : element("CommonPrefixes", textElement("Prefix", encode(key)));
}

function contents(key: string, version: Version, encode: (key: string) => string): string[] {
  const common = [
    textElement("Key", encode(key)),
    textElement("LastModified", new Date(version.time).toISOString()),
  ];
  if (version.marker) return common;
  return [
    ...common,
    textElement("ETag", `"${version.etag}"`),
    textElement("Size", version.size),
    textElement("StorageClass", "STANDARD"),
  ];
}

/** With `encoding-type=url` keys may hold what XML cannot. */
function encoderOf({ query }: S3Request): (key: string) => string {
  return query.get("encoding-type") === "url"
    ? (key) => percentEncode(key).replaceAll("%2F", "/")
    : (key) => key;
}

function encodeToken(key: string): string {
  return Buffer.from(key).toString("base64url");
}

function decodeToken(token: string): string {
  return Buffer.from(token, "base64url").toString();
}
