/** Writes a line of a log: JSON, whatever was said. */
export type Print = (line: string) => void;

/** A function's own line where it is JSON; any other text (what a crash leaves) as the message of one. */
export const asJsonLine = (service: string, text: string, level: "ERROR" | "INFO"): string =>
  isJsonObject(text) ? text : ownLine(service, text, level);

/** A line of ours, with the fields that the functions' lines have. */
export const ownLine = (service: string, message: string, level: "ERROR" | "INFO"): string =>
  JSON.stringify({ level, message, timestamp: new Date().toISOString(), service });

function isJsonObject(text: string): boolean {
  if (!text.startsWith("{")) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
