// The only file that talks to `totes watch`. Paths and shapes: src/operations/types.ts.

/** What the server could not find out; `message` is for the reader. */
export class Unanswered extends Error {}

/**
 * One answer; null where there is no such thing.
 * @param {string} path
 * @returns {Promise<any>}
 */
export async function get(path) {
  const reply = await fetch(path).catch(() => {
    throw new Unanswered("totes watch does not answer. Start it again: npx totes watch");
  });
  if (reply.status === 404) return null;
  const answer = await reply.json();
  if (!reply.ok) throw new Unanswered(answer.error);
  return answer;
}

/**
 * Live events, for as long as the page is open; the browser reconnects by itself.
 * @param {(name: "overview" | "stage" | "lost" | "found", data?: any) => void} handle
 */
export function listen(handle) {
  const source = new EventSource("/api/events");
  for (const name of /** @type {const} */ (["overview", "stage"]))
    source.addEventListener(name, (event) => handle(name, JSON.parse(event.data)));
  source.addEventListener("error", () => handle("lost"));
  source.addEventListener("open", () => handle("found"));
}
