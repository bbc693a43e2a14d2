// Values that break pipelines, taken from the source through JSON, Parquet and COPY into the warehouse: each arrives
// exactly, or its row alone is quarantined, with its reason, until it is healed.
import { DuckDBInstance, type DuckDBConnection } from "@duckdb/node-api";
import fc from "fast-check";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { compare, latestOf, problems, starOf } from "../../localstack/totesys/star.ts";
import type { Rejected } from "../../src/transformation/star-rows.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";

const TEXTS: Readonly<Record<string, string>> = {
  "single quotes": "'O''Keefe'",
  "double quotes": '"a""b"',
  backslashes: "\\ \\\\ C:\\new\\table \\",
  "a tab": "a\tb\t",
  "a newline": "a\nb\n",
  "a carriage return": "a\r\nb\r",
  "COPY's null": "\\N",
  "COPY's end": "\\.",
  "COPY's end on its own line": "a\n\\.\nb",
  "an escape of U+0000, as text": "\\u0000",
  "an escape of half a pair, as text": "\\ud800",
  emoji: "👜👩🏽‍🚀🏴󠁧󠁢󠁳󠁣󠁴󠁿",
  "combining characters": "e\u0301 \u00e9 \ufb01 \u212b \u0301",
  "U+2028 and U+2029": "a\u2028b\u2029c\u0085d",
  "a byte order mark": "\uFEFFa\uFEFF",
  "the replacement character": "\uFFFD",
  "no characters": "\uFFFE\uFFFF\u{10FFFF}",
  "COPY's quote and delimiter": "\x01a\x02b\x01\x01",
  "control characters": "\b\f\v\x1b\x1f\x07",
  DEL: "a\x7fb",
  nothing: "",
  "a space": " ",
  "trailing spaces": "  a  ",
  "NULL, as text": "NULL",
  "null, as text": "null",
  "an injection": "Robert'); DROP TABLE dim_staff;--",
  "a placeholder": "$1 ${name} $(name) :name %s ?",
  JSON: '{"a":[1,null,"x"]}',
  "half of JSON": '","b":"',
  "a number": "007",
  "a formula": "=1+1",
  "right to left": "שלום \u202Eevil\u202C",
  "a megabyte": "0123456789é\n'\"\\".repeat(70_000),
};

/** A megabyte is enough in one column. */
const once = (value: string): string => (value.length > 1000 ? "" : value);

describe("text", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 5 });
    await p.run();
  });
  after(closeAll);

  for (const [codec, first] of [
    ["hyparquet", 1000],
    ["parquets", 2000],
  ] as const)
    it(`arrives exactly, whatever it holds, by ${codec}`, async () => {
      for (const [i, value] of Object.values(TEXTS).entries())
        await p.shop.none(
          `insert into design (design_id, design_name, file_location, file_name, last_updated)
         values ($1, $2, $3, $3, now())`,
          [first + i, value, once(value)],
        );
      process.env["PARQUET_CODEC"] = codec;
      await p.run();
      delete process.env["PARQUET_CODEC"];
      const arrived = await p.star.any<{ design_id: number; [column: string]: unknown }>(
        "select design_id, design_name, file_location, file_name from dim_design where design_id >= $1 order by 1",
        [first],
      );
      expect(arrived).to.have.length(Object.keys(TEXTS).length);
      for (const [i, [what, value]] of Object.entries(TEXTS).entries()) {
        const { design_name, file_location, file_name } = arrived[i]!;
        expect(design_name === value, `${what}: ${String(design_name).slice(0, 99)}`).to.equal(
          true,
        );
        expect([file_location, file_name], what).to.deep.equal([once(value), once(value)]);
      }
      // And once more by the databases alone, as bytes: the driver might bend both sides alike.
      const bytes = (table: string): string =>
        `select design_id, md5(convert_to(design_name, 'UTF8')) a, length(design_name) b,
              md5(convert_to(file_location, 'UTF8')) c, md5(convert_to(file_name, 'UTF8')) d
         from ${table} order by 1`;
      expect(await p.star.any(bytes("dim_design"))).to.deep.equal(
        await p.shop.any(bytes("design")),
      );
      await p.expectTrue();
    });

  it("that is empty is another than null, also through a lookup", async () => {
    await p.shop.none(
      `update address set address_line_2 = '', district = null where address_id = 1;
       update address set address_line_2 = null, district = '' where address_id = 2;
       update counterparty set legal_address_id = 1 + counterparty_id % 2;
       update department set location = '' where department_id = 1;
       update department set location = null where department_id = 2;
       update staff set department_id = 1 + staff_id % 2`,
    );
    await p.run();
    expect(
      await p.star.any(
        "select location_id, address_line_2, district from dim_location where location_id <= 2 order by 1",
      ),
    ).to.deep.equal([
      { location_id: 1, address_line_2: "", district: null },
      { location_id: 2, address_line_2: null, district: "" },
    ]);
    expect(
      await p.star.any(
        "select distinct counterparty_legal_address_line_2 l, counterparty_legal_district d from dim_counterparty order by 1",
      ),
    ).to.deep.equal([
      { l: "", d: null },
      { l: null, d: "" },
    ]);
    expect(await p.star.any("select distinct location from dim_staff order by 1")).to.deep.equal([
      { location: "" },
      { location: "Unknown" },
    ]);
    await p.expectTrue();
  });

  it("of any characters in several columns arrives exactly", async () => {
    // U+0000 cannot be in PostgreSQL, nor half of a surrogate pair.
    const anyText = fc
      .oneof(
        fc.string({ unit: "binary" }),
        fc.string({ unit: "grapheme" }),
        fc.string({ unit: "binary-ascii" }),
      )
      .map((value) => value.replaceAll("\0", ""));
    const row = fc.tuple(anyText, anyText, anyText);
    let next = 10_000;
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { minLength: 300, maxLength: 300, size: "max" }),
        async (rows) => {
          const from = next;
          next += rows.length;
          await p.shop.none(
            `insert into design (design_id, design_name, file_location, file_name, last_updated)
           select $1 - 1 + n, a, b, c, now()
             from unnest($2::text[], $3::text[], $4::text[]) with ordinality as r(a, b, c, n)`,
            [from, ...[0, 1, 2].map((column) => rows.map((row) => row[column]!))],
          );
          await p.run();
          const arrived = await p.star.any<Record<"a" | "b" | "c", string>>(
            "select design_name a, file_location b, file_name c from dim_design where design_id >= $1 order by design_id",
            [from],
          );
          expect(arrived.map(({ a, b, c }) => [a, b, c])).to.deep.equal(rows);
        },
      ),
      { numRuns: 2, seed: 20261125, endOnFailure: true },
    );
    expect(await p.rejected()).to.deep.equal([]);
    await p.expectTrue();
  });
});

describe("numbers, dates and times", () => {
  let p: TestPipeline;
  let duckdb: DuckDBConnection;
  let folder: string;

  before(async () => {
    p = await openPipeline({ orders: 10 });
    // Ids 1 to 10 are there; the values that follow are all that these orders have of note.
    const orders: [
      units: number,
      price: string,
      created: string,
      updated: string,
      delivery: string,
      payment: string,
    ][] = [
      [
        2147483647,
        "99999999.99",
        "0001-01-01 00:00:00",
        "0001-01-01 00:00:00.001",
        "0001-01-01",
        "9999-12-31",
      ],
      [
        -2147483648,
        "-99999999.99",
        "9999-12-31 23:59:59.999",
        "9999-12-31 23:59:59.999",
        "9999-12-31",
        "0001-01-01",
      ],
      [0, "0.00", "2024-02-29 14:20:52.1", "2024-02-29 14:20:52.12", "2024-02-29", "2000-02-29"],
      [-1, "0.01", "2024-01-01 00:00:00", "2024-12-31 23:59:59.999", "1900-02-28", "1969-12-31"],
      [1, "-0.01", "1970-01-01 00:00:00", "1969-12-31 23:59:59.999", "1970-01-01", "2038-01-19"],
      [
        7,
        "10.10",
        "2024-03-31 01:30:00.010",
        "2024-10-27 01:30:00.100",
        "2024-03-31",
        "2024-10-27",
      ],
    ];
    for (const [i, [units, price, created, updated, delivery, payment]] of orders.entries())
      await p.shop.none(
        `update sales_order set units_sold = $2, unit_price = $3, created_at = $4, last_updated = $5,
                agreed_delivery_date = $6, agreed_payment_date = $7 where sales_order_id = $1`,
        [i + 1, units, price, created, updated, delivery, payment],
      );
    await p.run();
    duckdb = await (await DuckDBInstance.create(":memory:")).connect();
    folder = await mkdtemp(path.join(tmpdir(), "hostile-"));
  });
  after(async () => {
    duckdb.closeSync();
    await rm(folder, { recursive: true });
    await closeAll();
  });

  it("arrive exactly, at the ends of their ranges", async () => {
    expect(
      await p.star.any(
        `select units_sold::text u, unit_price::text p, created_date::text cd, created_time::text ct,
                last_updated_date::text ud, last_updated_time::text ut, agreed_delivery_date::text dd, agreed_payment_date::text pd
           from fact_sales_order where sales_order_id <= 6 order by sales_order_id`,
      ),
    ).to.deep.equal([
      {
        u: "2147483647",
        p: "99999999.99",
        cd: "0001-01-01",
        ct: "00:00:00",
        ud: "0001-01-01",
        ut: "00:00:00.001",
        dd: "0001-01-01",
        pd: "9999-12-31",
      },
      {
        u: "-2147483648",
        p: "-99999999.99",
        cd: "9999-12-31",
        ct: "23:59:59.999",
        ud: "9999-12-31",
        ut: "23:59:59.999",
        dd: "9999-12-31",
        pd: "0001-01-01",
      },
      {
        u: "0",
        p: "0.00",
        cd: "2024-02-29",
        ct: "14:20:52.1",
        ud: "2024-02-29",
        ut: "14:20:52.12",
        dd: "2024-02-29",
        pd: "2000-02-29",
      },
      {
        u: "-1",
        p: "0.01",
        cd: "2024-01-01",
        ct: "00:00:00",
        ud: "2024-12-31",
        ut: "23:59:59.999",
        dd: "1900-02-28",
        pd: "1969-12-31",
      },
      {
        u: "1",
        p: "-0.01",
        cd: "1970-01-01",
        ct: "00:00:00",
        ud: "1969-12-31",
        ut: "23:59:59.999",
        dd: "1970-01-01",
        pd: "2038-01-19",
      },
      {
        u: "7",
        p: "10.10",
        cd: "2024-03-31",
        ct: "01:30:00.01",
        ud: "2024-10-27",
        ut: "01:30:00.1",
        dd: "2024-03-31",
        pd: "2024-10-27",
      },
    ]);
    expect(await p.rejected()).to.deep.equal([]);
    await p.expectTrue();
  });

  it("are the same by the other codec: read again, not one row changes", async () => {
    await p.ingest({ resync: true });
    process.env["PARQUET_CODEC"] = "parquets";
    await p.transform();
    const { loaded } = await p.load();
    delete process.env["PARQUET_CODEC"];
    const changed = Object.entries(loaded![0]!.tables).map(([table, { changed }]) => ({
      table,
      changed,
    }));
    expect(changed).to.have.length(11);
    expect(changed.filter((one) => one.changed > 0)).to.deep.equal([]);
  });

  it("stand in the calendar with the facts of their day", async () => {
    expect(
      await p.star.any(
        `select date_id::text, year, month, day, day_of_week, day_name, month_name, quarter
           from dim_date where date_id in ('0001-01-01', '9999-12-31', '2024-02-29', '1969-12-31') order by 1`,
      ),
    ).to.deep.equal([
      {
        date_id: "0001-01-01",
        year: 1,
        month: 1,
        day: 1,
        day_of_week: 1,
        day_name: "Monday",
        month_name: "January",
        quarter: 1,
      },
      {
        date_id: "1969-12-31",
        year: 1969,
        month: 12,
        day: 31,
        day_of_week: 3,
        day_name: "Wednesday",
        month_name: "December",
        quarter: 4,
      },
      {
        date_id: "2024-02-29",
        year: 2024,
        month: 2,
        day: 29,
        day_of_week: 4,
        day_name: "Thursday",
        month_name: "February",
        quarter: 1,
      },
      {
        date_id: "9999-12-31",
        year: 9999,
        month: 12,
        day: 31,
        day_of_week: 5,
        day_name: "Friday",
        month_name: "December",
        quarter: 4,
      },
    ]);
  });

  it("lie in the ingestion bucket as PostgreSQL writes them, milliseconds trimmed and money as text", async () => {
    const order = (await p.lines(1, "sales_order")).find((row) => row["sales_order_id"] === 3)!;
    expect(order).to.include({
      created_at: "2024-02-29T14:20:52.1",
      last_updated: "2024-02-29T14:20:52.12",
      unit_price: "0.00",
      units_sold: 0,
    });
  });

  /** Each table's columns in its Parquet file, as DuckDB names their types, by hand from TOTESYS.md. */
  const TYPES: Readonly<Record<string, string>> = {
    dim_date:
      "date_id DATE, year INTEGER, month INTEGER, day INTEGER, day_of_week INTEGER, day_name VARCHAR, month_name VARCHAR, quarter INTEGER, _batch BIGINT",
    dim_staff:
      "staff_id INTEGER, first_name VARCHAR, last_name VARCHAR, department_name VARCHAR, location VARCHAR, email_address VARCHAR, _batch BIGINT",
    dim_currency:
      "currency_id INTEGER, currency_code VARCHAR, currency_name VARCHAR, _batch BIGINT",
    dim_design:
      "design_id INTEGER, design_name VARCHAR, file_location VARCHAR, file_name VARCHAR, _batch BIGINT",
    dim_counterparty:
      "counterparty_id INTEGER, counterparty_legal_name VARCHAR, counterparty_legal_address_line_1 VARCHAR, counterparty_legal_address_line_2 VARCHAR, counterparty_legal_district VARCHAR, counterparty_legal_city VARCHAR, counterparty_legal_postal_code VARCHAR, counterparty_legal_country VARCHAR, counterparty_legal_phone_number VARCHAR, _batch BIGINT",
    dim_payment_type: "payment_type_id INTEGER, payment_type_name VARCHAR, _batch BIGINT",
    dim_transaction:
      "transaction_id INTEGER, transaction_type VARCHAR, sales_order_id INTEGER, purchase_order_id INTEGER, _batch BIGINT",
    dim_location:
      "location_id INTEGER, address_line_1 VARCHAR, address_line_2 VARCHAR, district VARCHAR, city VARCHAR, postal_code VARCHAR, country VARCHAR, phone VARCHAR, _batch BIGINT",
    fact_sales_order:
      "sales_order_id INTEGER, created_date DATE, created_time VARCHAR, last_updated_date DATE, last_updated_time VARCHAR, sales_staff_id INTEGER, counterparty_id INTEGER, units_sold INTEGER, unit_price DECIMAL(10,2), currency_id INTEGER, design_id INTEGER, agreed_payment_date DATE, agreed_delivery_date DATE, agreed_delivery_location_id INTEGER, _batch BIGINT",
    fact_purchase_order:
      "purchase_order_id INTEGER, created_date DATE, created_time VARCHAR, last_updated_date DATE, last_updated_time VARCHAR, staff_id INTEGER, counterparty_id INTEGER, item_code VARCHAR, item_quantity INTEGER, item_unit_price DECIMAL(10,2), currency_id INTEGER, agreed_delivery_date DATE, agreed_payment_date DATE, agreed_delivery_location_id INTEGER, _batch BIGINT",
    fact_payment:
      "payment_id INTEGER, created_date DATE, created_time VARCHAR, last_updated_date DATE, last_updated_time VARCHAR, transaction_id INTEGER, counterparty_id INTEGER, payment_amount DECIMAL(10,2), currency_id INTEGER, payment_type_id INTEGER, paid BOOLEAN, payment_date DATE, _batch BIGINT",
  };
  for (const [table, types] of Object.entries(TYPES))
    it(`lie in the processed bucket as DuckDB reads them, types and values: ${table}`, async () => {
      const object = (await p.processed(1)).objects.find((one) => one.table === table)!;
      const file = path.join(folder, `${table}.parquet`);
      await writeFile(file, await p.get("processed", object.key));
      const read = async (sql: string): Promise<Record<string, unknown>[]> =>
        (await duckdb.runAndReadAll(sql)).getRowObjectsJS();
      const described = await read(`describe select * from read_parquet('${file}')`);
      expect(
        described
          .map(({ column_name, column_type }) => `${String(column_name)} ${String(column_type)}`)
          .join(", "),
      ).to.equal(types);

      const columns = types.split(", ").map((column) => column.split(" ")[0]!);
      const stored = columns.filter((column) => column !== "_batch");
      const inFile = await read(
        `select ${columns.map((column) => `${column}::varchar as ${column}`).join(", ")} from read_parquet('${file}') f order by f.${columns[0]}`,
      );
      // Times are HH:MM:SS.ffffff in the file; PostgreSQL prints them shorter.
      const inWarehouse = await p.star.any<Record<string, unknown>>(
        `select ${stored.map((column) => (column.endsWith("_time") ? `to_char(${column}, 'HH24:MI:SS.US') as ${column}` : `${column}::text`)).join(", ")}, '1' as _batch
           from ${table} f order by f.${columns[0]}`,
      );
      expect(inFile.length).to.be.greaterThan(0);
      expect(inFile).to.deep.equal(inWarehouse);
    });
});

/** What a row holds that no star table can show, and what is said of it. */
interface Poison {
  readonly table: "sales_order" | "purchase_order" | "payment";
  readonly set: string;
  readonly heal: string;
  readonly reason: string;
}
const NO_DATE = "is not a date (YYYY-MM-DD)";
const delivery = (value: string): Poison => ({
  table: "sales_order",
  set: `agreed_delivery_date = '${value.replaceAll("'", "''")}'`,
  heal: "agreed_delivery_date = '2024-02-29'",
  reason: `agreed_delivery_date: ${JSON.stringify(value)} ${NO_DATE}`,
});
const created = (value: string, reason: string): Poison => ({
  table: "sales_order",
  set: `created_at = '${value}'`,
  heal: "created_at = '2024-02-29 12:00:00'",
  reason,
});
const POISONS: readonly Poison[] = [
  ...[
    "2024-02-30",
    "2023-02-29",
    "1900-02-29",
    "2024-04-31",
    "2024-13-01",
    "2024-00-10",
    "2024-01-00",
    "",
    " ",
    "30/06/2024",
    "infinity",
    "-infinity",
    "today",
    " 2024-01-01",
    "2024-01-01 ",
    "2024-1-1",
    "20240101",
    "2024-01-01T00:00:00",
    "+2024-01-01",
    "10000-01-01",
    "0000-01-01",
    "0044-03-15 BC",
    "２０２４-01-01",
    "null",
    "'); DROP TABLE dim_date;--",
  ].map(delivery),
  {
    table: "sales_order",
    set: "agreed_payment_date = '2024-06-31'",
    heal: "agreed_payment_date = '2024-06-30'",
    reason: `agreed_payment_date: "2024-06-31" ${NO_DATE}`,
  },
  {
    table: "sales_order",
    set: "unit_price = 'NaN'",
    heal: "unit_price = 1",
    reason: 'unit_price: "NaN" is not a decimal(10,2), as a string of digits',
  },
  created("infinity", `created_date: "infinity" ${NO_DATE}`),
  created("-infinity", `created_date: "-infinity" ${NO_DATE}`),
  created("10000-01-01 00:00:00", `created_date: "10000-01-0" ${NO_DATE}`),
  // Of 45 BC, a leap year: its first ten characters are no day of the year 45.
  created("0045-02-29 10:00:00 BC", `created_date: "0045-02-29" ${NO_DATE}`),
  // Of 44 BC: its first ten characters are a day of the year 44, which no fact refers to.
  created(
    "0044-03-15 00:00:00 BC",
    'created_time: "00:00:00 BC" is not a time of day (HH:MM:SS[.ffffff])',
  ),
  {
    table: "sales_order",
    set: "last_updated = 'infinity'",
    heal: "last_updated = '2024-02-29 12:00:00'",
    reason: `last_updated_date: "infinity" ${NO_DATE}`,
  },
  {
    table: "purchase_order",
    set: "item_unit_price = 'NaN'",
    heal: "item_unit_price = 1",
    reason: 'item_unit_price: "NaN" is not a decimal(10,2), as a string of digits',
  },
  {
    table: "purchase_order",
    set: "agreed_delivery_date = '2024-02-30'",
    heal: "agreed_delivery_date = '2024-02-29'",
    reason: `agreed_delivery_date: "2024-02-30" ${NO_DATE}`,
  },
  {
    table: "payment",
    set: "payment_amount = 'NaN'",
    heal: "payment_amount = 1",
    reason: 'payment_amount: "NaN" is not a decimal(10,2), as a string of digits',
  },
  {
    table: "payment",
    set: "payment_date = 'soon'",
    heal: "payment_date = '2024-02-29'",
    reason: `payment_date: "soon" ${NO_DATE}`,
  },
  {
    table: "payment",
    set: "last_updated = '-infinity'",
    heal: "last_updated = '2024-02-29 12:00:00'",
    reason: `last_updated_date: "-infinity" ${NO_DATE}`,
  },
];

describe("a value that no star table can show", () => {
  let p: TestPipeline;
  /** The poisoned rows, each another one of its table. */
  const poisoned = POISONS.map((poison, i) => ({
    ...poison,
    id: 1 + POISONS.slice(0, i).filter(({ table }) => table === poison.table).length,
  }));
  const apply = (sql: "set" | "heal"): Promise<void> =>
    p.shop.task(async (t) => {
      for (const { table, id, [sql]: assignment } of poisoned)
        await t.none(`update ${table} set ${assignment} where ${table}_id = ${id}`);
    });

  before(async () => {
    p = await openPipeline({ orders: 60 });
    await apply("set");
    await p.run();
  });
  after(closeAll);

  it("quarantines its row alone, and the rest of its batch goes on", async () => {
    for (const table of ["sales_order", "purchase_order", "payment"] as const) {
      const bad = poisoned.filter((one) => one.table === table).map(({ id }) => id);
      const keys = async (db: typeof p.shop, from: string): Promise<number[]> =>
        (await db.any<{ id: number }>(`select ${table}_id as id from ${from} order by 1`)).map(
          ({ id }) => id,
        );
      const all = await keys(p.shop, table);
      expect(all.length).to.be.greaterThan(bad.length);
      expect(await keys(p.star, `fact_${table}`)).to.deep.equal(
        all.filter((id) => !bad.includes(id)),
      );
    }
    await p.expectTrue({ allowQuarantined: true, allowExtraDates: true });
    expect(await p.star.any("select from dim_date where date_id = '0044-03-15'")).to.deep.equal([]);
  });

  it("is told with its table, key, column and reason, and the row as the source gave it", async () => {
    const rejected = await p.rejected();
    const inOrder = (rows: { table: string; key: unknown; reason: string }[]): unknown[] =>
      rows
        .map(({ table, key, reason }) => `${table} ${String(key)}: ${reason}`)
        .sort((a, b) => (a < b ? -1 : 1));
    expect(inOrder(rejected)).to.deep.equal(
      inOrder(
        poisoned.map(({ table, id, reason }) => ({ table: `fact_${table}`, key: id, reason })),
      ),
    );
    for (const { table, key, row } of rejected) {
      const source = table.replace("fact_", "");
      const lines = await p.lines(1, source);
      expect(row).to.deep.equal(lines.find((line) => line[`${source}_id`] === key));
    }
  });

  it("is counted in the manifest, whose objects lie under _rejected/", async () => {
    const { rejected, rejected_rows } = await p.processed(1);
    expect(rejected_rows).to.equal(POISONS.length);
    expect(rejected.map(({ table, rows }) => ({ table, rows }))).to.have.deep.members(
      ["sales_order", "purchase_order", "payment"].map((table) => ({
        table: `fact_${table}`,
        rows: POISONS.filter((poison) => poison.table === table).length,
      })),
    );
    for (const { table, key } of rejected)
      expect(key).to.match(
        new RegExp(`^_rejected/${table}/\\d{4}/\\d\\d/\\d\\d/0000000001-\\w+\\.json\\.gz$`),
      );
  });

  it("arrives once it is healed", async () => {
    await apply("heal");
    await p.run();
    expect((await p.processed(2)).rejected_rows).to.equal(0);
    await p.expectTrue({ allowExtraDates: true });
  });

  it("leaves the version before it, where it was good once, until it is healed", async () => {
    const version = async (): Promise<object[]> =>
      p.star.any(
        "select units_sold, agreed_delivery_date::text from fact_sales_order where sales_order_id = 50 order by sales_record_id",
      );
    await p.shop.none(
      "update sales_order set units_sold = 11, agreed_delivery_date = '2030-01-01' where sales_order_id = 50",
    );
    await p.run();
    const before = await version();
    await p.shop.none(
      "update sales_order set units_sold = 12, agreed_delivery_date = 'never' where sales_order_id = 50",
    );
    await p.run();
    expect(await version()).to.deep.equal(before);
    await p.shop.none(
      "update sales_order set agreed_delivery_date = '2030-01-02' where sales_order_id = 50",
    );
    await p.run();
    expect(await version()).to.deep.equal([
      ...before,
      { units_sold: 12, agreed_delivery_date: "2030-01-02" },
    ]);
    await p.expectTrue({ allowExtraDates: true });
  });

  it("in a column that no star table shows harms nothing", async () => {
    await p.shop.none(
      `update department set manager = e'\\x01', created_at = 'infinity' where department_id = 1;
       update counterparty set commercial_contact = '\\N', last_updated = '0044-03-15 BC' where counterparty_id = 1;
       update design set created_at = '-infinity' where design_id = 1;
       update payment set company_ac_number = -2147483648, counterparty_ac_number = 2147483647 where payment_id = 20`,
    );
    const { batch } = await p.ingest();
    await p.run();
    expect((await p.processed(batch)).rejected_rows).to.equal(0);
    await p.expectTrue({ allowExtraDates: true });
  });

  it("is told from a good one, whatever text stands for a date", async () => {
    const digits = fc.integer({ min: 0, max: 99 }).map((n) => String(n).padStart(2, "0"));
    const nearly = fc.oneof(
      fc
        .tuple(fc.constantFrom("20", "19", "01", "99"), digits, digits, digits)
        .map(([a, b, c, d]) => `${a}${b}-${c}-${d}`),
      fc
        .tuple(
          fc.constantFrom("2024", "1900", "0001"),
          fc.integer({ min: 1, max: 12 }),
          fc.integer({ min: 27, max: 32 }),
        )
        .map(([y, m, d]) => `${y}-${String(m).padStart(2, "0")}-${d}`),
      fc
        .date({ min: new Date("0001-01-01"), max: new Date("9999-12-31"), noInvalidDate: true })
        .map((d) => d.toISOString().slice(0, 10)),
      fc.stringMatching(/^[ 0-9+-]{8,11}$/),
      fc.string().map((value) => value.replaceAll("\0", "")),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(nearly, { minLength: 60, maxLength: 60 }), async (dates) => {
        await p.shop.none(
          `update sales_order set agreed_payment_date = d.day
             from unnest($1::text[]) with ordinality as d(day, id) where sales_order_id = d.id`,
          [dates],
        );
        await p.run();
        const star = await starOf(p.shop);
        // The other half of this comparison is realDay in star-shape.ts: SQL, and nothing of src/.
        expect(
          problems(
            compare(star, await latestOf(p.star), {
              allowQuarantined: true,
              allowExtraDates: true,
            }),
          ),
        ).to.deep.equal([]);
        const bad = star.get("fact_sales_order")!.quarantined.map(([id]) => Number(id));
        const newest = (await p.keys("processed", "_batches/")).length;
        const rejected = (await p.rejected()).filter(({ table }) => table === "fact_sales_order");
        expect((await p.processed(newest)).rejected_rows).to.equal(bad.length);
        expect(lastOf(rejected, bad.length)).to.have.members(bad);
      }),
      { numRuns: 2, seed: 20261126, endOnFailure: true },
    );
  });
  const lastOf = (rejected: readonly Rejected[], count: number): number[] =>
    rejected.slice(rejected.length - count).map(({ key }) => Number(key));
});
