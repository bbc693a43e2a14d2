/** Files of the core that are mutated together, and the tests that are to notice: the quickest that say what they must do. */
export interface Group {
  readonly name: string;
  readonly mutate: readonly string[];
  /** In the order in which they are run, up to the first that fails: the quickest are first. */
  readonly specs: readonly string[];
  /** Mutants that one process tries, where not hundreds: what a module remembers from one run is not there in the next. */
  readonly reuse?: number;
}

const sources = (folder: string, names: string): string[] =>
  names.split(" ").map((name) => `${folder}/${name}.ts`);
const specs = (names: string): string[] => names.split(" ").map((name) => `tests/${name}.test.ts`);

export const GROUPS: readonly Group[] = [
  {
    name: "values",
    mutate: sources("src", "values calendar vectors"),
    specs: specs("values vectors values-text"),
  },
  {
    name: "declarations",
    mutate: sources("src", "table check-tables fingerprint build json errors settings"),
    specs: specs(
      "unit/check-tables unit/build unit/fingerprint unit/json unit/remembered unit/settings unit/table",
    ),
  },
  {
    name: "tables",
    mutate: sources(
      "tables",
      "dim_counterparty dim_currency dim_date dim_design dim_location dim_payment_type dim_staff dim_transaction " +
        "fact_payment fact_purchase_order fact_sales_order sources stamps",
    ),
    specs: specs("tables/dimensions tables/facts"),
    // dim_date makes a day once.
    reuse: 1,
  },
  {
    name: "parquet",
    mutate: sources("src/parquet", "bits schema checks dictionary encode"),
    specs: specs(
      "parquet/bits parquet/schema parquet/checks parquet/dictionary parquet/encode parquet/decode parquet/decode-damaged parquet/codec parquet/hyparquet",
    ),
  },
  {
    name: "parquet-files",
    mutate: sources("src/parquet", "decode hyparquet"),
    specs: specs("parquet/decode parquet/decode-damaged parquet/decode-texts parquet/footer"),
  },
  {
    name: "ingestion",
    mutate: sources("src/ingestion", "plan keyset select driving lines"),
    specs: specs("unit/plan unit/driving pipeline/queries"),
  },
  {
    name: "star-rows",
    mutate: sources("src/transformation", "star-rows star-columns"),
    specs: specs("unit/star-columns unit/star-rows"),
  },
  {
    name: "format-batch",
    mutate: sources("src/transformation", "format-batch"),
    specs: specs("pipeline/format-batch"),
  },
  {
    name: "binary",
    mutate: sources("src/loading", "range binary"),
    specs: specs("unit/range loading/binary"),
  },
  {
    name: "merge",
    mutate: sources("src/loading", "references triggers merge"),
    specs: specs("loading/references loading/foreign-keys loading/merge loading/large-texts"),
  },
  {
    name: "lake",
    mutate: sources("src/lake", "keys manifest"),
    specs: specs("unit/lake-keys pipeline/manifests"),
  },
  {
    name: "handlers",
    mutate: sources("src/handlers", "event deadline"),
    specs: specs("unit/event unit/deadline"),
  },
];
