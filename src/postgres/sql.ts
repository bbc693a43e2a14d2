import pg from "pg";

/** An identifier, quoted: any name is safe. */
export const name = (identifier: string): string => pg.escapeIdentifier(identifier);
/** `schema.table`, both quoted. */
export const qualified = (schema: string, table: string): string =>
  `${name(schema)}.${name(table)}`;
/** A text literal, for the few places that take no parameter (COPY). */
export const literal = (text: string): string => pg.escapeLiteral(text);
/** Identifiers, quoted, between commas, each behind `prefix`. */
export const names = (identifiers: readonly string[], prefix = ""): string =>
  identifiers.map((identifier) => prefix + name(identifier)).join(", ");
