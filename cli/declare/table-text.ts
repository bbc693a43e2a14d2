/** Writes a star table's module, and its first test, from the declaration of its source. */
import {
  isFact,
  keyedBySource,
  keyOf,
  type Column,
  type Source,
  type Table,
} from "../../src/table.ts";
import type { ForeignKey } from "./database.ts";
import { constantText, keyText, memberText } from "./text.ts";

/** The two stamps that `tables/stamps.ts` makes four columns of. */
const CREATED = "created_at";
const UPDATED = "last_updated";

export interface Wanted {
  /** `fact_review`. */
  readonly name: string;
  readonly source: Source;
  /** The constant that `tables/sources.ts` exports it as. */
  readonly constant: string;
  readonly foreignKeys: readonly ForeignKey[];
  /** The star's other tables: a foreign key refers to the one that is keyed by its table. */
  readonly tables: readonly Table[];
}

interface StarColumn {
  readonly name: string;
  readonly type: string;
  /** What fills it, of the source's row `row`. */
  readonly value: string;
}

/** Both stamps are there, and facts show them as days and times. */
function isStamped({ name, source: { columns } }: Wanted): boolean {
  return (
    isFact({ name }) &&
    columns[CREATED]?.type === "timestamp" &&
    columns[UPDATED]?.type === "timestamp"
  );
}

function typeText({ type, nullable, key, precision, scale }: Column, table?: string): string {
  let text: string = type === "decimal" ? `decimal(${precision}, ${scale})` : type;
  if (nullable) text = `nullable(${text})`;
  if (table !== undefined) text = `references(${JSON.stringify(table)}, ${text})`;
  return key ? `key(${text})` : text;
}

/** The columns of a row, but for the record id and the stamps. */
function columnsOf({ name, source, foreignKeys, tables }: Wanted, stamped: boolean): StarColumn[] {
  const row = rowName(source);
  return Object.entries(source.columns).flatMap(([column, declared]) => {
    if (stamped && (column === CREATED || column === UPDATED)) return [];
    const target = foreignKeys.find((one) => one.column === column)?.table;
    const dimension = tables.find(
      (table) =>
        table.name.startsWith("dim_") &&
        table.name !== name &&
        target !== undefined &&
        keyedBySource(table)?.name === target,
    );
    return [
      {
        name: column,
        type: typeText(declared, declared.key ? undefined : dimension?.name),
        value: memberText(row, column),
      },
    ];
  });
}

const rowName = ({ name }: Source): string => constantText(name);

/** The module. */
export function moduleText(wanted: Wanted): string {
  const { name, source, constant } = wanted;
  const stamped = isStamped(wanted);
  const columns = columnsOf(wanted, stamped);
  const row = rowName(source);
  const grain = isFact({ name })
    ? `One row per version of a row of ${source.name}: one that changes adds a row.`
    : `One row per row of ${source.name}.`;
  const words = new Set(["defineTable"]);
  for (const { type } of columns)
    for (const [word] of type.replaceAll(/"[^"]*"/g, "").matchAll(/[a-z]+/g)) words.add(word);
  if (isFact({ name })) words.add("serial");
  const [keyColumn, ...others] = columns.toSorted(
    (a, b) => Number(b.type.startsWith("key(")) - Number(a.type.startsWith("key(")),
  );
  const lines = [
    ...(isFact({ name }) ? [`${name.slice("fact_".length)}_record_id: serial,`] : []),
    `${keyText(keyColumn!.name)}: ${keyColumn!.type},`,
    ...(stamped ? ["...stampColumns,"] : []),
    ...others.map((column) => `${keyText(column.name)}: ${column.type},`),
  ];
  const values = [
    `${keyText(keyColumn!.name)}: ${keyColumn!.value},`,
    ...(stamped
      ? [
          `created_date: dateOf(${row}.${CREATED}),`,
          `created_time: timeOf(${row}.${CREATED}),`,
          `last_updated_date: dateOf(${row}.${UPDATED}),`,
          `last_updated_time: timeOf(${row}.${UPDATED}),`,
        ]
      : []),
    ...others.map((column) => `${keyText(column.name)}: ${column.value},`),
  ];
  const sourceImport = constant === row ? constant : `${constant} as ${row}`;
  return [
    `import { ${[...words].toSorted().join(", ")} } from "../src/table.ts";`,
    `import { ${sourceImport} } from "./sources.ts";`,
    ...(stamped ? ['import { dateOf, stampColumns, timeOf } from "./stamps.ts";'] : []),
    "",
    "export default defineTable({",
    `  name: ${JSON.stringify(name)},`,
    `  description: ${JSON.stringify(grain)},`,
    `  source: ${row},`,
    "  columns: {",
    ...lines.map((line) => `    ${line}`),
    "  },",
    `  format: (${row}) => ({`,
    ...values.map((line) => `    ${line}`),
    "  }),",
    "});",
    "",
  ].join("\n");
}

/** A value as a source row has it, and as the warehouse prints it. */
interface Sample {
  readonly given: unknown;
  readonly printed: string;
}

function sample({ type, scale = 0 }: Column, at: number): Sample {
  const zeros = scale > 0 ? `.${"0".repeat(scale - 1)}5` : "";
  const samples: Readonly<Record<Column["type"], Sample>> = {
    integer: { given: at, printed: String(at) },
    bigint: { given: String(at), printed: String(at) },
    boolean: { given: true, printed: "t" },
    text: { given: `text ${at}`, printed: `text ${at}` },
    date: { given: "2022-11-03", printed: "2022-11-03" },
    time: { given: "14:20:52.186", printed: "14:20:52.186000" },
    timestamp: { given: "2022-11-03T14:20:52.186", printed: "2022-11-03 14:20:52.186000" },
    timestamptz: {
      given: "2022-11-03T14:20:52.186+00:00",
      printed: "2022-11-03 14:20:52.186000+00",
    },
    decimal: { given: `${at % 10}${zeros}`, printed: `${at % 10}${zeros}` },
  };
  return samples[type];
}

/** Its first test: a row of the source, and the row of the star that it makes. */
export function testText(wanted: Wanted): string {
  const { name, source } = wanted;
  const stamped = isStamped(wanted);
  const samples = new Map(
    Object.entries(source.columns).map(([column, declared], at) => [
      column,
      sample(declared, at + 1),
    ]),
  );
  const given = [...samples].map(([column, of]) => `${keyText(column)}: ${json(of.given)},`);
  const expected = [
    ...(stamped
      ? [
          'created_date: "2022-11-03",',
          'created_time: "14:20:52.186000",',
          'last_updated_date: "2022-11-03",',
          'last_updated_time: "14:20:52.186000",',
        ]
      : []),
    ...columnsOf(wanted, stamped).map(
      (column) => `${keyText(column.name)}: ${json(samples.get(column.name)!.printed)},`,
    ),
  ];
  const row = rowName(source);
  const [key] = keyOf(source);
  return `import { expect } from "../support/chai.ts";
import { format } from "../support/format.ts";

describe(${json(name)}, () => {
  const ${row} = {
${given.map((line) => `    ${line}`).join("\n")}
  };

  it("shows a row under the star's names", async () => {
    const { rows, rejected } = await format(${json(name)}, { ${keyText(source.name)}: [${row}] });
    expect(rejected).to.deep.equal([]);
    expect(rows).to.deep.equal([
      {
${expected.map((line) => `        ${line}`).join("\n")}
      },
    ]);
  });

  it("quarantines a row without a key", async () => {
    const { rows, rejected } = await format(${json(name)}, {
      ${keyText(source.name)}: [{ ...${row}, ${keyText(key ?? Object.keys(source.columns)[0]!)}: null }],
    });
    expect(rows).to.deep.equal([]);
    expect(rejected).to.have.length(1);
  });
});
`;
}

const json = (value: unknown): string => JSON.stringify(value);
