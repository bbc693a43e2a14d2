import { createHash, createHmac } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { AwsError } from "./errors.ts";

/** The parts of a request that a signature covers, as they came over the wire. */
export interface SignedRequest {
  readonly method: string;
  /** Path and query, still encoded. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
}

/** A Signature Version 4 as the client sent it, in the header or (presigned) in the query. */
export interface Signature {
  readonly accessKeyId: string;
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly signedHeaders: string;
  readonly value: string;
  readonly presigned: boolean;
  /** Like `20261124T161800Z`. */
  readonly time: string;
}

/** Secret access keys by access key id. */
export type Credentials = Readonly<Record<string, string>>;

/**
 * Reads the signature of a request, without judging it.
 * @throws AwsError AccessDenied (403) where there is none: nothing here is public.
 */
export function readSignature({ target, headers }: SignedRequest): Signature {
  const query = queryOf(target);
  const presigned = query.has("X-Amz-Signature");
  const fields = presigned
    ? new Map(["Credential", "SignedHeaders", "Signature"].map((f) => [f, query.get(`X-Amz-${f}`)]))
    : new Map(
        [...(headers.authorization ?? "").matchAll(/(\w+)=([^,\s]+)/g)].map((m) => [m[1], m[2]]),
      );
  const [accessKeyId, date, region, service] = (fields.get("Credential") ?? "").split("/");
  if (!accessKeyId || !date || !region || !service)
    throw new AwsError(403, "AccessDenied", "Access Denied");
  return {
    accessKeyId,
    date,
    region,
    service,
    signedHeaders: fields.get("SignedHeaders") ?? "",
    value: fields.get("Signature") ?? "",
    presigned,
    time: (presigned ? query.get("X-Amz-Date") : header(headers, "x-amz-date")) ?? "",
  };
}

/**
 * The hash of the body that the client signed: hexadecimal SHA-256, or a word such as `UNSIGNED-PAYLOAD`.
 * Undefined where the service has the server work it out from the body (all but S3).
 */
export function signedPayload(signature: Signature, headers: IncomingHttpHeaders) {
  if (signature.presigned) return "UNSIGNED-PAYLOAD";
  return header(headers, "x-amz-content-sha256");
}

/**
 * Checks a signature against the secret it should have been made with. The single signatures of the chunks of a
 * STREAMING-AWS4-HMAC-SHA256 body are not checked; its first one, which covers the headers, is.
 * @throws AwsError (403): unknown access key, wrong signature, presigned request too late.
 */
export function verifySignature(
  request: SignedRequest,
  signature: Signature,
  payload: string,
  credentials: Credentials,
): void {
  const { accessKeyId, date, region, service, signedHeaders, time } = signature;
  const isS3 = service === "s3";
  const secret = credentials[accessKeyId];
  if (secret === undefined)
    throw new AwsError(
      403,
      isS3 ? "InvalidAccessKeyId" : "UnrecognizedClientException",
      "The AWS Access Key Id you provided does not exist in our records.",
    );
  if (signature.presigned) refuseExpired(request.target, time);

  const [path = ""] = request.target.split("?");
  const canonicalRequest = [
    request.method,
    // S3 alone takes a path as it is sent: the others encode it once more.
    isS3 ? path : path.split("/").map(percentEncode).join("/"),
    canonicalQuery(request.target),
    ...signedHeaders.split(";").map((name) => `${name}:${canonicalHeader(request.headers, name)}`),
    "",
    signedHeaders,
    payload,
  ].join("\n");
  const scope = [date, region, service, "aws4_request"];
  const text = ["AWS4-HMAC-SHA256", time, scope.join("/"), sha256(canonicalRequest)].join("\n");
  const key = scope.reduce<string | Buffer>((parent, part) => hmac(parent, part), `AWS4${secret}`);
  if (hmac(key, text).toString("hex") !== signature.value)
    throw new AwsError(
      403,
      isS3 ? "SignatureDoesNotMatch" : "InvalidSignatureException",
      "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
    );
}

/** Hexadecimal SHA-256, as signatures have it. */
export function sha256(data: string | Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}

/** Percent-encodes all that RFC 3986 does not leave alone, as signatures and `encoding-type=url` want it. */
export function percentEncode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

function refuseExpired(target: string, time: string): void {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(time) ?? [];
  const signedAt = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  const seconds = Number(queryOf(target).get("X-Amz-Expires"));
  // Not a number in either is late too.
  if (!(Date.now() <= signedAt + seconds * 1000))
    throw new AwsError(403, "AccessDenied", "Request has expired");
}

function canonicalQuery(target: string): string {
  return [...queryOf(target)]
    .filter(([name]) => name !== "X-Amz-Signature")
    .map(([name, value]) => [percentEncode(name), percentEncode(value)] as const)
    .toSorted(([a, x], [b, y]) => order(a, b) || order(x, y))
    .map((pair) => pair.join("="))
    .join("&");
}

function canonicalHeader(headers: IncomingHttpHeaders, name: string): string {
  return (header(headers, name) ?? "").trim().replace(/\s+/g, " ");
}

function header(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(",") : value;
}

function queryOf(target: string): URLSearchParams {
  return new URL(target, "http://localhost").searchParams;
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
