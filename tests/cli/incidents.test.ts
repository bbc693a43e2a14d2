// What docs/runbook.md promises, made to happen on a stack of its own, one after the other: each thing is broken for real, the
// verbs say what the runbook says that they say, its steps are typed, and `totes status` is healthy again. What they print is
// pasted into the documentation: `npm run transcripts`.
import path from "node:path";
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  ListObjectVersionsCommand,
} from "@aws-sdk/client-s3";
import { manifestKey } from "../../src/lake/keys.ts";
import { eventually } from "../localstack/support.ts";
import { expect } from "../support/chai.ts";
import { BUCKETS, OwnStack } from "../support/own-stack.ts";
import type { Ran } from "../support/totes.ts";
import { Transcripts, type Excerpt } from "../support/transcripts.ts";

/** What `totes status` says first. */
const VERDICT: Excerpt = { upTo: /^(Tables|What was looked at)$/ };

const flat = ({ out, err }: Ran): string => `${out}${err}`.replace(/\s+/g, " ");

describe("the runbook", function () {
  // One story: what was not put right is in the way of all that comes after.
  this.bail(true);
  let stack: OwnStack;
  let transcripts: Transcripts;

  /** Types a line, and gives what was said as one line. */
  async function type(code: number, ...args: readonly string[]): Promise<string> {
    const ran = await stack.totes(...args);
    expect(ran.code, `totes ${args.join(" ")}: ${ran.out}${ran.err}`).to.equal(code);
    return flat(ran);
  }
  /** The same, pasted into the documentation. */
  async function shown(
    name: string,
    code: number,
    args: readonly string[],
    excerpt?: Excerpt,
  ): Promise<string> {
    const ran = await stack.totes(...args);
    expect(ran.code, `totes ${args.join(" ")}: ${ran.out}${ran.err}`).to.equal(code);
    transcripts.record(name, args, ran, excerpt);
    return flat(ran);
  }
  const healthy = (): Promise<void> =>
    eventually(
      async () => void expect(await type(0, "status")).to.include("Healthy. All that was read"),
      100,
    );
  const shop = (sql: string) => stack.query("source", sql);
  const star = (sql: string) => stack.query("warehouse", sql);
  const newest = async (): Promise<number> => {
    const { out } = await stack.totes("batches", "--limit", "1", "--json");
    return (JSON.parse(out) as { batches: { batch: number }[] }).batches[0]!.batch;
  };
  /** Until a stage has given up a message, and `totes status` has seen that it is the next batch's. */
  const givenUp = (of: string): Promise<void> =>
    eventually(async () => {
      const { out } = await stack.totes("status", "--json");
      const { checks, verdict } = JSON.parse(out) as {
        checks: { id: string; text: string }[];
        verdict: { status: string };
      };
      const queues = checks.find(({ id }) => id === "queues")!;
      expect(verdict.status).to.equal("bad");
      expect(queues.text).to.match(new RegExp(`Given up after five deliveries:.* of ${of}`));
    }, 100);
  /** Changes a row of the shop. */
  const change = (): Promise<unknown> =>
    shop("update staff set first_name = first_name || 'x' where staff_id = 1");
  /** The key of an object of a batch. */
  const keyOf = async (batch: number, table: string): Promise<string> => {
    const { out } = await stack.totes("batch", String(batch), "--json");
    const { objects } = JSON.parse(out) as { objects: { key: string }[] };
    return objects.map(({ key }) => key).find((key) => key.startsWith(`${table}/`))!;
  };
  /** What the runbook has somebody type: a copy of the first version over what there is now. */
  async function restore(bucket: keyof typeof BUCKETS, key: string): Promise<void> {
    const Bucket = BUCKETS[bucket];
    const { s3 } = stack.aws;
    const { Versions = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket, Prefix: key }));
    const first = Versions.at(-1)!.VersionId;
    const CopySource = `${Bucket}/${key}?versionId=${first}`;
    await s3.send(new CopyObjectCommand({ Bucket, Key: key, CopySource }));
  }
  /** Reads a change of the shop while a function sleeps, so that what is made for it can be damaged. */
  async function readWhileSleeps(of: "transformation" | "loading"): Promise<number> {
    stack.signal(of, "SIGSTOP");
    await change();
    await type(0, "backfill", "dim_currency");
    const batch = await newest();
    if (of === "loading") await eventually(() => stack.read("processed", manifestKey(batch)), 50);
    return batch;
  }

  before(async () => {
    stack = await OwnStack.make({
      "tables/sources.ts": [
        ["  defineSource,\n", "  defineSource,\n  detect,\n"],
        [
          'counterparty_ac_number: described("Number of the counterparty\'s account.", integer),\n  ...stamps,\n});',
          'counterparty_ac_number: described("Number of the counterparty\'s account.", integer),\n  ...stamps,\n}, { deletes: detect });',
        ],
      ],
      "tables/fact_payment.ts": [
        ["  source: payment,\n", '  source: payment,\n  deleted: "remove",\n'],
      ],
    });
    const up = await stack.totes("up", "--orders", "40", "--every", "off", "--port", "0");
    expect(up.err).to.equal("");
    const { endpoint, source } = stack.state;
    transcripts = new Transcripts([
      [`${path.relative(process.cwd(), stack.folder)}${path.sep}`, ""],
      [endpoint, "http://127.0.0.1:4566"],
      [source.password, "…"],
      [`:${source.port}`, ":5432"],
      [`-p ${source.port}`, "-p 5432"],
    ]);
    transcripts.record("up", ["up", "--orders", "40", "--every", "off"], up);
  });
  after(() => stack?.remove());

  it("begins with a pipeline that is well", async () => {
    // They have started once somebody who reads what `up` says types the next line.
    await Promise.all([stack.invoke("transformation", {}), stack.invoke("loading", {})]);
    expect(await shown("run", 0, ["run"])).to.match(/batch 1: \d+ rows of 11 tables read/);
    await healthy();
    await shown("status", 0, ["status"]);
    expect(await shown("doctor", 0, ["doctor"])).to.include("active, of one build");
    await change();
    await type(0, "run");
    await healthy();
    await shown("batches", 0, ["batches"]);
    await shown("batch", 0, ["batch", "2"]);
    await shown("logs", 0, ["logs", "--batch", "2"]);
    await shown("reconcile", 0, ["reconcile"]);
    await shown("rebuild", 0, ["rebuild", "--verify"]);
    const question =
      "select paid, count(*) as payments from fact_payment group by paid order by paid";
    await shown("lake", 0, ["lake", "query", question]);
    await shown("catalog", 0, ["catalog", "dim_staff"]);
    await shown("sources", 0, ["sources", "check"]);
    await shown("replay", 0, ["replay", "2"]);
    await shown("backfill", 0, ["backfill", "dim_currency"]);
    await healthy();
  });

  it("ConnectionError: a secret with a wrong password", async () => {
    const right = await stack.secret("warehouse");
    await stack.putSecret("warehouse", { ...right, password: "wrong" });
    await change();
    expect(await type(1, "run")).to.match(
      /The loading function failed: ConnectionError: .*password authentication failed/,
    );
    await givenUp("loading");
    expect(await shown("wrong-secret-status", 1, ["status"], VERDICT)).to.match(
      /^ The warehouse cannot be reached\. 1 batch may wait for it\. Nothing is lost/,
    );
    expect(
      await shown("wrong-secret-doctor", 1, ["doctor"], { only: /^(?! {2}(✓|loading 512))/ }),
    ).to.match(
      /✗ Warehouse: cannot connect to PostgreSQL warehouse .*password authentication failed/,
    );
    expect(await type(0, "logs", "--errors", "--since", "5m")).to.match(
      /loading ERROR cannot connect .*error="ConnectionError" request=/,
    );
    await stack.putSecret("warehouse", right);
    await type(0, "run");
    expect(await type(0, "status")).to.match(/but dead letters of loading keep an alarm on/);
    expect(await shown("redrive", 0, ["redrive", "--queue", "loading", "--yes"])).to.include(
      "1 message moved back to loading.",
    );
    await healthy();
  });

  it("SecretError: a secret that lacks a field", async () => {
    const right = await stack.secret("source");
    await stack.putSecret("source", { user: "x" });
    expect(await type(1, "run")).to.match(/SecretError: secret totes\/local\/source has no usable/);
    expect(await type(1, "status")).to.match(/^ The source cannot be reached/);
    expect(await type(1, "doctor")).to.match(/✗ Source's secret: secret totes\/local\/source has/);
    await stack.putSecret("source", right);
    await type(0, "run");
    await healthy();
  });

  it("ObjectError: a damaged object of the ingestion bucket", async () => {
    const batch = await readWhileSleeps("transformation");
    const key = await keyOf(batch, "staff");
    await stack.write("ingestion", key, "damaged");
    stack.signal("transformation", "SIGCONT");
    await givenUp("transformation");
    expect(await type(1, "status")).to.match(
      /^ Stopped at batch \d+: transformation failed five times\. Nothing is lost/,
    );
    expect(await type(1, "batch", String(batch))).to.include(`DAMAGED ${key}`);
    expect(await type(1, "rebuild", "--verify")).to.include(`${key} is not what was committed`);
    await restore("ingestion", key);
    expect(await type(0, "rebuild", "--verify")).to.include("It is whole");
    expect(await type(0, "replay", String(batch))).to.include("transformation: committed");
    await type(0, "redrive", "--queue", "transformation", "--yes");
    await healthy();
  });

  it("ObjectError: a damaged object of the processed bucket", async () => {
    const batch = await readWhileSleeps("loading");
    const key = await keyOf(batch, "dim_staff");
    await stack.write("processed", key, "damaged");
    stack.signal("loading", "SIGCONT");
    await givenUp("loading");
    expect(await shown("damaged-status", 1, ["status"], VERDICT)).to.include(key);
    expect(await shown("damaged-verify", 1, ["rebuild", "--verify"])).to.include("1 problem:");
    expect(await type(0, "logs", "--batch", String(batch), "--errors")).to.match(
      new RegExp(`loading ERROR batch ${batch} .*error="ObjectError"`),
    );
    await restore("processed", key);
    await type(0, "redrive", "--queue", "loading", "--yes");
    await healthy();
  });

  it("ManifestError: a damaged manifest", async () => {
    const key = manifestKey(await newest());
    await stack.write("ingestion", key, "{}");
    expect(await shown("manifest-status", 1, ["status"], VERDICT)).to.match(
      /^ Stopped: the newest manifest cannot be read\./,
    );
    expect(await type(1, "run")).to.include("ManifestError");
    expect(await type(1, "rebuild", "--verify")).to.include(key);
    await givenUp("transformation").catch(() => undefined);
    await restore("ingestion", key);
    await type(0, "run");
    await type(0, "redrive", "--yes");
    await healthy();
  });

  it("ContractError: a column of the shop is renamed", async () => {
    await shop("alter table staff rename column first_name to forename");
    expect(await type(1, "run")).to.match(
      /ContractError: .*staff\.first_name: expected text, found no such column/,
    );
    expect(await shown("contract-status", 1, ["status"], VERDICT)).to.match(
      /^ Stopped before reading: .* Nothing is lost/,
    );
    expect(await type(1, "doctor"))
      .to.include("✗ Contract:")
      .and.include("staff.first_name");
    await shop("alter table staff rename column forename to first_name");
    await type(0, "doctor");
    await type(0, "run");
    await healthy();
  });

  it("WarehouseError: a column of another type", async () => {
    await star("alter table fact_payment alter column payment_amount type text");
    await change();
    expect(await type(1, "run")).to.match(
      /WarehouseError: .*fact_payment\.payment_amount: expected numeric\(10, 2\), found text/,
    );
    await givenUp("loading");
    expect(await shown("warehouse-status", 1, ["status"], VERDICT)).to.include(
      "fact_payment.payment_amount",
    );
    expect(await type(1, "doctor")).to.match(/✗ Star: .*fact_payment\.payment_amount/);
    await star(
      "alter table fact_payment alter column payment_amount type numeric(10,2) using payment_amount::numeric(10,2)",
    );
    await type(0, "doctor");
    await type(0, "redrive", "--queue", "loading", "--yes");
    await healthy();
  });

  it("WarehouseError: no right on a table", async () => {
    await star("revoke insert, update on dim_staff from warehouse_loader");
    await change();
    expect(await type(1, "run")).to.match(
      /WarehouseError: dim_staff: permission denied .*GRANT SELECT, INSERT, UPDATE on it/,
    );
    await givenUp("loading");
    expect(await type(1, "status")).to.match(/ Stopped at batch \d+: loading failed five times/);
    expect(await type(0, "logs", "--errors", "--function", "loading")).to.match(
      /dim_staff .*permission denied/,
    );
    await star("grant insert, update on dim_staff to warehouse_loader");
    await type(0, "redrive", "--queue", "loading", "--yes");
    await healthy();
  });

  it("rows in quarantine", async () => {
    const date = (day: string): Promise<unknown> =>
      shop(`update sales_order set agreed_delivery_date = '${day}' where sales_order_id = 5`);
    await date("2024-02-30");
    expect(await type(0, "run")).to.include("1 row did not fit and went to quarantine");
    expect(await type(0, "status"))
      .to.match(/Quarantine warning: 1 row\./)
      .and.include("rows-rejected");
    expect(await shown("quarantine", 0, ["quarantine"])).to.include("1 row in quarantine");
    await shown("quarantine-list", 0, ["quarantine", "list", "--table", "fact_sales_order"]);
    expect(await type(0, "quarantine", "show", "5", "--table", "fact_sales_order")).to.include(
      "2024-02-30",
    );
    expect(await type(0, "quarantine", "retry")).to.include("read again: 1 of sales_order");
    await type(0, "run");
    expect(await type(0, "quarantine")).to.include("1 row in quarantine");
    await date("2024-02-29");
    await type(0, "run");
    expect(await type(0, "quarantine")).to.include("0 rows in quarantine");
    await healthy();
  });

  it("rows changed by hand in the warehouse", async () => {
    await star("update dim_staff set last_name = 'Forged' where staff_id = 3");
    await star("delete from fact_payment where payment_id = 5");
    const repaired = await shown("repair", 1, ["reconcile", "--repair", "--yes"], {
      only: /^ {2}(fact_payment pay|dim_staff staff|\d|once)|^Repair/,
    });
    expect(repaired)
      .to.match(/fact_payment payment_id 5: missing/)
      .and.match(/dim_staff staff_id 3: different; last_name: .* found "Forged"/)
      .and.include("2 rows read again, 0 gone from the source");
    await type(0, "run");
    expect(await type(0, "reconcile")).to.include("No difference");
    await healthy();
  });

  it("a truncated table of the shop", async () => {
    expect(await type(0, "deletes")).to.match(/payment 58 0 Nothing leaves the warehouse/);
    await shop("create table payment_before as table payment; truncate payment");
    expect(await shown("deletes", 1, ["deletes"])).to.match(
      /Not believed: 58 of 58 rows of payment are gone: it is empty, as after TRUNCATE/,
    );
    expect(await type(2, "deletes", "--confirm", "staff")).to.include("these are: payment");
    expect(await type(2, "deletes", "--share", "2")).to.include("--share takes a share");
    expect(await type(0, "logs", "--errors", "--function", "reconciliation")).to.match(
      /WARN reconciliation: 58 of 58 rows of payment are gone/,
    );
    await healthy();
    expect(await shown("deletes-confirmed", 0, ["deletes", "--confirm", "payment"])).to.match(
      /Batch \d+ says that 58 rows are gone/,
    );
    await type(0, "run");
    expect(await star("select from fact_payment")).to.have.length(0);
    await shop("insert into payment select * from payment_before");
    await type(0, "run");
    expect(await type(0, "reconcile")).to.include("No difference");
    await healthy();
  });

  it("a transaction that stays open", async () => {
    const session = await stack.connect("source", "month-end");
    await session.query("begin; update staff set last_name = last_name where staff_id = 2");
    const { rows } = await session.query<{ pid: number }>("select pg_backend_pid() as pid");
    await change();
    await type(0, "run");
    expect(
      await shown("held-status", 0, ["status"], { only: /^ {2}Fence|^ {14}.*longer\.$/ }),
    ).to.match(new RegExp(`Held by pid ${rows[0]!.pid}: user postgres, application month-end`));
    await shop(`select pg_terminate_backend(${rows[0]!.pid})`);
    await session.end().catch(() => undefined);
    await type(0, "run");
    expect(await type(0, "status")).to.include("Fence ok: free");
    await healthy();
  });

  it("a batch that can never be loaded", async () => {
    const batch = await readWhileSleeps("loading");
    const Key = await keyOf(batch, "dim_staff");
    await stack.aws.s3.send(new DeleteObjectCommand({ Bucket: BUCKETS.processed, Key }));
    stack.signal("loading", "SIGCONT");
    await givenUp("loading");
    expect(await type(1, "status")).to.include(`npx totes skip ${batch} --why`);
    await shown("skip", 0, ["skip", String(batch), "--why", "ticket 318", "--yes"]);
    expect(await type(0, "batches")).to.match(/skipped/);
    await type(0, "redrive", "--queue", "loading", "--yes");
    expect(await type(1, "reconcile", "--repair", "--yes")).to.include("dim_staff staff_id 1:");
    await type(0, "run");
    expect(await type(0, "reconcile")).to.include("No difference");
    await healthy();
  });

  it("a function is killed at its work", async () => {
    const blocker = await stack.connect("warehouse");
    await blocker.query("begin; lock table dim_staff in access exclusive mode");
    await change();
    await type(0, "backfill", "dim_currency");
    const batch = await newest();
    await eventually(
      async () =>
        expect(
          await star("select from pg_stat_activity where wait_event_type = 'Lock'"),
        ).to.not.have.length(0),
      50,
    );
    stack.signal("loading", "SIGKILL");
    await blocker.query("rollback");
    await blocker.end();
    await healthy();
    expect(await type(0, "batch", String(batch))).to.include(`Batch ${batch}: loaded`);
    expect(await type(0, "logs", "--errors", "--since", "5m")).to.match(
      /loading ERROR Runtime\.ExitError: .*SIGKILL/,
    );
  });

  it("what is asked for and cannot be is refused, and says what can", async () => {
    for (const [args, says] of [
      [["stauts"], "did you mean status?"],
      [["backfill", "dim_stuff"], "did you mean dim_staff?"],
      [["skip", "1", "--why", "x", "--yes"], "RefusedError: batch 1 is in the warehouse"],
    ] as const)
      expect(await type(2, ...args)).to.include(says);
    const elsewhere = {
      Records: [{ s3: { bucket: { name: "other" }, object: { key: manifestKey(1) } } }],
    };
    for (const [of, event, says] of [
      ["ingestion", { rows: { nope: ["1"] } }, "NamedRowsError: rows of nope were named"],
      ["ingestion", { rows: { staff: ["x"] } }, "NamedRowsError: named row of staff"],
      ["ingestion", { backfill: ["nope"] }, "BackfillError: "],
      ["transformation", elsewhere, "EventError: refused: an event of bucket other"],
    ] as const)
      await expect(stack.invoke(of, event)).to.be.rejectedWith(says);
    await healthy();
  });

  it("ends with nothing left, and the documentation says what was said", async () => {
    await shown("trade", 0, ["trade", "--once"]);
    await shown("new", 0, ["new", "fact_refund", "--source", "payment"]);
    await shown("down", 0, ["down"]);
    expect(await transcripts.settle()).to.deep.equal([]);
  });
});
