import pg from "pg";
import pgPromise from "pg-promise";

/** An identifier, quoted: any name is safe. */
export const name = (identifier: string): string => pg.escapeIdentifier(identifier);
/** `schema.table`, both quoted. */
export const qualified = (schema: string, table: string): string =>
  `${name(schema)}.${name(table)}`;
/**
 * A query that has names in it and parameters: these go beside it, to PostgreSQL itself. pg-promise would put them into the
 * text, and so into a name that has `$1` in it.
 */
export const parameterised = (
  text: string,
  values: readonly unknown[],
): pgPromise.ParameterizedQuery => new pgPromise.ParameterizedQuery({ text, values: [...values] });
/** A text literal, for the few places that take no parameter (COPY). */
export const literal = (text: string): string => pg.escapeLiteral(text);
/** Identifiers, quoted, between commas, each behind `prefix`. */
export const names = (identifiers: readonly string[], prefix = ""): string =>
  identifiers.map((identifier) => prefix + name(identifier)).join(", ");
