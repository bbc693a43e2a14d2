/** The functions, in the order in which a batch passes them. */
export const STAGES = ["ingestion", "transformation", "loading"] as const;
export type Stage = (typeof STAGES)[number];

/** Whom a function calls. */
export type Service = "s3" | "secrets" | "source" | "warehouse";

/** What a function asks of a service, as a proxy sees it. */
export interface Request {
  readonly service: Service;
  /** What is asked, with nothing in it that changes from run to run: `PutObject ingestion/_batches`, `commit` … */
  readonly what: string;
  /** Of PostgreSQL: the session's process there. */
  readonly pid?: number;
  /** Of S3: whether the object must not be there yet. */
  readonly isConditional?: boolean;
}

/** One of a stage's calls. */
export interface Call extends Request {
  readonly stage: Stage;
}

/** A kind of call that the running code makes, and how often it makes it in one invocation. */
export interface Point extends Omit<Call, "pid"> {
  readonly count: number;
  /** Whether it belongs to the first load alone, or not to the first load. */
  readonly tick: "first" | "later" | "any";
}

/** What a point is told apart by. */
export const nameOf = ({ stage, service, what }: Call): string => `${stage}: ${service} ${what}`;

/** What becomes of a call. */
export type Injury =
  | { readonly do: "wait"; readonly ms: number }
  /**
   * Something happens before it is passed on, when it is but is not answered yet, or when it was answered; then its connection
   * is cut, or all goes on.
   */
  | {
      readonly do: "run";
      readonly when: "before" | "meanwhile" | "after";
      readonly run: () => unknown;
      readonly next: "cut" | "go on";
    }
  /** The connection breaks in the middle of what is sent, or of what is answered. */
  | { readonly do: "break"; readonly in: "request" | "answer" }
  /** Of S3 and Secrets Manager: answered with an error, done or not. */
  | {
      readonly do: "refuse";
      readonly status: number;
      readonly code: string;
      readonly done: boolean;
    }
  /** Of PostgreSQL: answered with an error of this SQLSTATE. */
  | { readonly do: "error"; readonly code: string; readonly message: string }
  /** Delivered twice; the sender hears the first answer or the second. */
  | { readonly do: "repeat"; readonly hears: "first" | "second" }
  /** The body of an answer loses its end, or a bit is another, and all else is as if that was right. */
  | { readonly do: "damage"; readonly how: "shorten" | "flip"; readonly of: "request" | "answer" }
  /** A listing lacks its last key. */
  | { readonly do: "stale" };

/** Asks what becomes of a request; undefined: nothing. */
export type Meet = (request: Request) => Injury | undefined;
