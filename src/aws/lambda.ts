/** A function that could not be asked to go on. */
export class InvokeError extends Error {
  override readonly name = "InvokeError";
}

/** Has a function start, without waiting for what it does.
 *  @throws InvokeError */
export async function invokeLater(functionName: string): Promise<void> {
  // Loaded when it is needed: most invocations are done when they end.
  const { InvokeCommand, LambdaClient } = await import("@aws-sdk/client-lambda");
  const client = new LambdaClient({});
  try {
    await client.send(
      new InvokeCommand({ FunctionName: functionName, InvocationType: "Event", Payload: "{}" }),
    );
  } catch (cause) {
    const { name, message } = cause as Error;
    throw new InvokeError(
      `cannot invoke ${functionName}: ${name}: ${message}; the run goes on at the next tick`,
      { cause },
    );
  } finally {
    client.destroy();
  }
}
