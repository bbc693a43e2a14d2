import {
  Agent,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { awaitedLater } from "../../src/errors.ts";
import type { Injury, Meet, Request } from "./calls.ts";

/** Stands between a function and AWS. */
export interface HttpProxy {
  readonly endpoint: string;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
}

/** How far a clock may be off before AWS refuses what it signed, in milliseconds. */
const SKEW = 15 * 60_000;

/**
 * Starts a proxy for S3 and Secrets Manager.
 * @param roleOf a bucket's name → its part in the pipeline, the same in every scenario
 * @param databasePort what every secret is told to be the port of its database
 */
export async function startHttpProxy(
  target: number,
  roleOf: (bucket: string) => string,
  databasePort: number,
  meet: Meet,
): Promise<HttpProxy> {
  const agent = new Agent({ keepAlive: true });
  const server = createServer((message, response) => {
    serve(message, response).catch(() => message.socket.resetAndDestroy());
  });
  server.keepAliveTimeout = 65_000;

  const serve = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await readAll(message);
    const request = requestOf(message, body, roleOf);
    const skewed = refusedForSkew(message);
    if (skewed) return send(response, skewed);
    const pass = async (sent = body): Promise<Answer> => {
      const answer = await forward(agent, target, message, sent);
      return request.what.startsWith("GetSecretValue") ? withPort(answer, databasePort) : answer;
    };
    const injury = meet(request);
    if (injury)
      await suffer(injury, {
        message,
        response,
        body,
        pass,
        passHalf: () => forwardHalf(target, message, body),
      });
    else send(response, await pass());
  };
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      agent.destroy();
    },
  };
}

interface Patient {
  readonly message: IncomingMessage;
  readonly response: ServerResponse;
  readonly body: Buffer;
  readonly pass: (body?: Buffer) => Promise<Answer>;
  /** Sends a half of it, and no more. */
  readonly passHalf: () => Promise<void>;
}

async function suffer(injury: Injury, patient: Patient): Promise<void> {
  const { message, response, body, pass, passHalf } = patient;
  const cut = (): void => void message.socket.resetAndDestroy();
  switch (injury.do) {
    case "wait":
      await delay(injury.ms);
      return send(response, await pass());
    case "run": {
      if (injury.when === "before") await injury.run();
      if (injury.when === "before" && injury.next === "cut") return cut();
      const passing = awaitedLater(pass());
      if (injury.when === "meanwhile") await injury.run();
      if (injury.when === "meanwhile" && injury.next === "cut") {
        cut();
        // It is carried out all the same: nobody hears how it went.
        await passing.catch(() => undefined);
        return;
      }
      const answer = await passing;
      if (injury.when === "after") await injury.run();
      return injury.next === "cut" ? cut() : send(response, answer);
    }
    case "break":
      if (injury.in === "request") {
        await passHalf();
        return cut();
      }
      return sendHalf(response, await pass());
    case "refuse": {
      if (injury.done) await pass();
      return send(response, refusal(message, injury.status, injury.code));
    }
    case "repeat": {
      const first = await pass();
      const second = await pass();
      return send(response, injury.hears === "first" ? first : second);
    }
    case "damage": {
      if (injury.of === "request") return send(response, await pass(damaged(body, injury.how)));
      const answer = await pass();
      if (answer.status !== 200) return send(response, answer);
      const less = damaged(answer.body, injury.how);
      return send(response, { ...answer, body: less });
    }
    case "stale":
      return send(response, withoutLast(await pass()));
    case "error":
      throw new Error("HTTP knows no SQLSTATE");
  }
}

function requestOf(
  message: IncomingMessage,
  body: Buffer,
  roleOf: (bucket: string) => string,
): Request {
  const target = message.headers["x-amz-target"];
  if (target !== undefined)
    return {
      service: "secrets",
      what: `${String(target).replace(/^secretsmanager\./, "")} ${secretRole(body)}`,
    };
  const url = new URL(message.url ?? "/", "http://localhost");
  const [, bucket = "", ...rest] = url.pathname.split("/");
  const isListing = url.searchParams.has("list-type");
  const key = isListing
    ? (url.searchParams.get("prefix") ?? "")
    : decodeURIComponent(rest.join("/"));
  const operation = isListing
    ? "ListObjectsV2"
    : `${{ GET: "Get", PUT: "Put" }[message.method ?? ""] ?? message.method}Object`;
  return {
    service: "s3",
    what: `${operation} ${roleOf(bucket)}/${kindOf(key)}`,
    isConditional: message.headers["if-none-match"] !== undefined,
  };
}

/** The part of a key that is the same in every run. */
function kindOf(key: string): string {
  const parts = key.split("/").filter((part) => part !== "");
  return parts[0] === "_hints" || parts[0] === "_rejected"
    ? parts.slice(0, 2).join("/")
    : (parts[0] ?? "");
}

function secretRole(body: Buffer): string {
  const { SecretId = "" } = JSON.parse(body.toString()) as { SecretId?: string };
  return SecretId.split("/").at(-1) ?? "";
}

async function readAll(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const SAME = ["connection", "keep-alive", "transfer-encoding", "expect"];

function forward(
  agent: Agent,
  port: number,
  message: IncomingMessage,
  body: Buffer,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(optionsOf(port, message, body, agent), (answer) => {
      readAll(answer).then(
        (whole) =>
          resolve({
            status: answer.statusCode ?? 500,
            headers: withoutHop(answer.headers),
            body: whole,
          }),
        reject,
      );
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** The server waits for the rest, and hears that there is none. */
function forwardHalf(port: number, message: IncomingMessage, body: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const sent = httpRequest(optionsOf(port, message, body));
    sent.on("error", () => undefined).on("close", resolve);
    sent.write(body.subarray(0, body.length >> 1), () => sent.destroy());
  });
}

const optionsOf = (port: number, message: IncomingMessage, body: Buffer, agent?: Agent) => ({
  host: "127.0.0.1",
  port,
  ...(agent ? { agent } : {}),
  method: message.method,
  path: message.url,
  // The host's name too, as it was signed.
  headers: { ...withoutHop(message.headers), "content-length": body.length },
});

/** What concerns one connection alone stays there. */
const withoutHop = (headers: OutgoingHttpHeaders): OutgoingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !SAME.includes(name)));

function send(response: ServerResponse, { status, headers, body }: Answer): void {
  const length = response.req.method === "HEAD" ? headers["content-length"] : body.length;
  response.writeHead(status, { ...headers, "content-length": length });
  response.end(body);
}

/** Half of the body, and then nothing any more. */
function sendHalf(response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, { ...headers, "content-length": body.length });
  response.write(body.subarray(0, body.length >> 1), () => response.socket?.resetAndDestroy());
}

function refusal(message: IncomingMessage, status: number, code: string): Answer {
  const isJson = message.headers["x-amz-target"] !== undefined;
  const body = isJson
    ? JSON.stringify({ __type: code, message: "injected" })
    : `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>injected</Message></Error>`;
  const type = isJson ? "application/x-amz-json-1.1" : "application/xml";
  return { status, headers: { "content-type": type }, body: Buffer.from(body) };
}

/** As AWS does, which the local one leaves out: what a clock signed that is far off is refused. */
function refusedForSkew(message: IncomingMessage): Answer | undefined {
  const signed = String(message.headers["x-amz-date"] ?? "").replace(
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/,
    "$1-$2-$3T$4:$5:$6Z",
  );
  if (!(Math.abs(Date.parse(signed) - Date.now()) > SKEW)) return undefined;
  const code =
    message.headers["x-amz-target"] === undefined
      ? "RequestTimeTooSkewed"
      : "InvalidSignatureException";
  return refusal(message, 403, code);
}

/** A secret whose database is reached by way of us. */
function withPort(answer: Answer, port: number): Answer {
  if (answer.status !== 200) return answer;
  const outer = JSON.parse(answer.body.toString()) as { SecretString: string };
  const inner = JSON.parse(outer.SecretString) as object;
  const SecretString = JSON.stringify({ ...inner, port });
  return { ...answer, body: Buffer.from(JSON.stringify({ ...outer, SecretString })) };
}

function withoutLast(answer: Answer): Answer {
  const text = answer.body.toString();
  const at = text.lastIndexOf("<Contents>");
  const end = text.lastIndexOf("</Contents>");
  if (at < 0) return answer;
  const body = Buffer.from(text.slice(0, at) + text.slice(end + "</Contents>".length));
  return { ...answer, body };
}

function damaged(body: Buffer, how: "shorten" | "flip"): Buffer {
  if (how === "shorten") return body.subarray(0, Math.floor(body.length * 0.9));
  const flipped = Buffer.from(body);
  const at = flipped.length >> 1;
  if (at < flipped.length) flipped[at]! ^= 1;
  return flipped;
}
