// The outputs that tests paste into pages (tests/support/transcripts.ts): a fenced block below `<!-- output: NAME -->`.

/** A marker, its name, and what stands in the block below it, if there is one. */
export const BLOCK = /^(<!-- output: ([\w-]+) -->)\n(?:\n```text\n([\s\S]*?)\n```\n)?/gm;

/** The blocks of a page, by name. */
export const outputsIn = (page: string): ReadonlyMap<string, string> =>
  new Map([...page.matchAll(BLOCK)].map(([, , name, text = ""]) => [name!, text]));
