/** Files of the core that are mutated together, and the tests that are to notice: the quickest that say what they must do. */
export interface Group {
  readonly name: string;
  readonly mutate: readonly string[];
  readonly specs: readonly string[];
}

const filesOf = (folder: string, names: string): string[] =>
  names.split(" ").map((name) => `${folder}/${name}.ts`);

export const GROUPS: readonly Group[] = [
  {
    name: "values",
    mutate: filesOf("src", "values calendar vectors"),
    specs: ["tests/values.test.ts", "tests/values-text.test.ts", "tests/vectors.test.ts"],
  },
  {
    name: "declarations",
    mutate: filesOf("src", "table check-tables fingerprint build json errors settings"),
    specs: [
      "tests/unit/check-tables.test.ts",
      "tests/unit/build.test.ts",
      "tests/tables/contract.test.ts",
    ],
  },
  {
    name: "tables",
    mutate: ["tables/*.ts"],
    specs: ["tests/tables/dimensions.test.ts", "tests/tables/facts.test.ts"],
  },
  {
    name: "parquet",
    mutate: filesOf("src/parquet", "bits schema checks dictionary encode decode hyparquet"),
    specs: ["bits", "schema", "decode", "codec", "hyparquet"].map(
      (name) => `tests/parquet/${name}.test.ts`,
    ),
  },
  {
    name: "ingestion",
    mutate: filesOf("src/ingestion", "plan keyset select driving lines"),
    specs: [
      "tests/unit/plan.test.ts",
      "tests/unit/driving.test.ts",
      "tests/pipeline/batch-keys.test.ts",
    ],
  },
  {
    name: "transformation",
    mutate: filesOf("src/transformation", "star-rows star-columns format-batch"),
    specs: ["tests/unit/star-rows.test.ts", "tests/pipeline/format-batch.test.ts"],
  },
  {
    name: "loading",
    mutate: filesOf("src/loading", "range binary references triggers merge"),
    specs: ["tests/loading/*.test.ts"],
  },
  {
    name: "lake",
    mutate: filesOf("src/lake", "keys manifest"),
    specs: ["tests/pipeline/lake.test.ts"],
  },
  {
    name: "handlers",
    mutate: filesOf("src/handlers", "event deadline"),
    specs: ["tests/unit/event.test.ts", "tests/unit/deadline.test.ts"],
  },
];
