/** Shows how far `work` is: it says how many of `total` are done. */
export type Progress = <T>(
  total: number,
  noun: string,
  work: (done: (count: number) => void) => Promise<T>,
) => Promise<T>;

export const unseen: Progress = (_total, _noun, work) => work(() => undefined);
