import type { Connection } from "../postgres/connection.ts";

/** Does `work` with a connection that is closed then; without one where it cannot be opened. */
export async function withPlace<T>(
  connect: () => Promise<Connection>,
  work: (connection: Connection | undefined, error: Error | undefined) => Promise<T>,
): Promise<T> {
  let connection: Connection;
  try {
    connection = await connect();
  } catch (error) {
    return work(undefined, error as Error);
  }
  try {
    return await work(connection, undefined);
  } finally {
    await connection.close();
  }
}
