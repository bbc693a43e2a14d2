/** serverless.yml's. */
export const SERVICE = "totes-warehouse";

/** What a stage's function or queue is called: `totes-warehouse-dev-loading`. Functions and queues of one name belong together. */
export const nameOf = (stage: string, what: string): string => `${SERVICE}-${stage}-${what}`;
