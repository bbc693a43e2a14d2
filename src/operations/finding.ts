/** What a look at one thing came to. */
export interface Finding {
  /** What was looked at. */
  readonly title: string;
  readonly status: "ok" | "warn" | "bad";
  readonly found: string;
  /** What to do; absent where nothing is to be done, or where what was found says it. */
  readonly advice?: string;
}

export const ok = (title: string, found: string): Finding => ({ title, status: "ok", found });
export const warn = (title: string, found: string, advice?: string): Finding => ({
  title,
  status: "warn",
  found,
  ...(advice === undefined ? {} : { advice }),
});
export const bad = (title: string, found: string, advice?: string): Finding => ({
  ...warn(title, found, advice),
  status: "bad",
});
