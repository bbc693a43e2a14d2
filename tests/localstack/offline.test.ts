import { spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { Terminal } from "../../cli/terminal.ts";
import { readOptions } from "../../localstack/offline/options.ts";
import { Report } from "../../localstack/offline/report.ts";
import { watchFolders } from "../../localstack/offline/watch.ts";
import { silentUpdates, type Database } from "../../localstack/totesys/shop.ts";
import { compare, latestOf, problems, starOf } from "../../localstack/totesys/star.ts";
import { expect } from "../support/chai.ts";
import { copyProject } from "../support/project.ts";
import { dropIn } from "../support/drop-in.ts";
import { closeDatabases, open } from "../totesys/databases.ts";
import {
  descendantsOf,
  eventually,
  interrupt,
  isRunning,
  Paper,
  startCommand,
  Temporary,
  type Command,
} from "./support.ts";

describe("npm run offline", () => {
  const temporary = new Temporary();
  /** A copy of the checkout, whose tables/ is this test's own. */
  let project: string;
  const commands: Command[] = [];
  let command: Command;
  let functions: string;
  let shop: Database;
  let star: Database;

  const start = (...args: string[]): Command => {
    const started = startCommand(
      "localstack/offline.ts",
      ["--port", "0", "--invoke-port", "0", "--trade", "0", "--orders", "40", ...args],
      { temporary, project },
    );
    commands.push(started);
    return started;
  };
  const end = async ({ child, output }: Command): Promise<{ code: number; output: string }> => {
    const [code] = (await once(child, "close")) as [number];
    return { code, output: output() };
  };
  /** Waits until it has printed this. */
  const printed = (pattern: RegExp): Promise<RegExpExecArray> =>
    eventually(() => {
      const found = pattern.exec(command.output());
      if (found) return found;
      throw new Error(`${pattern} is not in: ${command.output()}`);
    });
  const expectTrue = async (): Promise<void> => {
    const compared = compare(await starOf(shop), await latestOf(star), { allowExtraDates: true });
    expect(problems(compared)).to.deep.equal([]);
  };

  before(() => {
    temporary.make();
    project = mkdtempSync(path.join(tmpdir(), "offline-test-"));
    copyProject(project);
  });
  after(async () => {
    await closeDatabases();
    for (const { child } of commands) child.kill("SIGKILL");
    temporary.remove();
    rmSync(project, { recursive: true, force: true });
  });

  it("fills the warehouse, which is the shop's star", async () => {
    command = start();
    await printed(/^ {2}Batch 1 .*read$/ms);
    const [, password, host, port, user] = await printed(
      /PGPASSWORD=(\w+)\s+psql -h (\S+) -p (\d+) -U (\w+)/,
    );
    const server = { host: host!, port: Number(port), user: user!, password: password! };
    shop = open({ ...server, database: "totesys" });
    star = open({ ...server, database: "warehouse" });
    functions = (await printed(/export FUNCTIONS=(\S+)/))[1]!;
    await expectTrue();
    const log = readFileSync(path.join(project, ".local", "offline.log"), "utf8");
    expect(log).to.contain("Scheduling [ingestion] cron: [*/1 * * * *]");
  });

  it("brings a silent update when ingestion is invoked", async () => {
    await silentUpdates(shop, { seed: 1, sales: 3, purchases: 2, designs: 1 });
    // The schedule may have been faster.
    const answer = await fetch(`${functions}/totes-warehouse-local-ingestion/invocations`, {
      method: "POST",
      body: "{}",
    });
    expect(await answer.json()).to.include({ batch: 2 });
    await printed(/^ {2}Batch 2 .*fact_sales_order 3/ms);
    await expectTrue();
  });

  it("says why the functions do not start with a broken module", async () => {
    appendFileSync(dropIn(path.join(project, "tables")), "const broken = ;");
    await printed(/Changed {5}tables.fact_design_use\.ts\./);
    await printed(/`sls offline` ended \(exit code 1\)[^]*fact_design_use\.ts:\d+:\d+: ERROR: Un/);
  });

  it("starts them anew with a repaired one, and the new table is filled", async () => {
    dropIn(path.join(project, "tables"));
    await printed(/fact_design_use is new/);
    await printed(/^ {2}Batch 3 .*fact_design_use 40/ms);
    const { orders } = await star.one<{ orders: number }>(
      "select count(distinct sales_order_id)::int as orders from fact_design_use",
    );
    expect(orders).to.equal(40);
    await expectTrue();
  });

  it("leaves neither a process nor a file after Ctrl-C", async () => {
    expect(
      command
        .output()
        .split("\n")
        .filter((line) => line.length > 80),
    ).to.deep.equal([]);
    const processes = interrupt(command);
    const { code, output } = await end(command);
    expect(code).to.equal(130);
    expect(output).to.match(/SIGINT: everything is stopped and removed\.\n$/);
    await eventually(() => {
      expect(processes.filter(isRunning)).to.deep.equal([]);
      expect(temporary.leftovers()).to.deep.equal([]);
    });
  });

  it("ends with 1 and says so when sls offline dies, and leaves nothing", async () => {
    command = start();
    await printed(/^ {2}Shop /m);
    const sls = await eventually(() => {
      const found = descendantsOf(command.child.pid!).find(isSls);
      expect(found).to.be.a("number");
      return found!;
    });
    process.kill(sls, "SIGKILL");
    const { code, output } = await end(command);
    expect(code).to.equal(1);
    expect(output).to.contain("`sls offline` ended (SIGKILL).");
    expect(temporary.leftovers()).to.deep.equal([]);
  });

  it("ends with 1 and says what to do where a port is in use", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const taken = await Promise.all(
      ["--port", "--invoke-port"].map((option) => end(start(option, String(port)))),
    );
    server.close();
    for (const [i, { code, output }] of taken.entries()) {
      expect(code).to.equal(1);
      expect(output.replaceAll(/\s+/g, " ")).to.contain(`Port ${port} is in use`);
      expect(output).to.contain(`npm run offline -- ${["--port", "--invoke-port"][i]} 0`);
    }
    expect(temporary.leftovers()).to.deep.equal([]);
  });

  it("says what there is", async () => {
    const { code, output } = await end(start("--help"));
    expect(code).to.equal(0);
    expect(output).to.contain("--invoke-port N");
  });
});

/** Whether that process is `sls offline`. */
const isSls = (pid: number): boolean =>
  spawnSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" }).stdout.includes(
    "serverless.js offline",
  );

describe("npm run offline's command line", () => {
  it("is a shop of 1,000 sales orders that trades, on the usual ports, unless said otherwise", () => {
    expect(readOptions([])).to.deep.equal({
      dump: undefined,
      orders: 1000,
      seed: 1,
      port: 4566,
      invokePort: 3002,
      trade: 30,
    });
  });

  it("is refused where it makes no sense", () => {
    for (const [args, why] of [
      [["--trade", "often"], "--trade takes a whole number"],
      [["--port", "65536"], "--port takes a whole number from 0 to 65535"],
      [["--dump", "d", "--orders", "3"], "--orders is for a generated shop"],
      [["--keep"], "Unknown option '--keep'"],
    ] as const)
      expect(() => readOptions(args), args.join(" ")).to.throw(why);
  });
});

describe("watched folders", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "watch-test-"));
    mkdirSync(path.join(folder, "src", "deep"), { recursive: true });
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const write = (file: string): void => writeFileSync(path.join(folder, file), "");

  it("tell of new, changed and deleted files, those in new folders too, once all is quiet", async () => {
    const changes = watchFolders(folder, ["src"]);
    try {
      write("src/one.ts");
      write("src/deep/two.ts");
      expect(await changes.next()).to.have.members(["src/one.ts", "src/deep/two.ts"]);
      // As editors save, twice: a watcher that follows the file would be blind by then.
      for (let i = 0; i < 2; i++) {
        write("src/.one.ts.swp");
        write("src/one.ts~");
        renameSync(path.join(folder, "src/one.ts~"), path.join(folder, "src/one.ts"));
        expect(await changes.next()).to.deep.equal(["src/one.ts"]);
      }
      rmSync(path.join(folder, "src/deep/two.ts"));
      mkdirSync(path.join(folder, "src", "new"));
      expect(await changes.next()).to.deep.equal(["src/deep/two.ts"]);
      write("src/new/three.ts");
      expect(await changes.next()).to.deep.equal(["src/new/three.ts"]);
    } finally {
      changes.close();
    }
  });
});

describe("what npm run offline says of the functions", () => {
  it("is each load in a line, and a failure once until something is loaded", () => {
    const paper = new Paper();
    const report = new Report(new Terminal(paper));
    const failed = '{"level":"ERROR","message":"batch 2: no such key","service":"loading"}';
    const loaded = {
      level: "INFO",
      message: "loading: loaded",
      batch: 2,
      tables: { dim_date: { rows: 3, changed: 0 }, fact_payment: { rows: 2, changed: 2 } },
      rejected: 1,
      lagSeconds: 0.5,
    };
    for (const line of [
      failed,
      failed,
      JSON.stringify(loaded),
      failed,
      '{"level":"INFO","message":"loading: at rest"}',
      "× Failed to execute scheduled function: [ingestion] Error: S3Error: no bucket",
    ])
      report.line(line);
    expect(paper.text.split("\n")).to.deep.equal([
      "  batch 2: no such key",
      "  Batch 2     fact_payment 2; 1 row in quarantine; 0.50 s after it was read",
      "  batch 2: no such key",
      "  no bucket",
      "",
    ]);
  });
});
