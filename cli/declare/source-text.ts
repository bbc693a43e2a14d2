/** Writes the declaration of a source table from what the catalogue says of it. */
import type { CatalogueColumn } from "../../src/postgres/catalogue.ts";
import type { FoundTable } from "./database.ts";
import { commentText, constantText, keyText } from "./text.ts";

/** What is declared of numeric without a size: more digits than anybody counts money with. */
const WIDEST = "decimal(38, 9)";

const WORDS: Readonly<Record<string, string>> = {
  int2: "integer",
  int4: "integer",
  int8: "bigint",
  bool: "boolean",
  date: "date",
  time: "time",
  timestamp: "timestamp",
  timestamptz: "timestamptz",
  text: "text",
  varchar: "text",
  bpchar: "text",
  name: "text",
  citext: "text",
  uuid: "text",
};

/** A column's type as declarations say it; undefined of one that no star table can hold. */
export function typeText({ base, isEnum, precision, scale }: CatalogueColumn): string | undefined {
  if (isEnum) return "text";
  if (base !== "numeric") return WORDS[base];
  if (precision === null || scale === null) return WIDEST;
  return precision <= 38 && scale >= 0 && scale <= precision
    ? `decimal(${precision}, ${scale})`
    : undefined;
}

/** A declaration, and the words of `src/table.ts` that it is written with. */
export interface Written {
  readonly constant: string;
  readonly text: string;
  readonly words: ReadonlySet<string>;
}

/**
 * `export const NAME = defineSource(…);`, with a comment a column that was left out.
 * @param taken constants that there are already
 */
function sourceText(table: FoundTable, taken: ReadonlySet<string>): Written {
  const { schema, name, kind, columns, primaryKey } = table;
  const constant = constantOf(table, taken);
  const words = new Set(["defineSource"]);
  const lines: string[] = [];
  for (const column of columns) {
    const type = typeText(column);
    if (type === undefined) {
      lines.push(`  // left out: ${commentText(column.name)}, of type ${commentText(column.type)}`);
      continue;
    }
    words.add(type.replace(/\(.*/, ""));
    const around = primaryKey.includes(column.name)
      ? "key"
      : column.notNull
        ? undefined
        : "nullable";
    if (around !== undefined) words.add(around);
    const size = type === WIDEST ? " // numeric of any size: further digits are quarantined" : "";
    lines.push(
      `  ${keyText(column.name)}: ${around === undefined ? type : `${around}(${type})`},${size}`,
    );
  }
  const options = [
    ...(schema === "public" ? [] : [`schema: ${JSON.stringify(schema)}`]),
    // Views and foreign tables have no xmin to find changes by.
    ...(kind === "r" || kind === "p" ? [] : ["changes: full"]),
  ];
  if (options.length > 0 && options.at(-1) === "changes: full") words.add("full");
  const further = options.length > 0 ? `, { ${options.join(", ")} }` : "";
  const text =
    `export const ${constant} = defineSource(${JSON.stringify(name)}, {\n` +
    `${lines.join("\n")}\n}${further});\n`;
  return { constant, text, words };
}

/** After the table, and its schema where that is another's; two may differ by what no constant can be called alone. */
function constantOf({ schema, name }: FoundTable, taken: ReadonlySet<string>): string {
  const [short, long] = [constantText(name), constantText(`${schema}_${name}`)];
  if (!taken.has(short)) return short;
  let free = long;
  for (let n = 2; taken.has(free); n++) free = `${long}_${n}`;
  return free;
}

/** Declarations of several tables, no two under one name. */
export function sourceTexts(
  tables: readonly FoundTable[],
  declared: Iterable<string>,
): readonly Written[] {
  const taken = new Set(declared);
  return tables.map((table) => {
    const written = sourceText(table, taken);
    taken.add(written.constant);
    return written;
  });
}
