// One session of one database, for as long as something is done in it.
import pg from "pg";

/**
 * Connects, does something, and disconnects.
 * @throws what connecting, `work` and disconnecting throw
 */
export async function inSession<T>(
  database: pg.ClientConfig,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client(database);
  // A server that goes away fails the query that is under way. The client says it a second time as an event, and one
  // that nobody listens to ends the process.
  client.on("error", () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
