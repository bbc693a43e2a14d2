/** The Parquet type of each declared type, and which others are read as the same. */
import type { SchemaElement } from "hyparquet";
import { INT64_DIGITS, WIDE_BYTES } from "./encode.ts";
import type { FileColumn } from "./schema.ts";

/** How `column` is declared in a file's footer. */
export function elementOf(column: FileColumn): SchemaElement {
  const common = {
    name: column.name,
    repetition_type: column.nullable ? ("OPTIONAL" as const) : ("REQUIRED" as const),
    field_id: column.fieldId,
  };
  switch (column.type) {
    case "integer":
      return { ...common, type: "INT32" };
    case "bigint":
      return { ...common, type: "INT64" };
    case "boolean":
      return { ...common, type: "BOOLEAN" };
    // Spark and Athena cannot read Parquet's TIME at all.
    case "time":
    case "text":
      return {
        ...common,
        type: "BYTE_ARRAY",
        converted_type: "UTF8",
        logical_type: { type: "STRING" },
      };
    case "date":
      return { ...common, type: "INT32", converted_type: "DATE", logical_type: { type: "DATE" } };
    case "timestamp":
      // Without the older annotation, TIMESTAMP_MICROS: that one means UTC.
      return {
        ...common,
        type: "INT64",
        logical_type: { type: "TIMESTAMP", isAdjustedToUTC: false, unit: "MICROS" },
      };
    case "timestamptz":
      return {
        ...common,
        type: "INT64",
        converted_type: "TIMESTAMP_MICROS",
        logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "MICROS" },
      };
    case "decimal": {
      const { precision = 0, scale = 0 } = column;
      const decimal = {
        ...common,
        converted_type: "DECIMAL" as const,
        precision,
        scale,
        logical_type: { type: "DECIMAL" as const, precision, scale },
      };
      return precision <= INT64_DIGITS
        ? { ...decimal, type: "INT64" }
        : { ...decimal, type: "FIXED_LEN_BYTE_ARRAY", type_length: WIDE_BYTES };
    }
  }
}

/**
 * The declared type that a file's column can be read as, as messages write it; else its Parquet type.
 * `said` is what the file's metadata tells of its types, for the codec whose Parquet types tell too little.
 */
export function readableAs(
  element: SchemaElement,
  said?: ReadonlyMap<string, { readonly type: string }>,
): string {
  const { type, converted_type: converted, logical_type: logical } = element;
  const plain = converted === undefined && logical === undefined;
  const declared = said?.get(element.name)?.type;
  if (type === "INT64" && declared !== undefined && (plain || converted === "TIMESTAMP_MICROS")) {
    return declared;
  }
  if (type === "BOOLEAN" && plain) return "boolean";
  if (type === "INT32") {
    if (plain || isInteger(element, 32)) return "integer";
    if (logical?.type === "DATE" || converted === "DATE") return "date";
  }
  if (type === "INT64") {
    if (plain || isInteger(element, 64)) return "bigint";
    if (logical?.type === "TIMESTAMP" && logical.unit === "MICROS") {
      return logical.isAdjustedToUTC ? "timestamptz" : "timestamp";
    }
    // The older annotation alone means UTC.
    if (logical === undefined && converted === "TIMESTAMP_MICROS") return "timestamptz";
  }
  if (type === "BYTE_ARRAY" && (logical?.type === "STRING" || converted === "UTF8")) return "text";
  if (type === "INT32" || type === "INT64" || type === "FIXED_LEN_BYTE_ARRAY") {
    if (logical?.type === "DECIMAL") return `decimal(${logical.precision},${logical.scale})`;
    if (converted === "DECIMAL") return `decimal(${element.precision},${element.scale ?? 0})`;
  }
  return [type ?? "a group of columns", logical?.type ?? converted].filter(Boolean).join(" ");
}

function isInteger({ converted_type, logical_type }: SchemaElement, bits: 32 | 64): boolean {
  if (logical_type !== undefined) {
    return (
      logical_type.type === "INTEGER" && logical_type.bitWidth === bits && logical_type.isSigned
    );
  }
  return converted_type === `INT_${bits}`;
}
