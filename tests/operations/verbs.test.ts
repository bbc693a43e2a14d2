import { PassThrough } from "node:stream";
import { totes } from "../../cli/totes.ts";
import type { Configuration } from "../../src/aws/functions.ts";
import { functionFindings } from "../../src/operations/doctor-functions.ts";
import { doctor, satisfies } from "../../src/operations/doctor.ts";
import type { Finding } from "../../src/operations/finding.ts";
import type { Function } from "../../src/operations/places.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { placesOf } from "./support.ts";

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command line in this process, as into a pipe. */
async function run(p: TestPipeline, ...args: string[]): Promise<Ran> {
  Object.assign(process.env, p.env);
  const texts = { out: "", err: "" };
  const into = (name: keyof typeof texts): PassThrough => {
    const stream = new PassThrough();
    stream.on("data", (chunk: Buffer) => (texts[name] += chunk.toString()));
    return stream;
  };
  const code = await totes(args, { out: into("out"), err: into("err"), isAnswered: false });
  return { code, ...texts };
}

describe("the verbs that show a pipeline", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 10 });
  });
  after(closeAll);

  it("tell of a pipeline without a batch", async () => {
    const status = await run(p, "status");
    expect(status).to.deep.include({ code: 0, err: "" });
    expect(status.out).to.match(/^ {2}Nothing is loaded yet\. The warehouse is empty\.$/m);
    expect(status.out).to.match(/^ {5}npx totes run$/m);
    expect((await run(p, "batches")).out).to.include("no such batch");
    expect(await run(p, "batch", "1")).to.deep.include({
      code: 2,
      err: "there is no batch 1: none has been made yet; `totes batch --help` says what there is\n",
    });
  });

  it("show each table with its rows, its last batch and its lag", async () => {
    await p.run();
    const { code, out, err } = await run(p, "status");
    expect({ code, err }).to.deep.equal({ code: 0, err: "" });
    expect(out).to.match(/^ {2}Healthy\. All that was read is in the warehouse\.$/m);
    expect(out).to.match(/^ {2}fact_sales_order +10 +1 +\d\.\d\d s ago +\d\.\d\d s +0$/m);
    const json = JSON.parse((await run(p, "status", "--json")).out) as {
      verdict: { status: string };
      tables: object[];
    };
    expect(json.verdict.status).to.equal("ok");
    expect(json.tables.find((one) => "table" in one && one.table === "dim_staff")).to.include({
      rows: 20,
      batch: 1,
      quarantined: 0,
    });
  });

  it("show a batch with its times, its objects and what it did", async () => {
    const { code, out } = await run(p, "batch", "1");
    expect(code).to.equal(0);
    expect(out).to.match(/^Batch 1: loaded$/m);
    expect(out).to.match(/█ +\d\.\d\d s {2}merged and committed$/m);
    expect(out).to.match(/whole +dim_staff\/20\d\d\/\S+\.parquet/);
    expect(out).to.match(/^ {2}fact_sales_order +10 +0 +0 +0$/m);
    expect((await run(p, "batch", "7")).err).to.match(/^there is no batch 7: the newest is 1;/);
    expect((await run(p, "batch", "x")).code).to.equal(2);
    const list = await run(p, "batches");
    expect(list.out).to.match(/^ {2}1 +loaded +backfill +20\d\d-/m);
    expect((await run(p, "batches", "--limit", "0")).err).to.match(/^--limit takes a whole number/);
  });

  it("find nothing wrong with a pipeline that is as it should be", async () => {
    const { code, out } = await run(p, "doctor");
    expect(code).to.equal(0);
    expect(out).to.not.match(/^ {2}[!✗] /m);
    expect(out).to.match(/✓ Contract: 11 tables as declared, and readable$/m);
    expect(out).to.match(/✓ Speed: references are checked as sets$/m);
  });

  it("that change something refuse what cannot be, and ask before what cannot be undone", async () => {
    const refused = async (...args: string[]): Promise<string> => {
      const { code, out, err } = await run(p, ...args);
      expect({ code, out }).to.deep.equal({ code: 2, out: "" });
      return err;
    };
    expect(await refused("backfill", "dim_stuff")).to.match(
      /^there is no table dim_stuff; did you mean dim_staff\?/,
    );
    expect(await refused("skip", "1", "--why", "x")).to.match(
      /^skip asks before it does: add --yes/,
    );
    expect(await refused("skip", "1", "--why", " ", "--yes")).to.match(/^say why: --why TEXT;/);
    expect(await refused("skip", "1", "--why", "x", "--yes")).to.equal(
      "RefusedError: batch 1 is in the warehouse: there is nothing to leave out\n",
    );
    expect(await refused("replay", "9")).to.match(/^RefusedError: there is no batch 9; /);
  });

  it("end with 1 where all is not well", async () => {
    await p.star.none("alter table dim_design alter column design_name type int using 1");
    const { code, out } = await run(p, "doctor");
    expect(code).to.equal(1);
    expect(out).to.match(/✗ Star: the warehouse differs .*\s+.*dim_design\.design_name/);
    const places = await placesOf(p, {});
    const secrets = { source: "no/such", warehouse: p.env.WAREHOUSE_SECRET };
    const found = await doctor(
      { ...places, source: () => Promise.reject(new Error("no way there")) },
      { secrets, engines: ">=99" },
    );
    const bad = found.filter(({ status }) => status === "bad").map(({ title }) => title);
    expect(bad).to.deep.equal(["Node", "Source's secret", "Source", "Star"]);
    await p.star.none("alter table dim_design alter column design_name type varchar using 'x'");
  });

  it("say what a database's user lacks", async () => {
    await p.star.none("revoke create, temporary on database $1:name from public, $2:name", [
      p.warehouse.database,
      p.users.loader.user,
    ]);
    await p.shop.none("revoke select on staff from $1:name", [p.users.reader.user]);
    const places = await placesOf(p, {});
    const secrets = { source: p.env.SOURCE_SECRET, warehouse: p.env.WAREHOUSE_SECRET };
    const found = await doctor(places, { secrets, engines: ">=20" });
    const of = (title: string): Finding => found.find((one) => one.title === title)!;
    expect(of("Contract").found).to.match(/staff\.staff_id/);
    expect(of("Star").found).to.match(/GRANT TEMPORARY ON DATABASE/);
  });

  it("tell how the functions are, and whether they are of one build", async () => {
    const places = { ...(await placesOf(p)), stage: "dev" };
    const usual: Configuration = {
      arn: "arn:aws:lambda:eu-west-2:123456789012:function:one",
      state: "Active",
      lastUpdate: "Successful",
      memoryMb: 512,
      timeoutSeconds: 300,
      environment: { BUILD: "1764000000000" },
    };
    const look = async (
      other: Partial<Record<Function, Partial<Configuration> | Error>>,
      stage = "dev",
    ): Promise<string[]> => {
      const found = await functionFindings({
        ...places,
        stage,
        functionOf: async (of) => {
          const one = other[of] ?? {};
          if (one instanceof Error) throw one;
          return { ...usual, ...one };
        },
      });
      return found.map(({ status, found: what }) => `${status}: ${what}`);
    };
    expect(await look({})).to.deep.equal([
      "ok: active, of one build: ingestion 512 MB and 300 s, transformation 512 MB and 300 s, " +
        "loading 512 MB and 300 s and reconciliation 512 MB and 300 s",
    ]);
    expect(
      await look({
        loading: { state: "Failed", reason: "The subnet is gone" },
        transformation: { lastUpdate: "InProgress" },
      }),
    ).to.deep.equal([
      "warn: transformation is being deployed",
      "bad: loading is Failed, its last deploy Successful (The subnet is gone)",
    ]);
    expect(await look({ ingestion: { environment: {} } })).to.deep.equal([
      "warn: they are of 2 builds: ingestion of an unknown build and " +
        "transformation, loading and reconciliation of 2025-11-24T16:00:00.000Z",
    ]);
    const missing = Object.assign(new Error("no"), { name: "ResourceNotFoundException" });
    expect(await look({ loading: missing })).to.deep.equal(["bad: there is no loading"]);
    const all = {
      ingestion: missing,
      transformation: missing,
      loading: missing,
      reconciliation: missing,
    };
    expect(await look(all, "local")).to.deep.equal([
      "ok: none are hosted here; `totes up` starts a stack that has them",
    ]);
    expect(await look({ reconciliation: new Error("not yours") })).to.deep.equal([
      "warn: reconciliation cannot be asked: Error: not yours",
    ]);
  });

  it("know which versions of Node will do", () => {
    const range = "^20.19.0 || ^22.13.0 || >=24";
    const fits = (version: string): boolean => satisfies(version, range);
    expect(["20.19.0", "20.20.1", "22.13.0", "24.0.0", "25.1.0"].every(fits)).to.equal(true);
    expect(["18.20.0", "20.18.9", "21.7.0", "22.12.9", "23.1.0"].some(fits)).to.equal(false);
  });
});
