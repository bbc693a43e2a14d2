// What the functions print: one JSON object a line, with the request's id; metrics as CloudWatch takes them.
import type { Context } from "aws-lambda";
import { STAGES, type FunctionName } from "../../scripts/bundle.ts";
import { expect } from "../support/chai.ts";
import { Deployed } from "../support/deployed.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";

interface Line {
  readonly level?: string;
  readonly message?: string;
  readonly function_request_id?: string;
  readonly _aws?: {
    readonly CloudWatchMetrics: {
      readonly Namespace: string;
      readonly Metrics: { Name: string; Unit: string }[];
    }[];
  };
  readonly [key: string]: unknown;
}

describe("logs and metrics", () => {
  let p: TestPipeline;
  let deployed: Deployed;
  before(async () => {
    deployed = await Deployed.make(...STAGES, "reconciliation");
    p = await openPipeline({ orders: 15 });
    await p.shop.none(
      "update sales_order set agreed_payment_date = 'soon' where sales_order_id = 1",
    );
  });
  after(async () => {
    await closeAll();
    await deployed.remove();
  });

  async function printed(name: FunctionName, event: unknown = {}, env = {}): Promise<Line[]> {
    const lines: Line[] = [];
    const onLog = (line: string, stream: string): void => {
      // Errors go to stderr, where Node itself may print its warnings.
      if (stream === "stdout" || line.startsWith("{")) lines.push(JSON.parse(line) as Line);
    };
    const child = deployed.start(name, { env: { ...p.env, ...env }, onLog });
    try {
      await child.invoke(event);
    } catch (error) {
      lines.push({ thrown: (error as Error).message });
    } finally {
      await child.stop();
    }
    return lines;
  }
  const metricsOf = (lines: readonly Line[]): Record<string, unknown> =>
    Object.assign({}, ...lines.filter((line) => line._aws)) as Record<string, unknown>;

  it("of an ingestion say what was read", async () => {
    const lines = await printed("ingestion");
    const [read, log, ...others] = lines.filter((line) => line.level === "INFO");
    expect(others).to.deep.equal([]);
    expect(read).to.deep.include({ message: "ingestion: read", batch: 1, kind: "backfill" });
    expect(read!["rows"]).to.deep.include({ sales_order: 15, staff: 20 });
    expect(read!["drivingRows"]).to.deep.include({ sales_order: 15, staff: 20 });
    expect(read!["seconds"]).to.be.greaterThan(0);
    expect(log).to.deep.include({
      message: "ingestion: committed",
      newest: 1,
      service: "ingestion",
    });
    expect(read!.function_request_id).to.equal(log!.function_request_id);
    expect(log!.function_request_id).to.be.a("string");
    const [emf] = lines.filter((line) => line._aws);
    expect(emf!._aws!.CloudWatchMetrics[0]!.Namespace).to.equal("TotesWarehouse");
    expect(metricsOf(lines)).to.include({ Batch: 1, FenceAge: 0, service: "ingestion" });
    expect(metricsOf(lines)["RowsIngested"]).to.be.greaterThan(100);
    expect(metricsOf(lines)["Seconds"]).to.be.greaterThan(0);
  });

  it("of a transformation count the quarantined rows", async () => {
    expect(metricsOf(await printed("transformation"))).to.include({ RowsRejected: 1, Batch: 1 });
  });

  it("of a loading beat, whether there was something to load or not", async () => {
    const first = metricsOf(await printed("loading"));
    expect(first).to.include({ Heartbeat: 1, Batch: 1, InferredMembers: 0, Quarantined: 1 });
    expect(first["QuarantineAge"]).to.be.greaterThan(0);
    expect(first["RowsChanged"]).to.equal(first["RowsLoaded"]);
    expect(first["Lag"]).to.be.greaterThan(0);
    expect(metricsOf(await printed("loading"))).to.include({ Heartbeat: 1, Quarantined: 1 });
  });

  it("of a failure are there too, without a heartbeat and without the password", async () => {
    const lines = await printed("loading", {}, { WAREHOUSE_SECRET: "no/such/secret" });
    expect(lines.at(-1)!["thrown"]).to.match(
      /cannot read secret no\/such\/secret: ResourceNotFoundException/,
    );
    expect(metricsOf(lines)).to.include.keys("Seconds").and.not.include.keys("Heartbeat");
    // One line that the metric filter counts: Lambda's own is no JSON.
    expect(
      lines.filter(({ level }) => level === "ERROR").map(({ message }) => message),
    ).to.deep.equal([lines.at(-1)!["thrown"]]);
    expect(JSON.stringify(lines)).to.not.contain(p.warehouse.password);
  });

  it("stop at the deadline after a batch, and the next invocation goes on", async () => {
    for (const name of ["a", "b"]) {
      await p.shop.none("update staff set first_name = $1 where staff_id = 1", [name]);
      await p.ingest();
    }
    const short = {
      getRemainingTimeInMillis: () => 29_000,
      awsRequestId: "r",
    } as unknown as Context;
    const { handler } = await import("../../src/handlers/transformation.ts");
    Object.assign(process.env, p.env);
    expect((await handler({}, short)).batches.map(({ batch }) => batch)).to.deep.equal([2]);
    expect((await p.transform()).batches.map(({ batch }) => batch)).to.deep.equal([3]);
    const loading = await import("../../src/handlers/loading.ts");
    Object.assign(process.env, p.env);
    expect((await loading.handler({}, short)).loaded!.map(({ batch }) => batch)).to.deep.equal([2]);
    expect((await p.load()).loaded!.map(({ batch }) => batch)).to.deep.equal([3]);
  });

  it("of a reconciliation say what differs, and how much was compared", async () => {
    await p.run();
    const lines = await printed("reconciliation");
    const { Differences, RowsReconciled, Reconciled } = metricsOf(lines);
    expect({ Differences, Reconciled }).to.deep.equal({ Differences: 0, Reconciled: 1 });
    expect(RowsReconciled).to.be.greaterThan(15);
    await p.star.none("update dim_currency set currency_name = 'Groat' where currency_id = 1");
    const [difference, ...rest] = (await printed("reconciliation")).filter(({ message }) =>
      message?.includes("difference"),
    );
    expect(rest).to.deep.equal([]);
    expect(difference).to.deep.include({
      level: "INFO",
      table: "dim_currency",
      kind: "different",
      key: { currency_id: "1" },
      columns: [{ column: "currency_name", expected: "Pound Sterling", found: "Groat" }],
    });
    const again = await printed("reconciliation");
    expect(metricsOf(again)["Differences"]).to.equal(1);
    expect(
      again.filter(({ level }) => level === "WARN").map(({ message }) => message),
    ).to.deep.equal(["reconciliation: rows of the warehouse that differ: 1"]);
  });

  it("of an error say which batch it is of, and which table", async () => {
    await p.shop.none("update staff set first_name = 'Ann' where staff_id = 2");
    const { batch } = await p.ingest();
    const errors = (lines: readonly Line[]): unknown[] =>
      lines
        .filter(({ level }) => level === "ERROR")
        .map(({ batch, table, error }) => [batch, table, (error as { name: string }).name]);
    const damaged = async (
      bucket: "ingestion" | "processed",
      {
        objects,
      }: { readonly objects: readonly { readonly table: string; readonly key: string }[] },
      of: string,
      work: () => Promise<unknown>,
    ): Promise<unknown> => {
      const { key } = objects.find(({ table }) => table === of)!;
      const whole = await p.get(bucket, key);
      await p.put(bucket, key, "not what was committed");
      const said = await work();
      await p.put(bucket, key, whole);
      return said;
    };
    const read = await damaged("ingestion", await p.ingested(batch), "staff", async () =>
      errors(await printed("transformation")),
    );
    expect(read).to.deep.equal([[batch, "staff", "ObjectError"]]);
    await p.transform();
    const loaded = await damaged("processed", await p.processed(batch), "dim_staff", async () =>
      errors(await printed("loading")),
    );
    expect(loaded).to.deep.equal([[batch, "dim_staff", "ObjectError"]]);
    await p.star.none(
      "alter table dim_staff add constraint no_ann check (first_name <> 'Ann') not valid",
    );
    expect(errors(await printed("loading"))).to.deep.equal([
      [batch, "dim_staff", "WarehouseError"],
    ]);
    await p.star.none("alter table dim_staff drop constraint no_ann");
    await p.run();
  });
});
