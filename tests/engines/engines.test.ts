// The views over the lake's files, in ClickHouse and in Spark: what the warehouse has, now and after some batches, and where
// batches were compacted. Not in `make run-checks`: `npm run test:engines` installs the engines, which takes 700 MB.
import { spawn, spawnSync } from "node:child_process";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { text as textOf } from "node:stream/consumers";
import { getPython, PythonError } from "../../scripts/python.ts";
import { DIALECTS, lakeStatements, type DialectName } from "../../src/lake-sql/lake-sql.ts";
import type { Scope } from "../../src/lake-sql/dialect.ts";
import { codecNamed } from "../../src/parquet/codec.ts";
import { readReceipts } from "../../src/rebuild/receipts.ts";
import { getTables } from "../../src/registry.ts";
import type { Table } from "../../src/table.ts";
import { compactWith } from "../compaction/support.ts";
import {
  contentSql,
  copyOf,
  differences,
  isVersioned,
  rebuiltContent,
  warehouseContent,
  type Content,
  type Writer,
} from "../lake/content.ts";
import { makeLakeHistory, type LakeHistory } from "../lake/history.ts";
import { expect } from "../support/chai.ts";
import { closeAll } from "../support/pipeline.ts";

const REQUIREMENTS = path.join(import.meta.dirname, "requirements.txt");

/** How each writes values as text. */
const WRITERS = {
  clickhouse: ({ type, scale }, value) =>
    type === "decimal" ? `toDecimalString(${value}, ${scale})` : `toString(${value})`,
  spark: ({ type }, value) =>
    type === "timestamp" || type === "timestamptz"
      ? `date_format(${value}, 'yyyy-MM-dd HH:mm:ss.SSSSSS')`
      : `cast(${value} as string)`,
} as const satisfies Readonly<Partial<Record<DialectName, Writer["text"]>>>;

interface Case {
  readonly statements: readonly string[];
  readonly queries: Readonly<Record<string, string>>;
}

function caseOf(engine: keyof typeof WRITERS, tables: readonly Table[], scope: Scope): Case {
  const writer: Writer = {
    name: DIALECTS[engine].name,
    text: (column, value) => `coalesce(${WRITERS[engine](column, value)}, '~')`,
  };
  const queries: Record<string, string> = {
    problems: "select problem, batch, object_key from etl_problem",
  };
  for (const table of tables) {
    queries[table.name] = contentSql(table, writer, writer.name(table.name));
    if (!isVersioned(table)) continue;
    const latest = `${table.name}_latest`;
    queries[latest] = contentSql(table, writer, writer.name(latest), { isLatest: true });
  }
  return { statements: lakeStatements(engine, tables, scope), queries };
}

/** What a script here makes of JSON. */
async function run(script: string, python: string, input: unknown): Promise<unknown> {
  const file = path.join(import.meta.dirname, script);
  const child = spawn(python, [file], { stdio: ["pipe", "pipe", "pipe"] });
  const [out, err] = [textOf(child.stdout), textOf(child.stderr)];
  child.stdin.end(JSON.stringify(input));
  const code = await new Promise((resolve) => child.on("close", resolve));
  if (code !== 0) throw new Error(`${script} failed:\n${(await err).slice(-5000)}`);
  return JSON.parse(await out);
}

/** What an engine answers, case by case. */
async function ask(
  engine: keyof typeof WRITERS,
  python: string,
  cases: readonly Case[],
): Promise<{ content: Content; problems: unknown[] }[]> {
  const answers = (await run(`run_${engine}.py`, python, cases)) as Record<string, unknown[][]>[];
  return answers.map(({ problems = [], ...rows }) => ({
    problems,
    content: Object.fromEntries(
      Object.entries(rows).map(([name, lines]) => [
        name,
        lines.map(([line]) => String(line)).sort(),
      ]),
    ),
  }));
}

/** Python with the engines, installed where it is not; undefined where it cannot be, and then why is said. */
function pythonFor(engine: DialectName): string | undefined {
  try {
    if (engine === "spark" && spawnSync("java", ["-version"]).status !== 0)
      throw new PythonError("Spark needs Java 8, 11 or 17, and there is no `java` here");
    return getPython("engines", REQUIREMENTS)("python");
  } catch (error) {
    if (!(error instanceof PythonError)) throw error;
    console.log(`    skipped: ${error.message}`);
    return undefined;
  }
}

describe("the views over the lake, in", () => {
  let history: LakeHistory;
  let scope: Scope;
  let compacted: string;
  /** A manifest of it is gone. */
  let gapped: string;
  /** As of which batch, and in which lake. */
  let cases: readonly { readonly asOf: number | undefined; readonly lake: string }[];
  let expected: Content[];
  before(async () => {
    history = await makeLakeHistory();
    const { p, tables, skipped, newest } = history;
    const bucket = p.env.PROCESSED_BUCKET;
    const folder = await mkdtemp(path.join(tmpdir(), "lake-"));
    await copyOf(p, folder);
    scope = { lake: folder };
    compacted = await mkdtemp(path.join(tmpdir(), "compacted-"));
    await compactWith(p, { to: 8 });
    await copyOf(p, compacted);
    for (let batch = 1; batch <= 8; batch++) {
      const { objects, deleted } = await p.processed(batch);
      for (const { key } of [...objects, ...deleted]) await rm(path.join(compacted, key));
    }
    gapped = await mkdtemp(path.join(tmpdir(), "gapped-"));
    await cp(folder, gapped, { recursive: true });
    await rm(path.join(gapped, "_batches", `00000000${newest - 1}.json`));
    // A rebuild goes on from one batch to the next.
    cases = [
      { asOf: skipped, lake: folder },
      { asOf: newest - 3, lake: compacted },
      { asOf: undefined, lake: gapped },
      { asOf: undefined, lake: compacted },
      { asOf: undefined, lake: folder },
    ];
    const receipts = await readReceipts(bucket);
    const lake = { bucket, tables, codec: await codecNamed(), receipts };
    expected = [];
    for (const { asOf, lake: where } of cases)
      expected.push(
        where === gapped
          ? await rebuiltContent(p, lake, newest - 2)
          : asOf === undefined
            ? await warehouseContent(p, tables, "public", "etl")
            : await rebuiltContent(p, lake, asOf),
      );
  });
  after(async () => {
    for (const folder of [scope.lake, compacted, gapped]) await rm(folder, { recursive: true });
    await closeAll();
  });

  for (const engine of Object.keys(WRITERS) as (keyof typeof WRITERS)[])
    it(`${engine}, have what the warehouse has, as of any batch, and where batches were compacted`, async function () {
      const python = pythonFor(engine);
      if (python === undefined) return this.skip();
      const { tables } = history;
      const answers = await ask(
        engine,
        python,
        cases.map((one) => caseOf(engine, tables, { ...scope, ...one })),
      );
      expect(answers).to.have.length(cases.length);
      for (const [at, { content, problems }] of answers.entries()) {
        const which = JSON.stringify(cases[at]);
        expect(differences(expected[at]!, content).join("\n"), which).to.equal("");
        const missing = ["its manifest is missing", history.newest - 1, ""];
        expect(problems, which).to.deep.equal(cases[at]!.lake === gapped ? [missing] : []);
      }
    });

  it("athena, are statements that a parser of its SQL understands", async function () {
    const python = pythonFor("athena");
    if (python === undefined) return this.skip();
    for (const asOf of [undefined, 7])
      expect(
        await run(
          "parse_athena.py",
          python,
          lakeStatements("athena", await getTables(), { ...scope, lake: "s3://lake", asOf }),
        ),
      ).to.deep.equal([]);
  });
});
