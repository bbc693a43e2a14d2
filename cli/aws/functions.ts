/** A stage's functions, invoked by name. */
import { InvokeCommand, type LambdaClient } from "@aws-sdk/client-lambda";
import { functionName, notDeployed } from "../stage.ts";

export type FunctionName = "ingestion" | "transformation" | "loading" | "reconciliation";

/** A function threw: which one, and what. */
export class FunctionFailed extends Error {
  override readonly name = "FunctionFailed";
  readonly function: FunctionName;
  readonly errorType: string;
  readonly errorMessage: string;

  constructor(
    name: FunctionName,
    { errorType = "Error", errorMessage = "no reason given" }: Thrown,
  ) {
    super(`the ${name} function failed: ${errorType}: ${errorMessage}`);
    this.function = name;
    this.errorType = errorType;
    this.errorMessage = errorMessage;
  }
}

interface Thrown {
  readonly errorType?: string;
  readonly errorMessage?: string;
}

/**
 * Invokes a function of a stage, and gives what it gives.
 * @throws FunctionFailed; StageError where the stage has no such function; AbortError
 */
export async function invokeFunction<T>(
  lambda: LambdaClient,
  stage: string,
  name: FunctionName,
  event: object,
  abortSignal: AbortSignal,
): Promise<T> {
  const FunctionName = functionName(stage, name);
  const command = new InvokeCommand({ FunctionName, Payload: JSON.stringify(event) });
  const { FunctionError, Payload } = await lambda
    .send(command, { abortSignal })
    .catch((cause: Error) => {
      throw cause.name === "ResourceNotFoundException"
        ? notDeployed(stage, `function ${FunctionName}`, cause)
        : cause;
    });
  const answer = JSON.parse(Payload?.transformToString() || "null") as unknown;
  if (FunctionError !== undefined) throw new FunctionFailed(name, (answer ?? {}) as Thrown);
  return answer as T;
}
