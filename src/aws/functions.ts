import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";

/** A function that could not be invoked, or that failed: its own error, and its name. */
export class FunctionError extends Error {
  override readonly name = "FunctionError";
}

/** Invokes a function and waits for its answer. @throws FunctionError with what the function itself said */
export async function invokeFunction(name: string, event: object): Promise<unknown> {
  // It may take its whole time, which is fifteen minutes at most; and once is enough.
  const lambda = new LambdaClient({ maxAttempts: 1, requestHandler: { requestTimeout: 910_000 } });
  try {
    const { FunctionError: failed, Payload } = await lambda
      .send(new InvokeCommand({ FunctionName: name, Payload: JSON.stringify(event) }))
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
    const { errorType = failed, errorMessage = text } = answer as {
      errorType?: string;
      errorMessage?: string;
    };
    throw new FunctionError(`${name} failed: ${errorType}: ${errorMessage}`);
  } finally {
    lambda.destroy();
  }
}
