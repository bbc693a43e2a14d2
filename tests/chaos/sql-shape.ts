/** Statements whose second word says what they are, too. */
const TWO_WORDS = "alter|begin|comment|create|delete|drop|insert|select|set";
const VERB = new RegExp(`^(?:copy \\(|(?:${TWO_WORDS}) [a-z_]+|[a-z]+)`, "i");
const TABLE =
  /\b(?:from|into|update|copy|table(?: if not exists)?|join) ((?:"[^"]+"|\w+)(?:\.(?:"[^"]+"|\w+))?)(?=[\s,;(]|$)/gi;

/**
 * A statement's shape, the same in every run: its first words, and the first tables that it names. Values and names of
 * columns are left out.
 */
export function shapeOf(sql: string): string {
  const plain = sql
    .replace(/'(?:[^']|'')*'/g, "?")
    .replace(/\s+/g, " ")
    .trim();
  const verb = VERB.exec(plain)?.[0].toLowerCase() ?? "";
  const tables = [...plain.matchAll(TABLE)].map(([, name = ""]) =>
    name.replaceAll('"', "").replace(/^public\./, ""),
  );
  return [verb, ...[...new Set(tables)].slice(0, 2)].join(" ");
}
