import {
  GetFunctionConfigurationCommand,
  InvokeCommand,
  LambdaClient,
} from "@aws-sdk/client-lambda";

/** What a function threw. */
export interface Thrown {
  readonly errorType: string;
  readonly errorMessage: string;
}

/** A function that could not be invoked, or that failed: its own error, and its name. */
export class FunctionError extends Error {
  override readonly name = "FunctionError";
  /** Of a function that failed; undefined of one that could not be invoked, for which `cause` says why. */
  readonly thrown: Thrown | undefined;

  constructor(
    message: string,
    { thrown, ...options }: ErrorOptions & { readonly thrown?: Thrown },
  ) {
    super(message, options);
    this.thrown = thrown;
  }
}

/** How a function is set up, and whether it can be invoked. */
export interface Configuration {
  readonly arn: string;
  /** `Active`, or why not: `Pending`, `Inactive`, `Failed`. */
  readonly state: string;
  /** Of its last deploy: `Successful`, `InProgress` or `Failed`. */
  readonly lastUpdate: string;
  /** Lambda's own words on either, where it has some. */
  readonly reason?: string;
  readonly memoryMb: number;
  readonly timeoutSeconds: number;
  readonly environment: Readonly<Record<string, string>>;
}

/** Asks Lambda how a function is. @throws what the SDK throws: ResourceNotFoundException where there is none of that name */
export async function getConfiguration(name: string): Promise<Configuration> {
  const lambda = new LambdaClient({});
  try {
    const found = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: name }));
    const reason = found.StateReason ?? found.LastUpdateStatusReason;
    return {
      arn: found.FunctionArn ?? "",
      state: found.State ?? "Active",
      lastUpdate: found.LastUpdateStatus ?? "Successful",
      ...(reason === undefined ? {} : { reason }),
      memoryMb: found.MemorySize ?? 0,
      timeoutSeconds: found.Timeout ?? 0,
      environment: found.Environment?.Variables ?? {},
    };
  } finally {
    lambda.destroy();
  }
}

/** Invokes a function and waits for its answer. @throws FunctionError with what the function itself said */
export async function invokeFunction(
  name: string,
  event: object,
  abortSignal?: AbortSignal,
): Promise<unknown> {
  // It may take its whole time, which is fifteen minutes at most; and once is enough.
  const lambda = new LambdaClient({ maxAttempts: 1, requestHandler: { requestTimeout: 910_000 } });
  try {
    const { FunctionError: failed, Payload } = await lambda
      .send(
        new InvokeCommand({ FunctionName: name, Payload: JSON.stringify(event) }),
        abortSignal ? { abortSignal } : {},
      )
      .catch((cause: unknown) => {
        const why = cause as Error;
        const advice =
          why.name === "ResourceNotFoundException" ? "; deploy the stage, or correct --stage" : "";
        throw new FunctionError(`cannot invoke ${name}: ${why.name}: ${why.message}${advice}`, {
          cause,
        });
      });
    const text = Payload ? Buffer.from(Payload).toString() : "null";
    const answer = JSON.parse(text) as unknown;
    if (failed === undefined) return answer;
    const { errorType = failed, errorMessage = text } = (answer ?? {}) as Partial<Thrown>;
    throw new FunctionError(`${name} failed: ${errorType}: ${errorMessage}`, {
      thrown: { errorType, errorMessage },
    });
  } finally {
    lambda.destroy();
  }
}
