import type { Hosted, Invoked } from "../aws/functions.ts";
import { randomUUID } from "node:crypto";
import { FunctionError, startFunction, type LambdaFunction } from "../functions.ts";
import { asJsonLine, ownLine, type Print } from "./log.ts";

/** What a function runs and with what. */
export interface HostedOptions {
  /** Its name on AWS. */
  readonly name: string;
  /** The handler's, which its lines are of. */
  readonly service: string;
  readonly module: string;
  readonly environment: Readonly<Record<string, string>>;
  /** What it has of its environment without its configuration's saying so: what opens AWS. */
  readonly access: Readonly<Record<string, string>>;
  readonly memoryMb: number;
  readonly timeoutMs: number;
  readonly print: Print;
}

/** A function in a process of its own, one invocation after the other, whose code may be replaced between two of them. */
export class HostedFunction implements Hosted {
  readonly name: string;
  readonly memoryMb: number;
  readonly timeoutMs: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly #options: HostedOptions;
  #running: LambdaFunction | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #lines: string[] = [];
  #isStopped = false;

  constructor(options: HostedOptions) {
    this.#options = options;
    this.name = options.name;
    this.memoryMb = options.memoryMb;
    this.timeoutMs = options.timeoutMs;
    this.environment = options.environment;
  }

  /** Has its process started before the first invocation, which then need not wait for it. */
  warm(): void {
    this.#running ??= this.#start();
  }

  readonly invoke = (event: unknown, requestId: string = randomUUID()): Promise<Invoked> =>
    this.#inTurn(async () => {
      this.#lines = [];
      this.warm();
      try {
        const payload = await this.#running!.invoke(event, requestId);
        return { payload, hasFailed: false, log: this.#said() };
      } catch (error) {
        if (!(error instanceof FunctionError)) throw error;
        const { errorType, message, stackTrace } = error;
        // What a handler throws it has logged itself; of one that was killed or cut off, Lambda says so.
        if (/^(Runtime|Sandbox)\./.test(errorType))
          this.#tell(`${errorType}: ${message}`, requestId);
        const payload = { errorType, errorMessage: message, trace: stackTrace };
        return { payload, hasFailed: true, log: this.#said() };
      }
    });

  /** The same for a queue, which hears of a failure by its being thrown. */
  readonly deliver = async (event: unknown): Promise<unknown> => {
    const { payload, hasFailed } = await this.invoke(event);
    if (hasFailed) throw new Error((payload as { readonly errorMessage: string }).errorMessage);
    return payload;
  };

  /** Lets what is under way end, and has the next invocation load the code as it is then. */
  renew(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#running?.stop();
      this.#running = undefined;
    });
  }

  /** Ends it, and the invocation that it has. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running?.stop();
  }

  #start(): LambdaFunction {
    if (this.#isStopped) throw new Error(`${this.name} was stopped`);
    const { name, service, module, environment, access, memoryMb, timeoutMs } = this.#options;
    return startFunction({
      name,
      module,
      env: { ...environment, ...access },
      memoryMb,
      timeoutMs,
      onLog: (line, stream) => {
        const whole = asJsonLine(service, line, stream === "stderr" ? "ERROR" : "INFO");
        this.#lines.push(whole);
        this.#options.print(whole);
      },
    });
  }

  #tell(message: string, requestId: string): void {
    const line = JSON.parse(ownLine(this.#options.service, message, "ERROR")) as object;
    this.#options.print(JSON.stringify({ ...line, function_request_id: requestId }));
  }

  #said(): string {
    return this.#lines.map((line) => `${line}\n`).join("");
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}
