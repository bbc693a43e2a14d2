import { budgetsOf, megabytes, MEANING } from "./budgets.ts";
import type { Measured } from "./figures.ts";
import { scenarioRows, stageRows, type Rows } from "./tables.ts";

/**
 * The report, in Markdown: what was measured and how, and the figures. All of it is written here, so that another run
 * changes figures alone.
 * @param chart the chart's file, as seen from the report; undefined where there is nothing to draw
 */
export function report(measured: Measured, chart: string | undefined): string {
  const { machine, date, commit, rows } = measured;
  const budgets = budgetsOf(measured);
  const missed = budgets.filter(({ isKept }) => !isKept).length;
  return `# Performance

\`make bench\` measures the whole pipeline against the fastest thing that PostgreSQL itself has, on one machine, in one run, and
writes this page. Machines differ, so times are held against each other; absolute figures say what this machine did.

Measured on ${date}, commit \`${commit}\`: ${rows.toLocaleString("en-GB")} sales orders; ${machine.cores} cores (${machine.cpu}), ${megabytes(machine.memoryBytes)} of
memory, ${machine.platform}, Node ${machine.node}, PostgreSQL ${machine.postgres}. When it began, ${machine.load.toFixed(1)} other processes on average wanted a
core${machine.load > machine.cores / 4 ? ": the machine was **not quiet**, and ratios spread" : ""}.

## Budget against measured

${missed === 0 ? "All budgets are kept." : `${missed} of ${budgets.length} budgets ${missed === 1 ? "is" : "are"} not kept.`}

${table({
  head: ["", "budget", "measured", ""],
  rows: budgets.map(({ what, budget, measured: found, isKept }) => [
    what,
    budget,
    isKept ? found : `**${found}**`,
    isKept ? "kept" : "**missed**",
  ]),
})}

What each function's bundle weighs, and of what, is in [bundles.md](bundles.md).
${chart === undefined ? "" : `\n![How long each scenario takes, as a multiple of the pipe](${chart})\n`}
## Each scenario

${table(scenarioRows(measured))}

Medians of the rounds; a ratio is taken in each round, then their median. What each one is:

- **backfill**: an empty warehouse, empty buckets, and processes that are started for it: until the last order is in the
  warehouse, with valid foreign keys.
- **all read again, unchanged**: \`{"resync": true}\` right after it, in new processes. Nothing differs, so nothing is written to the
  facts.
- **backfill, warm processes**: those of a tiny shop's first load do a bigger one.
- **idle run**: all three functions, warm, where nothing has changed. That no object is written is asserted.
- **one changed row**: from the shop's commit to the warehouse's, by PostgreSQL's own commit timestamps, warm.
- **1 % silent updates**: of orders spread evenly, without a new \`last_updated\`; new processes. The pipe moves all orders.
- **a lookup change**: a table module that shows each order's design is dropped in and filled; then every design changes, and with it
  every row of that table; new processes.

After each, the warehouse is held against the shop by SQL of the bench's own: counts and hashes of the latest versions of each table,
no two versions in a row that are the same, every foreign key valid and every row with its match. A warehouse that is wrong
fails the bench.

## Where the time goes

Rows and bytes a second are of the time in which the function ran. *of all* is the share of all CPU seconds in this table.

${measured.scenarios
  .filter(({ name }) => name !== "idle" && name !== "one-row")
  .map((scenario) => `### ${capital(MEANING[scenario.name])}\n\n${table(stageRows(scenario))}`)
  .join("\n\n")}

## What keeps it from being faster

On two cores a backfill is bound by processor time: the stages run side by side, and the cores are busy nine tenths of it. So
what counts is the sum of the CPU seconds above. Profiled (\`--cpu-prof\`, \`perf\`, \`EXPLAIN (ANALYZE, BUFFERS)\`) with two million
orders, of some 33 CPU s:

- **PostgreSQL, 11 s.** 5.5 to 6 s are the binary \`COPY\` into the fact with its two indexes: what the pipe waits for as well, and no
  way of loading rows has less. 5 s write two million lines of JSON (\`concat\` and \`to_json\`) and send them: 310 bytes a row,
  where the pipe's binary rows have 135.
- **Transformation, 10 s.** A fifth is \`JSON.parse\`; an eighth each is unpacking, and collecting garbage; the rest is formatting,
  checking and storing two million orders in fourteen columns, and looking up their days.
- **Ingestion, 5.5 s.** Half is gzip at its fastest level, in threads of its own; the rest moves 620 MB from a socket to them.
- **Loading, 3.7 s**, and S3's stand-in, 2 s, which no one pays for on AWS.

100,000 orders that changed are one batch, so that analysts see all of them at once: it passes three stages in turn, on one core at a
time but for PostgreSQL's, where the pipe has two. Smaller batches would overlap (\`BATCH_ROWS\`), and arrive one after the other.

The floor of this design on two cores is about twice the pipe: the pipe itself keeps one and a half cores busy, and a lake of the
source's rows that people can read costs JSON out, gzip, JSON in and Parquet on top. What would beat it, and why it is not so:

- Lines of JSON arrays under a header line: a sixth less in all. Objects can be read as they are by \`jq\`, Athena and DuckDB.
- zstd for gzip: two to three times as fast, in Node 24 alone, and not everything reads it.
- V8 told to collect garbage less often: a tenth of transformation. To change its settings while it runs may end anywhere.
- The star made by the source's own SQL, binary all the way: the pipe, in short. There would be no lake of source rows to make a new
  table from, and the shop's database would do the work of the transformation.
- More cores: the stages run in different functions on AWS, each with its own.

The same with twenty million orders, where each stage takes as much memory as with two, and the beginning and the end weigh less:
[performance-20-million.md](performance-20-million.md).

## How it is measured

- **The shop**: the real schema and reference data, and sales orders made on the server: three years of them, three to a
  millisecond, one in twenty amended, the same each time.
- **The pipe**: \`COPY (the star-shaped select) TO STDOUT (FORMAT binary)\` into \`COPY … FROM STDIN (FORMAT binary)\`, into a
  table with the fact's columns, its serial primary key and an index on the order's id, and without foreign keys. A process of
  its own hands the bytes from one socket to the other; it is as fast as \`psql | psql\`. It computes no star: no lake, no
  lookups, no days, no versions, no keys.
- **The pipeline**: the three functions as they are deployed, bundled as \`serverless.yml\` bundles them, each in processes of node
  alone with the memory that the stage gives them; two of transformation at most, as its queue allows. S3's events come by the
  queues of [localstack/](../localstack/stack.ts).
- Both go from one database to another of one PostgreSQL (\`shared_buffers\` 512 MB, \`max_wal_size\` 4 GB, \`fsync\` off), in turn, each
  into an emptied warehouse after a \`CHECKPOINT\`. All share this machine's cores, and so does what stands in for S3.
- Peak memory is the kernel's figure for the process itself (\`VmHWM\`), at the end: on Linux \`maxRSS\` of a child begins with what its
  parent had. CPU time of PostgreSQL is that of its processes, on Linux alone.

Again: \`make bench\`; \`make bench ARGS="--rows 2000000 --rounds 1"\`; \`npm run bench -- --help\`.
`;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** A Markdown table; the first column to the left, the others to the right. */
export function table({ head, rows }: Rows): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = head.map((_, column) => (column === 0 ? "---" : "--:"));
  return [head, rule, ...rows].map(line).join("\n");
}
