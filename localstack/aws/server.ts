import { randomUUID } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";
import { startWatchdog } from "../watchdog.ts";
import { readDocument } from "./body.ts";
import { AwsError } from "./errors.ts";
import { FunctionService } from "./functions.ts";
import { faultOf, type Fault, type Hook, type ObservedRequest } from "./faults.ts";
import { Notifier, type EventListener } from "./notifications.ts";
import { operationOf, parseS3Request, runOperation } from "./operations.ts";
import { LogService } from "./logs.ts";
import { QueueService } from "./queues.ts";
import type { Answer } from "./request.ts";
import { SecretsManager, type Parameters } from "./secrets.ts";
import {
  readSignature,
  sha256,
  signedPayload,
  verifySignature,
  type Credentials,
} from "./signature.ts";
import { Store } from "./store.ts";
import { errorDocument } from "./xml.ts";

export type { Fault, Hook, ObservedRequest } from "./faults.ts";
export type * from "./notifications.ts";

/** How the server is set up. All of it may be left out. */
export interface AwsOptions {
  /** 0 = any free one; LocalStack's is 4566. */
  readonly port?: number;
  /** Where objects and secrets are kept, and found again. A new one, removed at the end, where undefined. */
  readonly folder?: string | undefined;
  /** Secret access keys by access key id; `test`/`test` as with LocalStack where undefined. */
  readonly credentials?: Credentials;
  readonly region?: string;
  readonly account?: string;
  readonly onEvent?: EventListener;
  readonly onRequest?: Hook;
}

/** A running server for S3, Secrets Manager, SQS, Lambda and CloudWatch Logs, on 127.0.0.1. */
export interface AwsServer {
  /** Like `http://127.0.0.1:4566`: what AWS_ENDPOINT_URL takes. */
  readonly endpoint: string;
  readonly port: number;
  readonly region: string;
  readonly account: string;
  /** Where objects and secrets are kept. */
  readonly folder: string;
  /** How often each operation was asked for, by its name: `PutObject`, `GetSecretValue` … */
  readonly requests: ReadonlyMap<string, number>;
  /** What SQS says of: empty at the start. */
  readonly queues: QueueService;
  /** What Lambda invokes: empty at the start. */
  readonly functions: FunctionService;
  /** What CloudWatch Logs tells of: empty at the start. */
  readonly logs: LogService;
  /** Adds a listener to the buckets' events, and gives what removes it. */
  onEvent(listener: EventListener): () => void;
  /** Adds a hook that sees each request before it is carried out, and gives what removes it. The first fault counts. */
  onRequest(hook: Hook): () => void;
  /** Adds an observer that is told how each request was answered, and gives what removes it. */
  onAnswer(observer: (request: ObservedRequest & { readonly status: number }) => void): () => void;
  /** Cuts all connections, waits for what is under way, and closes the files. Later calls wait for the first. */
  stop(): Promise<void>;
}

/**
 * Starts a server that speaks the protocols of S3, Secrets Manager, SQS and Lambda, as far as their SDKs use them here.
 * @throws Error with code EADDRINUSE where something listens on the port already
 */
export async function startAws(options: AwsOptions = {}): Promise<AwsServer> {
  const { port = 0, region = "eu-west-2", account = "000000000000" } = options;
  const temporary = options.folder === undefined;
  const folder = options.folder ?? mkdtempSync(path.join(tmpdir(), "local-aws-"));
  const watchdog = temporary ? await startWatchdog({ folder }) : undefined;
  const service = new Service(
    await Store.open(folder),
    new SecretsManager(folder, region, account),
    options.credentials ?? { test: "test" },
    { region, account },
  );
  if (options.onEvent) service.notifier.listen(options.onEvent);
  if (options.onRequest) service.hooks.add(options.onRequest);

  const running = new Set<Promise<void>>();
  const server = createServer((message, response) => {
    const handled = service.handle(message, response).finally(() => running.delete(handled));
    running.add(handled);
  });
  // SDKs keep connections for their next request: one that is closed just then is an error to them.
  server.keepAliveTimeout = 65_000;
  server.requestTimeout = 0;

  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    if (server.listening) {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    }
    // A hook may hold a request for ever: it is not waited for.
    await Promise.race([Promise.allSettled(running), delay(2_000, undefined, { ref: false })]);
    service.close();
    await watchdog?.end();
  };
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(port, "127.0.0.1", resolve);
    });
  } catch (error) {
    await stop();
    throw error;
  }
  const address = server.address() as AddressInfo;
  const endpoint = `http://127.0.0.1:${address.port}`;
  service.queues.endpoint = endpoint;
  return {
    endpoint,
    port: address.port,
    region,
    account,
    folder,
    requests: service.requests,
    queues: service.queues,
    functions: service.functions,
    logs: service.logs,
    onEvent: (listener) => service.notifier.listen(listener),
    onRequest: (hook) => added(service.hooks, hook),
    onAnswer: (observer) => added(service.observers, observer),
    stop: () => (stopping ??= stop()),
  };
}

function added<T>(set: Set<T>, item: T): () => void {
  set.add(item);
  return () => void set.delete(item);
}

/** A request that passed its signature: what it asks for, and how to do it. */
interface Accepted {
  readonly observed: ObservedRequest;
  readonly run: () => Promise<Answer>;
}

class Service {
  readonly notifier: Notifier;
  readonly queues: QueueService;
  readonly functions: FunctionService;
  readonly logs = new LogService();
  readonly hooks = new Set<Hook>();
  readonly observers = new Set<(request: ObservedRequest & { readonly status: number }) => void>();
  readonly requests = new Map<string, number>();
  readonly #store: Store;
  readonly #secrets: SecretsManager;
  readonly #credentials: Credentials;
  readonly #region: string;

  constructor(
    store: Store,
    secrets: SecretsManager,
    credentials: Credentials,
    { region, account }: { readonly region: string; readonly account: string },
  ) {
    this.#store = store;
    this.#secrets = secrets;
    this.#credentials = credentials;
    this.#region = region;
    this.notifier = new Notifier(region);
    this.queues = new QueueService(account);
    this.functions = new FunctionService(region, account);
  }

  close(): void {
    this.#store.close();
    this.#secrets.close();
  }

  async handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const id = randomUUID();
    const type = contentTypeOf(message);
    let observed: ObservedRequest | undefined;
    let answer: Answer;
    try {
      const accepted = await this.#accept(message);
      observed = accepted.observed;
      this.requests.set(observed.operation, (this.requests.get(observed.operation) ?? 0) + 1);
      const fault = await faultOf(this.hooks, observed);
      answer = await carryOut(accepted, fault);
    } catch (error) {
      if (error instanceof ConnectionCut) message.socket.resetAndDestroy();
      // The client went away, or was sent away: nobody is left to be answered.
      if (message.socket.destroyed) return;
      answer = errorAnswer(asAwsError(error), message, id, type);
    }
    const status = answer.status ?? 200;
    if (observed) for (const observer of this.observers) observer({ ...observed, status });
    await send(answer, message, response, id, type);
  }

  async #accept(message: IncomingMessage): Promise<Accepted> {
    const { method = "GET", url: target = "/", headers } = message;
    const signature = readSignature({ method, target, headers });
    const verify = (payload: string): void =>
      verifySignature({ method, target, headers }, signature, payload, this.#credentials);

    if (headers["x-amz-target"] !== undefined) {
      const body = await readDocument(message);
      verify(sha256(body));
      const [service = "", operation = ""] = String(headers["x-amz-target"]).split(".");
      const parameters = parametersIn(body);
      if (service === "AmazonSQS") return this.#acceptQueues(operation, method, parameters);
      if (service === "Logs_20140328") return this.#acceptLogs(operation, method, parameters);
      return this.#acceptSecrets(operation, method, parameters);
    }
    if (isForLambda(message)) {
      const body = await readDocument(message);
      verify(sha256(body));
      const { operation, name, run } = this.functions.accept({ method, target, headers, body });
      return { observed: { service: "lambda", operation, method, bucket: "", key: name }, run };
    }
    const payload = signedPayload(signature, headers);
    if (payload === undefined)
      throw new AwsError(400, "InvalidRequest", "Missing required header: x-amz-content-sha256");
    verify(payload);
    const request = parseS3Request(message);
    const operation = operationOf(request);
    const { bucket, key } = request;
    const context = { store: this.#store, region: this.#region, notifier: this.notifier };
    return {
      observed: { service: "s3", operation, method, bucket, key },
      run: () => runOperation(operation, context, request),
    };
  }

  #acceptQueues(operation: string, method: string, parameters: Parameters): Accepted {
    const asked = parameters["QueueUrl"] ?? parameters["QueueName"] ?? parameters["SourceArn"];
    const key = typeof asked === "string" ? asked : "";
    return {
      observed: { service: "sqs", operation, method, bucket: "", key },
      run: async () => ({ body: JSON.stringify(this.queues.run(operation, parameters)) }),
    };
  }

  #acceptLogs(operation: string, method: string, parameters: Parameters): Accepted {
    const asked = parameters["logGroupName"];
    const key = typeof asked === "string" ? asked : "";
    return {
      observed: { service: "logs", operation, method, bucket: "", key },
      run: async () => ({ body: JSON.stringify(this.logs.run(operation, parameters)) }),
    };
  }

  #acceptSecrets(operation: string, method: string, parameters: Parameters): Accepted {
    const asked = parameters["SecretId"] ?? parameters["Name"];
    const key = typeof asked === "string" ? asked : "";
    return {
      observed: { service: "secretsmanager", operation, method, bucket: "", key },
      run: async () => ({ body: JSON.stringify(this.#secrets.run(operation, parameters)) }),
    };
  }
}

/** @throws AwsError SerializationException (400) */
function parametersIn(body: Buffer): Parameters {
  try {
    return JSON.parse(body.toString()) as Parameters;
  } catch (cause) {
    throw new AwsError(400, "SerializationException", String(cause));
  }
}

/** Lambda's paths could be a bucket's: what says it is what the request was signed for. */
const isForLambda = ({ headers }: IncomingMessage): boolean =>
  /\/lambda\/aws4_request\b/.test(headers.authorization ?? "");

type ContentType = `application/${"json" | "x-amz-json-1.0" | "x-amz-json-1.1" | "xml"}`;

/** What a request is answered in. */
function contentTypeOf(message: IncomingMessage): ContentType {
  const target = message.headers["x-amz-target"];
  if (target !== undefined)
    return `application/x-amz-json-1.${String(target).startsWith("AmazonSQS.") ? 0 : 1}`;
  return isForLambda(message) ? "application/json" : "application/xml";
}

class ConnectionCut extends Error {}

async function carryOut({ run }: Accepted, fault: Fault | undefined): Promise<Answer> {
  if (!fault) return run();
  if (fault.when === "after") {
    try {
      const { body } = await run();
      if (typeof body === "object") body.stream.destroy();
    } catch (error) {
      // A refusal is an answer too, and lost like any other.
      if (!(error instanceof AwsError)) throw error;
    }
  }
  if ("reset" in fault) throw new ConnectionCut();
  throw new AwsError(fault.status, fault.code, fault.message);
}

function asAwsError(error: unknown): AwsError {
  if (error instanceof AwsError) return error;
  console.error("The local AWS failed:", error);
  return new AwsError(500, "InternalError", String(error));
}

function errorAnswer(
  error: AwsError,
  message: IncomingMessage,
  id: string,
  type: ContentType,
): Answer {
  const { status, code, headers } = error;
  if (type === "application/xml")
    return { status, headers, body: errorDocument(error, message.url ?? "", id) };
  // Lambda has the code in a header, and its message in capitals.
  const body = JSON.stringify(
    type === "application/json"
      ? { Type: status < 500 ? "User" : "Service", Message: error.message }
      : { __type: code, message: error.message },
  );
  return { status, headers: { "x-amzn-errortype": code, ...headers }, body };
}

async function send(
  answer: Answer,
  message: IncomingMessage,
  response: ServerResponse,
  id: string,
  type: ContentType,
): Promise<void> {
  const { status = 200, headers = {}, body = "" } = answer;
  const size = typeof body === "string" ? Buffer.byteLength(body) : body.size;
  const bodiless = status === 204 || status === 304;
  response.writeHead(status, {
    "x-amz-request-id": id,
    "x-amzn-requestid": id,
    ...(typeof body === "string" && size > 0 ? { "Content-Type": type } : {}),
    ...headers,
    ...(bodiless ? {} : { "Content-Length": size }),
  });
  // An error may have come before the whole body: the rest of it must not stand before the next request.
  message.resume();
  if (typeof body === "string" || bodiless || message.method === "HEAD") {
    if (typeof body === "object") body.stream.destroy();
    response.end(typeof body === "string" && message.method !== "HEAD" ? body : undefined);
    return;
  }
  try {
    await pipeline(body.stream, response);
  } catch (error) {
    // The reader went away: its right. Anything else has cut the answer short, and the reader sees that.
    if (!response.closed) console.error("The local AWS failed while sending:", error);
  }
}
