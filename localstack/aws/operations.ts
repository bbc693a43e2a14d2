import type { IncomingMessage } from "node:http";
import { bucketOperations, subResources } from "./buckets.ts";
import { AwsError } from "./errors.ts";
import { listingOperations } from "./listing.ts";
import { multipartOperations } from "./multipart.ts";
import { objectOperations } from "./objects.ts";
import type { Answer, S3Context, S3Request } from "./request.ts";

const operations = {
  ...bucketOperations,
  ...listingOperations,
  ...objectOperations,
  ...multipartOperations,
};

/** Takes a request to S3 apart: `/bucket/key?query`. Buckets in the host's name are not known here. */
export function parseS3Request(message: IncomingMessage): S3Request {
  const url = new URL(message.url ?? "/", "http://localhost");
  // The raw path: URL would resolve the dots of a key like `a/../b`.
  const [, bucket = "", ...key] = ((message.url ?? "/").split("?")[0] ?? "").split("/");
  return {
    method: message.method ?? "GET",
    bucket: decodeURIComponent(bucket),
    key: decodeURIComponent(key.join("/")),
    query: url.searchParams,
    headers: message.headers,
    message,
  };
}

/** Query parameters of operations that are not known here: without them the request would be another one. */
const foreign = (
  "accelerate acl analytics attributes intelligent-tiering inventory legal-hold logging metrics object-lock " +
  "policyStatus replication requestPayment restore retention select torrent website"
).split(" ");

/** The operation's name, as AWS documents it; of one that is not known here, method and path. */
export function operationOf(request: S3Request): string {
  const parameter = foreign.find((name) => request.query.has(name));
  if (parameter !== undefined) return `${unknown(request)}?${parameter}`;
  if (request.bucket === "") return request.method === "GET" ? "ListBuckets" : unknown(request);
  return request.key === "" ? bucketOperation(request) : objectOperation(request);
}

/** @throws AwsError: the operation's own, or NotImplemented (501) */
export async function runOperation(
  name: string,
  context: S3Context,
  request: S3Request,
): Promise<Answer> {
  const operation = operations[name];
  if (!operation)
    throw new AwsError(501, "NotImplemented", `${name} is not implemented by the local S3`);
  return operation(context, request);
}

function bucketOperation(request: S3Request): string {
  const { method, query } = request;
  const sub = Object.keys(subResources).find((name) => query.has(name));
  const verb = { GET: "Get", PUT: "Put", DELETE: "Delete" }[method];
  if (sub && verb) return `${verb}${subResources[sub]?.operation}`;
  if (method === "GET") {
    if (query.has("location")) return "GetBucketLocation";
    if (query.has("uploads")) return "ListMultipartUploads";
    if (query.has("versions")) return "ListObjectVersions";
    return query.get("list-type") === "2" ? "ListObjectsV2" : "ListObjects";
  }
  if (method === "POST" && query.has("delete")) return "DeleteObjects";
  const plain = { PUT: "CreateBucket", HEAD: "HeadBucket", DELETE: "DeleteBucket" }[method];
  return plain ?? unknown(request);
}

function objectOperation(request: S3Request): string {
  const { method, query, headers } = request;
  if (query.has("tagging")) {
    const tagging = { GET: "Get", PUT: "Put", DELETE: "Delete" }[method];
    return tagging ? `${tagging}ObjectTagging` : unknown(request);
  }
  if (query.has("uploads") && method === "POST") return "CreateMultipartUpload";
  const copies = headers["x-amz-copy-source"] !== undefined;
  if (query.has("uploadId")) {
    const upload = {
      PUT: copies ? "UploadPartCopy" : "UploadPart",
      POST: "CompleteMultipartUpload",
      DELETE: "AbortMultipartUpload",
      GET: "ListParts",
    }[method];
    return upload ?? unknown(request);
  }
  const plain = {
    PUT: copies ? "CopyObject" : "PutObject",
    GET: "GetObject",
    HEAD: "HeadObject",
    DELETE: "DeleteObject",
  }[method];
  return plain ?? unknown(request);
}

function unknown({ method, bucket, key }: S3Request): string {
  return `${method} /${bucket}/${key}`;
}
