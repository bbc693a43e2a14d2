/** Pieces of TypeScript that declarations are written with. */
import * as vocabulary from "../../src/table.ts";

/** A name as an object's key: as it is where it may be, else in quotes. */
export const keyText = (name: string): string =>
  /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);

/** Words that no constant can be called: the language's, and those that declarations, modules and their tests are written with. */
const RESERVED = new Set([
  ...Object.keys(vocabulary),
  ...(
    "arguments await break case catch class const continue debugger default delete do else enum eval export extends false " +
    "finally for function if implements import in instanceof interface let new null package private protected public " +
    "return static super switch this throw true try typeof var void while with yield " +
    "dateOf describe expect format it rejected rows stampColumns timeOf"
  ).split(" "),
]);

/** A name as a constant's: what may not stand in one becomes `_`. */
export function constantText(name: string): string {
  const text = name.replaceAll(/[^\w$]/gu, "_");
  return /^\d/.test(text) || RESERVED.has(text) ? `_${text}` : text;
}

/** A member of an object: `a.b`, or `a["b c"]`. */
export const memberText = (of: string, name: string): string =>
  keyText(name) === name ? `${of}.${name}` : `${of}[${JSON.stringify(name)}]`;

/** Without anything that would end a comment's line. */
export const commentText = (text: string): string => text.replaceAll(/\s+/g, " ");
