/** What Athena needs to know of the lake, as the Glue catalogue takes it: infrastructure/athena-tables.cjs deploys it. */
import { getTables } from "../registry.ts";
import {
  athena,
  hiveOf,
  JSON_SERDE,
  manifestTables,
  partitionColumn,
  projectionOf,
  serdeOf,
  tableOf,
  type GlueTable,
} from "./athena.ts";
import type { Scope, View } from "./dialect.ts";
import { filesOf, lakeViewsOf, viewsOf } from "./views.ts";

type Columns = readonly { readonly Name: string; readonly Type: string }[];

/** A table, or a view, as `AWS::Glue::Table` has it. */
export interface TableInput {
  readonly Name: string;
  readonly TableType: "EXTERNAL_TABLE" | "VIRTUAL_VIEW";
  readonly [property: string]: unknown;
}

const columnsOf = (columns: readonly (readonly [string, string])[]): Columns =>
  columns.map(([Name, Type]) => ({ Name, Type }));

const PARQUET = "org.apache.hadoop.hive.ql.io.parquet";

const FORMATS = {
  json: {
    InputFormat: "org.apache.hadoop.mapred.TextInputFormat",
    OutputFormat: "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
    serde: JSON_SERDE,
  },
  parquet: {
    InputFormat: `${PARQUET}.MapredParquetInputFormat`,
    OutputFormat: `${PARQUET}.MapredParquetOutputFormat`,
    serde: `${PARQUET}.serde.ParquetHiveSerDe`,
  },
} as const;

function inputOfTable(table: GlueTable, lake: string): TableInput {
  const location = `${lake}/${table.folder}`;
  const { serde, ...formats } = FORMATS[table.format];
  const isParquet = table.format === "parquet";
  return {
    Name: table.name,
    TableType: "EXTERNAL_TABLE",
    Parameters: {
      EXTERNAL: "TRUE",
      classification: table.format,
      ...(isParquet ? projectionOf(location) : {}),
    },
    PartitionKeys: isParquet ? columnsOf([partitionColumn]) : [],
    StorageDescriptor: {
      Columns: columnsOf(table.columns),
      Location: `${location}/`,
      ...formats,
      SerdeInfo: { SerializationLibrary: serde, Parameters: serdeOf(table) },
    },
  };
}

/** As Athena itself writes a view into the catalogue. */
function inputOfView(view: View, database: string): TableInput {
  const definition = {
    originalSql: view.query,
    catalog: "awsdatacatalog",
    schema: database,
    columns: view.columns.map(([name, type]) => ({ name, type })),
  };
  const encoded = Buffer.from(JSON.stringify(definition)).toString("base64");
  return {
    Name: view.name,
    TableType: "VIRTUAL_VIEW",
    Parameters: { presto_view: "true", comment: "Presto View" },
    PartitionKeys: [],
    ViewOriginalText: `/* Presto View: ${encoded} */`,
    ViewExpandedText: "/* Presto View */",
    StorageDescriptor: {
      Columns: columnsOf(view.columns.map(([name, type]) => [name, hiveOf(type)])),
      SerdeInfo: {},
    },
  };
}

/** All of this checkout's tables and views. @param lake `s3://…` */
export async function catalogueInputs(lake: string, database: string): Promise<TableInput[]> {
  const tables = await getTables();
  const scope: Scope = { lake };
  return [
    ...[...manifestTables, ...filesOf(tables).map(tableOf)].map((table) =>
      inputOfTable(table, lake),
    ),
    ...[...lakeViewsOf(athena, scope), ...viewsOf(tables, athena, scope)].map((view) =>
      inputOfView(view, database),
    ),
  ];
}
