import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { AwsError } from "./errors.ts";
import type { Answer } from "./request.ts";

/** A function that somebody hosts. */
export interface Hosted {
  readonly name: string;
  readonly memoryMb: number;
  readonly timeoutMs: number;
  /** What its configuration says of its environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** Runs it once. Does not throw: what its handler throws is part of what comes back. */
  readonly invoke: (event: unknown, requestId: string) => Promise<Invoked>;
}

/** What an invocation came to. */
export interface Invoked {
  /** What the handler gave, or what it threw as Lambda hands it on. */
  readonly payload: unknown;
  readonly hasFailed: boolean;
  /** What it printed. */
  readonly log: string;
}

/** A request to Lambda, its body read and its signature verified. */
export interface FunctionRequest {
  readonly method: string;
  /** The path, still encoded, and the query. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** What a request asks for, and how to do it. */
interface Asked {
  readonly operation: string;
  readonly name: string;
  readonly run: () => Promise<Answer>;
}

const VERSION = "2015-03-31";
/** So much of what an invocation printed is handed on, in bytes, as Lambda does. */
const TAIL = 4096;

/** Lambda: the functions that are hosted here, what their configuration is, and their invocation. */
export class FunctionService {
  readonly #region: string;
  readonly #account: string;
  readonly #known = new Map<string, { readonly hosted: Hosted; readonly since: Date }>();

  constructor(region: string, account: string) {
    this.#region = region;
    this.#account = account;
  }

  /** Makes a function known, in place of any other of its name. */
  add(hosted: Hosted): void {
    this.#known.set(hosted.name, { hosted, since: new Date() });
  }

  /**
   * Says what a request asks for.
   * @throws AwsError as Lambda does; UnknownOperationException (404) for what is not known here
   */
  accept({ method, target, headers, body }: FunctionRequest): Asked {
    const [path = ""] = target.split("?");
    const [version, functions, encoded = "", sub = ""] = path.split("/").slice(1);
    // An ARN stands for its last part; a version or an alias behind the name there is none.
    const name = decodeURIComponent(encoded).replace(/^.*:function:/, "");
    if (version === VERSION && functions === "functions") {
      if (method === "GET" && name === "")
        return { operation: "ListFunctions", name, run: async () => this.#list() };
      if (method === "GET" && sub === "configuration")
        return {
          operation: "GetFunctionConfiguration",
          name,
          run: async () => ({ body: JSON.stringify(this.#configurationOf(name)) }),
        };
      if (method === "POST" && sub === "invocations")
        return { operation: "Invoke", name, run: () => this.#invoke(name, headers, body) };
    }
    throw new AwsError(
      404,
      "UnknownOperationException",
      `${method} ${path} is not implemented by the local Lambda`,
    );
  }

  #arnOf(name: string): string {
    return `arn:aws:lambda:${this.#region}:${this.#account}:function:${name}`;
  }

  #named(name: string): { readonly hosted: Hosted; readonly since: Date } {
    const known = this.#known.get(name);
    if (known) return known;
    throw new AwsError(
      404,
      "ResourceNotFoundException",
      `Function not found: ${this.#arnOf(name)}`,
    );
  }

  #list(): Answer {
    const Functions = [...this.#known.keys()].map((name) => this.#configurationOf(name));
    return { body: JSON.stringify({ Functions }) };
  }

  #configurationOf(asked: string): unknown {
    const { hosted, since } = this.#named(asked);
    const { name, memoryMb, timeoutMs, environment } = hosted;
    return {
      FunctionName: name,
      FunctionArn: this.#arnOf(name),
      Runtime: `nodejs${process.versions.node.split(".")[0]}.x`,
      MemorySize: memoryMb,
      Timeout: timeoutMs / 1000,
      LastModified: since.toISOString().replace("Z", "+0000"),
      State: "Active",
      LastUpdateStatus: "Successful",
      Version: "$LATEST",
      Environment: { Variables: environment },
      LoggingConfig: { LogFormat: "Text", LogGroup: `/aws/lambda/${name}` },
    };
  }

  async #invoke(name: string, headers: IncomingHttpHeaders, body: Buffer): Promise<Answer> {
    const { hosted } = this.#named(name);
    const event = eventIn(body);
    const requestId = randomUUID();
    const answer = { "x-amzn-requestid": requestId, "X-Amz-Executed-Version": "$LATEST" };
    const type = headers["x-amz-invocation-type"] ?? "RequestResponse";
    if (type === "DryRun") return { status: 204, headers: answer };
    const invocation = hosted.invoke(event, requestId);
    // Nobody waits for what comes of it.
    if (type === "Event") return { status: 202, headers: answer };
    const { payload, hasFailed, log } = await invocation;
    const tail = Buffer.from(log).subarray(-TAIL).toString("base64");
    return {
      headers: {
        ...answer,
        "Content-Type": "application/json",
        ...(hasFailed ? { "X-Amz-Function-Error": "Unhandled" } : {}),
        ...(headers["x-amz-log-type"] === "Tail" ? { "X-Amz-Log-Result": tail } : {}),
      },
      body: JSON.stringify(payload),
    };
  }
}

function eventIn(body: Buffer): unknown {
  if (body.length === 0) return {};
  try {
    return JSON.parse(body.toString());
  } catch (cause) {
    throw new AwsError(
      400,
      "InvalidRequestContentException",
      `Could not parse request body into json: ${(cause as Error).message}`,
    );
  }
}
