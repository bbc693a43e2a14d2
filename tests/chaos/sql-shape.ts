/**
 * A statement's shape, the same in every run: its first words, and the first tables that it names. Values and names of
 * columns are left out.
 */
export function shapeOf(sql: string): string {
  const plain = sql
    .replace(/'(?:[^']|'')*'/g, "?")
    .replace(/\s+/g, " ")
    .trim();
  const verb = /^(?:copy \(|[a-z]+(?: [a-z_]+)?)/i.exec(plain)?.[0].toLowerCase() ?? "";
  const tables = [
    ...plain.matchAll(
      /\b(?:from|into|update|copy|table(?: if not exists)?|join) ((?:"[^"]+"|\w+)(?:\.(?:"[^"]+"|\w+))?)(?=[\s,;(]|$)/gi,
    ),
  ].map(([, name = ""]) => name.replaceAll('"', "").replace(/^public\./, ""));
  const named = [...new Set(tables)].slice(0, 2);
  return [verb.trim(), ...named].join(" ");
}
