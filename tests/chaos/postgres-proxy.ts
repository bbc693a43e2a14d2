import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Injury, Meet, Request, Service } from "./calls.ts";
import {
  errorResponse,
  message,
  Messages,
  query,
  textsOf,
  type Message,
} from "./postgres-messages.ts";
import { shapeOf } from "./sql-shape.ts";

/** Stands between a function and PostgreSQL. */
export interface PostgresProxy {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Starts a proxy for PostgreSQL, without TLS.
 * @param serviceOf a database's name → what it is to the functions
 */
export async function startPostgresProxy(
  target: number,
  serviceOf: (database: string) => Service,
  meet: Meet,
): Promise<PostgresProxy> {
  const sessions = new Set<Session>();
  const server = createServer((client) => {
    const session = new Session(client, connect(target, "127.0.0.1"), serviceOf, meet);
    sessions.add(session);
    void session.run().finally(() => sessions.delete(session));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const session of sessions) session.cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const [COPY_DATA, COPY_DONE, COPY_FAIL] = ["d", "c", "f"];
const READY = "Z";
/** With one of these an answer begins to be of use: the end of it, or that rows may come or go. */
const ANSWERED = [READY, "G", "H"];

class Session {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #serviceOf: (database: string) => Service;
  readonly #meet: Meet;
  readonly #asked = new Messages(true);
  readonly #answered = new Messages(false);
  #service: Service = "source";
  #pid: number | undefined;
  #statement = "";
  #isCut = false;
  /** What is to happen when the answer to the call at hand is there. */
  #after: (Injury & { do: "run" }) | undefined;
  /** The error that stands for the next one of the server. */
  #instead: { readonly code: string; readonly message: string } | undefined;
  /** An error was told in the middle of rows: what the server still sends of them is nobody's. */
  #isSwallowing = false;

  constructor(
    client: Socket,
    server: Socket,
    serviceOf: (database: string) => Service,
    meet: Meet,
  ) {
    this.#client = client;
    this.#server = server;
    this.#serviceOf = serviceOf;
    this.#meet = meet;
    for (const socket of [client, server]) socket.on("error", () => undefined).setNoDelay();
  }

  async run(): Promise<void> {
    await Promise.all([this.#listen(this.#client), this.#listen(this.#server)]);
  }

  /** As when the network breaks. */
  cut(): void {
    this.#isCut = true;
    this.#client.resetAndDestroy();
    this.#server.destroy();
  }

  async #listen(from: Socket): Promise<void> {
    const to = from === this.#client ? this.#server : this.#client;
    const messages = from === this.#client ? this.#asked : this.#answered;
    const isClient = from === this.#client;
    let together: Buffer[] = [];
    const flush = async (): Promise<void> => {
      const bytes = Buffer.concat(together);
      together = [];
      if (bytes.length > 0 && !this.#isCut) await write(to, bytes);
    };
    try {
      for await (const chunk of from) {
        for (const one of messages.take(chunk as Buffer)) {
          const passed = isClient ? this.#ask(one, flush) : this.#answer(one, flush);
          // Nearly all messages are passed on as they are: those are sent together.
          const bytes = passed instanceof Promise ? await passed : passed;
          if (bytes) together.push(bytes);
        }
        await flush();
      }
    } catch {
      // The other end is gone: so is this one.
    }
    if (!to.destroyed) to.end();
  }

  /** A message of the client: gives what is to be sent on. */
  #ask(one: Message, flush: () => Promise<void>): Buffer | undefined | Promise<Buffer | undefined> {
    const what = this.#calls(one);
    const injury = what === undefined ? undefined : this.#meet(this.#request(what));
    return injury ? flush().then(() => this.#sufferAsking(injury, one)) : one.bytes;
  }

  #calls(one: Message): string | undefined {
    switch (one.type) {
      case "": {
        const texts = textsOf(one);
        this.#service = this.#serviceOf(texts[texts.indexOf("database") + 1] ?? "");
        return "connect";
      }
      case "Q":
        return (this.#statement = shapeOf(textsOf(one)[0] ?? ""));
      case "P":
        return (this.#statement = shapeOf(textsOf(one)[1] ?? ""));
      case COPY_DATA:
        return `${this.#statement} ← rows`;
      case COPY_DONE:
        return `${this.#statement} ← end`;
      default:
        return undefined;
    }
  }

  #request(what: string): Request {
    const request = { service: this.#service, what };
    return this.#pid === undefined ? request : { ...request, pid: this.#pid };
  }

  async #sufferAsking(injury: Injury, one: Message): Promise<Buffer | undefined> {
    switch (injury.do) {
      case "wait":
        await delay(injury.ms);
        return one.bytes;
      case "run":
        if (injury.when === "after") {
          this.#after = injury;
          return one.bytes;
        }
        if (injury.when === "meanwhile") await write(this.#server, one.bytes);
        await injury.run();
        if (injury.next === "go on") return injury.when === "before" ? one.bytes : undefined;
        if (injury.when === "before") this.cut();
        else {
          // What was sent is carried out: the server hears only then that nobody is there.
          this.#isCut = true;
          this.#client.resetAndDestroy();
          this.#server.end();
        }
        return undefined;
      case "break":
        if (injury.in === "request") {
          await write(this.#server, one.bytes.subarray(0, one.bytes.length >> 1));
          this.cut();
          return undefined;
        }
        this.#after = { do: "run", when: "after", run: () => undefined, next: "cut" };
        return one.bytes;
      case "error":
        return this.#errorFor(injury, one);
      default:
        throw new Error(`PostgreSQL has no ${injury.do}`);
    }
  }

  /** What has the server itself fail with that error, so that its transaction does. */
  #errorFor({ code, message: text }: { code: string; message: string }, one: Message) {
    switch (one.type) {
      case "Q":
        return query(
          `do $chaos$ begin raise exception using errcode = '${code}', message = '${text}'; end $chaos$`,
        );
      case COPY_DATA:
      case COPY_DONE:
        this.#instead = { code, message: text };
        return message(COPY_FAIL!, `${text}\0`);
      default:
        this.#isCut = true;
        this.#client.end(errorResponse("FATAL", code, text));
        this.#server.destroy();
        return undefined;
    }
  }

  /** A message of the server: gives what is to be sent on. */
  #answer(
    one: Message,
    flush: () => Promise<void>,
  ): Buffer | undefined | Promise<Buffer | undefined> {
    if (one.type === "K") this.#pid = one.bytes.readInt32BE(5);
    if (this.#isSwallowing) {
      if (one.type !== READY) return undefined;
      this.#isSwallowing = false;
    }
    if (one.type === "E" && this.#instead) {
      const { code, message: text } = this.#instead;
      this.#instead = undefined;
      return errorResponse("ERROR", code, text);
    }
    if (this.#after) return ANSWERED.includes(one.type) ? this.#sufferAfter(one) : this.#hold(one);
    if (one.type !== COPY_DATA) return one.bytes;
    const injury = this.#meet(this.#request(`${this.#statement} → rows`));
    return injury ? flush().then(() => this.#sufferAnswering(injury, one)) : one.bytes;
  }

  #held: Buffer[] = [];
  #hold(one: Message): undefined {
    this.#held.push(one.bytes);
  }

  async #sufferAfter(one: Message): Promise<Buffer | undefined> {
    const { run, next } = this.#after!;
    this.#after = undefined;
    const bytes = Buffer.concat([...this.#held.splice(0), one.bytes]);
    await run();
    if (next === "go on") return bytes;
    this.cut();
    return undefined;
  }

  async #sufferAnswering(injury: Injury, one: Message): Promise<Buffer | undefined> {
    switch (injury.do) {
      case "wait":
        await delay(injury.ms);
        return one.bytes;
      case "run":
        await injury.run();
        if (injury.next === "go on") return one.bytes;
        this.cut();
        return undefined;
      case "break":
        await write(this.#client, one.bytes.subarray(0, one.bytes.length >> 1));
        this.cut();
        return undefined;
      case "error":
        this.#isSwallowing = true;
        return errorResponse("ERROR", injury.code, injury.message);
      default:
        throw new Error(`PostgreSQL has no ${injury.do}`);
    }
  }
}

/** Sends, and waits while the other end takes its time. */
async function write(to: Socket, bytes: Buffer): Promise<void> {
  if (to.destroyed || !to.writable) return;
  await new Promise<void>((resolve) => to.write(bytes, () => resolve()));
}
