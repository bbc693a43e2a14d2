/** A request as hooks see it. */
export interface ObservedRequest {
  readonly service: "s3" | "secretsmanager" | "sqs" | "lambda" | "logs";
  /** AWS' name of it: `PutObject`, `ListObjectsV2`, `GetSecretValue`, `Invoke` … */
  readonly operation: string;
  readonly method: string;
  /** Empty where there is none. */
  readonly bucket: string;
  /** The object's key, decoded; of a secret, queue or function what it was asked for by. Empty where there is none. */
  readonly key: string;
}

/**
 * What goes wrong with a request: it is answered with an error, or its connection is cut. `after`: it was carried out
 * and the answer is lost; `before` (unless said): it was not.
 */
export type Fault =
  | {
      readonly status: number;
      readonly code: string;
      readonly message?: string;
      readonly when?: "before" | "after";
    }
  | { readonly reset: true; readonly when?: "before" | "after" };

/** Sees a request before it is carried out. It may take its time, and may give a fault; `reset` cuts before. */
export type Hook = (
  request: ObservedRequest,
) => Fault | "reset" | undefined | void | Promise<Fault | "reset" | undefined | void>;

/** Asks hooks one after the other and gives the first fault. */
export async function faultOf(
  hooks: ReadonlySet<Hook>,
  request: ObservedRequest,
): Promise<Fault | undefined> {
  for (const hook of hooks) {
    const fault = await hook(request);
    if (fault) return fault === "reset" ? { reset: true } : fault;
  }
  return undefined;
}
