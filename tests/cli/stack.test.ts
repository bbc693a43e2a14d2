import { once } from "node:events";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { Verb } from "../../cli/verb.ts";
import { downIn } from "../../cli/verbs/down.ts";
import { logs } from "../../cli/verbs/logs.ts";
import { redrive } from "../../cli/verbs/redrive.ts";
import { run } from "../../cli/verbs/run.ts";
import { tradeIn } from "../../cli/verbs/trade.ts";
import { upIn } from "../../cli/verbs/up.ts";
import { runningStack, type StackState } from "../../localstack/background/state.ts";
import { stopStack } from "../../localstack/background/stop.ts";
import { inSession } from "../../localstack/session.ts";
import { putSecret } from "../../localstack/stack.ts";
import { eventually, isRunning, launch } from "../localstack/support.ts";
import { expect } from "../support/chai.ts";
import { callTotes, type Ran } from "../support/totes.ts";

/** The environment of somebody who has said nothing: .env.local does. */
const NOTHING_SAID = Object.fromEntries(
  ["INGESTION_BUCKET", "PROCESSED_BUCKET", "SOURCE_SECRET", "WAREHOUSE_SECRET"].map((name) => [
    name,
    undefined,
  ]),
);

const environmentOf = ({ endpoint }: Pick<StackState, "endpoint">): object => ({
  ...NOTHING_SAID,
  AWS_ENDPOINT_URL: endpoint,
  AWS_REGION: "eu-west-2",
  AWS_ACCESS_KEY_ID: "test",
  AWS_SECRET_ACCESS_KEY: "test",
});

const query = (database: StackState["source"], sql: string): Promise<unknown[]> =>
  inSession({ ...database }, async (client) =>
    (await client.query({ text: sql, rowMode: "array" })).rows.flat(),
  );

const answers = (database: StackState["source"]): Promise<boolean> =>
  query(database, "select 1").then(
    () => true,
    () => false,
  );

/** An answer of one JSON object a line. */
const linesIn = (text: string): Record<string, unknown>[] =>
  text
    .trimEnd()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** Processes whose command line has a text in it. */
const processesWith = (text: string): string[] =>
  readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(text);
    } catch {
      return false;
    }
  });

describe("totes and the stack in the background", () => {
  let folder: string;
  let verbs: readonly Verb[];
  let env: object = NOTHING_SAID;

  const totes = (...args: string[]): Promise<Ran> => callTotes(env, args, { verbs });
  const state = (): StackState => {
    const running = runningStack(folder);
    if (!running) throw new Error("no stack is up");
    return running;
  };
  const up = async (...args: string[]): Promise<Ran> => {
    const ran = await totes("up", "--port", "0", ...args);
    env = environmentOf(state());
    return ran;
  };

  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), "stack-verbs-test-"));
    verbs = [upIn(folder), downIn(folder), tradeIn(folder), run, logs, redrive];
    const { code, out, err } = await up("--orders", "40", "--every", "off");
    expect(err).to.equal("");
    expect(code).to.equal(0);
    expect(out).to.match(/40 sales orders, 18 purchase orders and 58 payments/);
    expect(out).to.include(state().endpoint).and.to.include("a tick by hand");
  });
  after(async () => {
    await stopStack(folder);
    rmSync(folder, { recursive: true });
  });

  it("up says of a stack that is up that it is, and where", async () => {
    const { code, out } = await totes("up", "--orders", "7");
    expect(code).to.equal(0);
    expect(out).to.match(/A stack is up already, since 20/);
    expect(out).to.include(state().endpoint);
    const { out: json } = await totes("up", "--json");
    expect(JSON.parse(json)).to.deep.equal(state());
  });

  it("up keeps its password from other users of the machine", () => {
    if (process.platform === "win32") return;
    const file = path.join(folder, "stack.json");
    expect(readFileSync(file, "utf8")).to.include(state().source.password);
    expect(statSync(file).mode & 0o077).to.equal(0);
  });

  it("run brings the shop into the warehouse, then says that nothing changed", async () => {
    const first = await totes("run");
    expect(first.err).to.equal("");
    expect(first.code).to.equal(0);
    expect(first.out).to.match(/batch 1: \d+ rows of 11 tables read/);
    expect(first.out).to.match(/fact_payment 58/);
    expect(first.out).to.match(/In the warehouse after \d+\.\d\d s\./);
    expect(await query(state().warehouse, "select count(*) from fact_sales_order")).to.deep.equal([
      "40",
    ]);
    const second = await totes("run");
    expect(second).to.deep.equal({
      code: 0,
      out: "  Nothing changed: batch 1 is the newest, and in the warehouse.\n",
      err: "",
    });
  });

  it("trade writes to the shop, and run tells programs what came of it", async () => {
    const traded = await totes(
      "trade",
      "--once",
      "--orders",
      "5",
      "--silent-updates",
      "4",
      "--json",
    );
    expect(traded.code).to.equal(0);
    const told = JSON.parse(traded.out) as Record<string, number>;
    expect(told["salesOrders"]! + told["purchaseOrders"]!).to.equal(5);
    expect([told["silentSales"], told["silentPurchases"], told["silentDesigns"]]).to.deep.equal([
      3, 1, 0,
    ]);
    const { out } = await totes("run", "--json");
    const came = JSON.parse(out) as {
      readonly read: Record<string, number>;
      readonly changed: Record<string, number>;
    };
    expect(came).to.include({ outcome: "loaded", batch: 2, batches: 1, rejected: 0 });
    expect(came.read["transaction"]).to.equal(5);
    expect(came.changed["dim_transaction"]).to.equal(5);
  });

  it("logs follow one batch through three functions, and no other", async () => {
    const { code, out, err } = await totes("logs", "--batch", "1", "--json");
    expect({ code, err }).to.deep.equal({ code: 0, err: "" });
    const lines = linesIn(out);
    expect(lines.map((line) => [line["function"], line["message"]])).to.deep.equal([
      ["ingestion", "ingestion: read"],
      ["transformation", "transformation: committed"],
      ["loading", "loading: loaded"],
    ]);
    for (const line of lines) {
      expect(line).to.include({ batch: 1, level: "INFO" });
      expect(line["request"]).to.be.a("string");
    }
    expect(lines[0]!["more"]).to.deep.include({ kind: "backfill" });
    const second = linesIn((await totes("logs", "--batch", "2", "--json")).out);
    expect(second.map(({ batch }) => batch))
      .to.include(2)
      .and.not.include(1);
    const request = String(lines[2]!["request"]);
    const ofOne = linesIn((await totes("logs", "--request", request, "--json")).out);
    expect(ofOne.map(({ message }) => message)).to.deep.equal([
      "loading: loaded",
      "loading: at rest",
    ]);
    const { out: text } = await totes("logs", "--function", "loading");
    expect(text).to.match(
      /^ {2}\d\d:\d\d:\d\d\.\d{3} {2}loading {9}batch 1 {2}loading: loaded {2}/m,
    );
    expect(text).to.not.include("ingestion:");
    expect((await totes("logs", "--errors")).out).to.match(/^ {2}no such line since 20/);
  });

  it("logs refuse a batch that there is not, and a time that is none", async () => {
    expect(await totes("logs", "--batch", "9")).to.deep.include({
      code: 2,
      err: "there is no batch 9; `npx totes batches` shows which there are; `totes logs --help` says what there is\n",
    });
    expect((await totes("logs", "--since", "yesterday")).err).to.match(
      /^--since takes a number with s, m, h or d, or a time like 2026-11-05T14:30Z, not "yesterday"/,
    );
  });

  it("run goes by the warehouse and no receipt: one that was emptied is filled again", async () => {
    const { warehouse } = state();
    const [tables] = await query(
      warehouse,
      "select string_agg(relname, ', ') from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace",
    );
    await query(warehouse, `truncate ${String(tables)}`);
    await query(warehouse, "drop schema etl cascade");
    const { code, out } = await totes("run");
    expect(code).to.equal(0);
    expect(out).to.match(/nothing new; batch 2 was not in the warehouse yet/);
    expect(out).to.match(/dim_staff 20/);
    expect(await query(warehouse, "select count(*) from dim_staff")).to.deep.equal(["20"]);
    expect((await totes("run")).out).to.match(/^ {2}Nothing changed: batch 2 is the newest/);
  });

  it("run says which function failed, and redrive moves back what was given up meanwhile", async () => {
    const { endpoint, warehouse } = state();
    const secrets = new SecretsManagerClient({
      endpoint,
      region: "eu-west-2",
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
    });
    await putSecret(secrets, "totes/local/warehouse", { ...warehouse, password: "wrong" });
    await totes("trade", "--once");
    const failed = await totes("run");
    expect(failed.code).to.equal(1);
    expect(failed.out).to.match(/batch 3: /);
    expect(failed.out.replace(/\s+/g, " ")).to.match(
      /The loading function failed: .*password authentication failed/,
    );
    const { code, out } = await eventually(async () => {
      const ran = await totes("redrive", "--yes");
      expect(ran.out).to.include("Dead letters");
      return ran;
    });
    expect(code).to.equal(0);
    expect(out).to.include("Dead letters: 1 of loading.");
    expect(out).to.include("1 message moved back to loading.");
    const wrong = linesIn((await totes("logs", "--errors", "--since", "5m", "--json")).out);
    expect(wrong[0]).to.include({ function: "loading", level: "ERROR" });
    expect(wrong[0]!["message"]).to.include("password authentication failed");
    await putSecret(secrets, "totes/local/warehouse", warehouse);
    secrets.destroy();
    const again = await totes("run");
    expect(again.code).to.equal(0);
    const { out: json } = await totes("run", "--json");
    expect(JSON.parse(json)).to.deep.equal({ outcome: "nothing changed", batch: 3 });
  });

  it("redrive asks before it moves, and names no queue that there is not", async () => {
    const unasked = await totes("redrive");
    expect(unasked.code).to.equal(2);
    expect(unasked.err).to.include("add --yes where nobody can answer");
    const elsewhere = await callTotes({ ...env }, ["redrive", "--yes", "--stage", "dev"], {
      verbs,
    });
    expect(elsewhere.code).to.equal(2);
    expect(elsewhere.err).to.include("stage dev is not deployed in eu-west-2");
  });

  it("run gives up when its time is over", async () => {
    const { code, out } = await inSession({ ...state().source }, async (blocker) => {
      await blocker.query("begin; lock table staff in access exclusive mode");
      return totes("run", "--timeout", "1");
    });
    expect(code).to.equal(1);
    expect(out.replace(/\s+/g, " ")).to.include("Ingestion is not done after 1 seconds");
  });

  it("run says what to do where there is no stack", async () => {
    const { code, err } = await callTotes(
      environmentOf({ endpoint: "http://127.0.0.1:1" }),
      ["run"],
      { verbs },
    );
    expect(code).to.equal(2);
    expect(err).to.equal(
      "no stack is running here (nothing answers at http://127.0.0.1:1): `npx totes up` starts one\n",
    );
  });

  it("trade refuses any shop but the local one", async () => {
    const { code, err } = await totes("trade", "--stage", "prod");
    expect(code).to.equal(2);
    expect(err).to.include("it is for stage local alone");
  });

  it("the functions' lines are JSON in the log, each with its function", () => {
    const lines = readFileSync(path.join(folder, "stack.log"), "utf8").trimEnd().split("\n");
    const services = lines.map((line) => (JSON.parse(line) as { service: string }).service);
    expect(new Set(services)).to.deep.equal(
      new Set(["stack", "ingestion", "transformation", "loading"]),
    );
  });

  it("a stack that was killed leaves nothing running, and up starts another, which ticks by itself", async () => {
    const { pid, source } = state();
    process.kill(pid, "SIGKILL");
    await eventually(() => expect(isRunning(pid)).to.equal(false));
    await eventually(async () => expect(await answers(source)).to.equal(false));
    const trading = await totes("trade", "--once");
    expect(trading.err).to.include("no stack that `totes up` started is running here");
    expect((await up("--empty", "--every", "1")).code).to.equal(0);
    expect(await query(state().source, "select count(*) from staff")).to.deep.equal(["0"]);
    await eventually(
      () => expect(readFileSync(state().log, "utf8")).to.include("ingestion: unchanged"),
      100,
    );
  });

  it("down stops and removes it all, and says so where nothing is up", async () => {
    const { pid, source } = state();
    expect((await totes("down")).out).to.equal("  Everything is stopped and removed.\n");
    expect(isRunning(pid)).to.equal(false);
    expect(await answers(source)).to.equal(false);
    expect(existsSync(path.join(folder, "stack.json"))).to.equal(false);
    expect(await totes("down")).to.deep.equal({
      code: 0,
      out: "  Nothing was running.\n",
      err: "",
    });
  });

  it("up says what to do about a port in use, and leaves nothing", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const { code, err } = await totes("up", "--empty", "--port", String(port));
    server.close();
    expect(code).to.equal(2);
    expect(err).to.match(new RegExp(`^port ${port} is in use: .*take another with --port\\n$`));
    expect(runningStack(folder)).to.equal(undefined);
  });

  it("up refuses options that make no sense together", async () => {
    for (const [args, why] of [
      [["--empty", "--orders", "3"], "--empty goes without --orders"],
      [["--dump", "d", "--orders", "3"], "--orders is for a generated shop"],
      [["--every", "0"], "--every takes a whole number from 1"],
      [["--dump", path.join(folder, "nowhere")], "nowhere"],
    ] as const) {
      const { code, err } = await totes("up", "--port", "0", ...args);
      expect([code, err.includes(why)], `${args.join(" ")}: ${err}`).to.deep.equal([2, true]);
    }
    expect(runningStack(folder)).to.equal(undefined);
  });

  it("a state whose process is another program's is none", () => {
    const stale = { pid: process.pid, since: "", endpoint: "", every: null, log: "" };
    writeFileSync(path.join(folder, "stack.json"), JSON.stringify(stale));
    expect(runningStack(folder)).to.equal(undefined);
    expect(existsSync(path.join(folder, "stack.json"))).to.equal(false);
  });

  it("a stack whose starter was killed before it was up goes as well", async function () {
    if (process.platform !== "linux") this.skip();
    await stopStack(folder);
    for (const isPatient of [false, true]) {
      const { child } = await launch("launch-stack.ts", JSON.stringify({ folder, isPatient }));
      expect(processesWith(folder).length).to.be.greaterThan(1);
      child.kill("SIGKILL");
      await eventually(() => expect(processesWith(folder)).to.deep.equal([]), 100);
      expect(runningStack(folder)).to.equal(undefined);
    }
  });
});
