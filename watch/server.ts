/** The page's server: static files, answers as JSON, live events. On 127.0.0.1 alone, and it only reads. */
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import type { Answers } from "./answers.ts";
import { Live } from "./live.ts";

export const HOST = "127.0.0.1";
const PAGE = path.join(import.meta.dirname, "page");

/** A server that is up. */
export interface Watch {
  readonly url: string;
  /** Ends open connections too. */
  close(): Promise<void>;
}

export interface WatchOptions {
  /** 0 = any free one. */
  readonly port: number;
  /** Milliseconds between two looks at the pipeline, while somebody listens. */
  readonly every?: number;
}

/**
 * Serves the page.
 * @throws Error with code EADDRINUSE where something listens on the port already
 */
export async function serve(answers: Answers, { port, every }: WatchOptions): Promise<Watch> {
  const live = new Live(answers.overview, every);
  const server = createServer((request, reply) => {
    const { port: own } = server.address() as AddressInfo;
    void handle(request, reply, { answers, live, own });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(port, HOST, resolve);
  });
  return {
    url: `http://${HOST}:${(server.address() as AddressInfo).port}/`,
    close: () => close(server, live),
  };
}

async function close(server: Server, live: Live): Promise<void> {
  live.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

/** Nothing from elsewhere, nothing inline, nobody's frame; other origins get nothing either. */
const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "cache-control": "no-store",
};

interface Context {
  readonly answers: Answers;
  readonly live: Live;
  /** The port that it listens on. */
  readonly own: number;
}

async function handle(
  request: IncomingMessage,
  reply: ServerResponse,
  { answers, live, own }: Context,
): Promise<void> {
  for (const [header, value] of Object.entries(HEADERS)) reply.setHeader(header, value);
  const refusal = refusalOf(request, own);
  if (refusal) return send(reply, refusal.status, { error: refusal.error });
  const asked = `http://${HOST}${request.url}`;
  if (!URL.canParse(asked)) return send(reply, 400, { error: `${request.url} is no path` });
  const { pathname, searchParams } = new URL(asked);
  if (pathname === "/api/events") return live.join(reply);
  if (!pathname.startsWith("/api/")) return sendFile(reply, pathname);
  try {
    const answer = await answerTo(answers, pathname, searchParams);
    if (answer === undefined) send(reply, 404, { error: `there is no ${pathname}` });
    else send(reply, 200, answer);
  } catch (error) {
    send(reply, 503, { error: error instanceof Error ? error.message : String(error) });
  }
}

/**
 * A web page elsewhere may have a browser ask this server: by another name that leads here (DNS rebinding), or from
 * another site. Neither is answered.
 */
function refusalOf(
  { method, headers }: IncomingMessage,
  own: number,
): { readonly status: number; readonly error: string } | undefined {
  if (method !== "GET" && method !== "HEAD")
    return { status: 405, error: `${method} is not answered: this page only reads` };
  const names = [`${HOST}:${own}`, `localhost:${own}`];
  if (!names.includes(headers.host ?? ""))
    return {
      status: 421,
      error: `the host ${headers.host} is not this one: open http://${names[0]}/`,
    };
  const site = headers["sec-fetch-site"];
  if (
    site !== undefined &&
    site !== "same-origin" &&
    site !== "none" &&
    headers["sec-fetch-mode"] !== "navigate"
  )
    return { status: 403, error: "asked from another site" };
  return undefined;
}

const LIMIT = { least: 1, most: 200, usual: 50 };

/** Undefined where there is no such thing. */
async function answerTo(
  answers: Answers,
  pathname: string,
  query: URLSearchParams,
): Promise<unknown> {
  const [, , what, thing, ...more] = pathname.split("/");
  if (more.length > 0) return undefined;
  if (thing !== undefined) {
    if (what === "batches")
      return /^[1-9]\d{0,9}$/.test(thing) ? answers.batch(Number(thing)) : undefined;
    return what === "tables" ? answers.table(decoded(thing)) : undefined;
  }
  switch (what) {
    case "overview":
      return answers.overview();
    case "batches":
      return answers.batches(pageOf(query));
    case "tables":
      return answers.tables();
    case "quarantine":
      return answers.quarantine();
    case "business":
      return answers.business();
    default:
      return undefined;
  }
}

/** What of the query is usable; the rest is as if it were not there. */
function pageOf(query: URLSearchParams): Parameters<Answers["batches"]>[0] {
  const before = Number(query.get("before"));
  const limit = Number(query.get("limit"));
  const only = query.get("only");
  return {
    limit:
      Number.isInteger(limit) && limit >= LIMIT.least && limit <= LIMIT.most ? limit : LIMIT.usual,
    only: only === "quarantined" || only === "unfinished" ? only : "all",
    ...(Number.isSafeInteger(before) && before > 0 ? { before } : {}),
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function send(reply: ServerResponse, status: number, answer: unknown): void {
  reply
    .writeHead(status, { "content-type": "application/json; charset=utf-8" })
    .end(JSON.stringify(answer));
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
};

/** Files of page/ alone: plain names, in folders or not. */
async function sendFile(reply: ServerResponse, pathname: string): Promise<void> {
  const file = pathname === "/" ? "/index.html" : pathname;
  const type = /^(\/[a-z-]+)+\.(html|css|js)$/.test(file) ? TYPES[path.extname(file)] : undefined;
  const body =
    type === undefined ? undefined : await readFile(path.join(PAGE, file)).catch(() => undefined);
  if (body === undefined) return send(reply, 404, { error: `there is no ${pathname}` });
  reply.writeHead(200, { "content-type": type }).end(body);
}
