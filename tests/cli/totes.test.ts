// `totes`, whatever the verb.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { StageError } from "../../cli/stage.ts";
import { defineVerb, nameOf, stageOptions, type Say } from "../../cli/verb.ts";
import { allVerbs, verbsOf } from "../../cli/verbs.ts";
import { expect } from "../support/chai.ts";
import { callTotes, spawnTotes } from "../support/totes.ts";

const VERBS = await allVerbs();

const greet = (run: (say: Say) => Promise<number>) =>
  defineVerb({
    command: "greet [name]",
    describe: "greets",
    about: "It means it.",
    examples: [["greet Ada", "greets Ada"]],
    build: (args) => stageOptions(args).positional("name", { type: "string" }),
    run: (_args, say) => run(say),
  });

/** A command line with one verb. */
const withVerb = (args: readonly string[], run: (say: Say) => Promise<number>) =>
  callTotes({}, args, { verbs: [greet(run)] });

describe("totes", () => {
  it("names its verbs where none is asked for", async () => {
    const { code, out, err } = await callTotes({}, []);
    expect({ code, err }).to.deep.equal({ code: 0, err: "" });
    for (const verb of VERBS) expect(out).to.include(`totes ${verb.command}`);
  });

  it("loads the verb alone that is asked for", async () => {
    for (const verb of VERBS) expect(await verbsOf([nameOf(verb), "--json"])).to.deep.equal([verb]);
    for (const args of [["--json", "status"], ["stauts"], ["toString"]])
      expect(await verbsOf(args)).to.deep.equal(VERBS);
  });

  it("says its version", async () => {
    expect(await callTotes({}, ["--version"])).to.deep.equal({
      code: 0,
      out: `${packageJson.version}\n`,
      err: "",
    });
  });

  const wrong: readonly (readonly [line: string, said: string])[] = [
    ["recncile", "there is no verb recncile; did you mean reconcile? `totes --help` says what"],
    ["--json recncile", "there is no verb recncile; did you mean reconcile? `totes --help`"],
    ["sing", "there is no verb sing; `totes --help` says what there is"],
    ["--json", "say which verb; `totes --help`"],
    ["rebuild --shcema a", "there is no option --shcema; did you mean --schema? `totes rebuild"],
    ["rebuild --shcema=a", "there is no option --shcema; did you mean --schema?"],
    ["rebuild -x", "there is no option -x;"],
    ["rebuild --schema.a b", "there is no option --schema.a; did you mean --schema?"],
    ["rebuild --no-verify", "there is no option --no-verify; `totes rebuild --help`"],
    ["rebuild again", '"again" is a word too many;'],
    ["rebuild --secret", "--secret takes a value;"],
    ["rebuild --secret --verify", "--secret takes a value;"],
    ["rebuild --verify --stage a --stage b", "--stage is given twice;"],
    ["reconcile --table", "--table takes a value;"],
    [
      "quarantine count",
      'action is one of counts, list, show and retry, not "count"; did you mean',
    ],
  ];
  for (const [line, said] of wrong)
    it(`says in a line what is wrong with: ${line}`, async () => {
      const { code, out, err } = await callTotes({}, line.split(" "));
      expect({ code, out }).to.deep.equal({ code: 2, out: "" });
      expect(err.slice(0, said.length)).to.equal(said);
      expect(err.match(/\n/g)).to.have.length(1);
    });

  it("says what a verb that takes a word is to be given", async () => {
    const batch = defineVerb({
      command: "batch <number>",
      describe: "",
      examples: [],
      build: (args) =>
        args.positional("number", { type: "string", demandOption: true }).option("why", {
          type: "string",
          demandOption: true,
        }),
      run: async () => 0,
    });
    const said = async (...args: string[]) => (await callTotes({}, args, { verbs: [batch] })).err;
    expect(await said("batch")).to.match(/^say what: totes batch <number>; `totes batch --help`/);
    expect(await said("batch", "7")).to.match(/^say also --why; /);
  });

  it("gives the verb's exit code, and keeps standard output for JSON alone where that is asked for", async () => {
    const run = async ({ terminal, answer, answerLine }: Say) => {
      terminal.line("Good morning");
      answer({ said: true });
      await answerLine({ line: 1 });
      return 1;
    };
    expect(await withVerb(["greet"], run)).to.deep.equal({
      code: 1,
      out: "Good morning\n",
      err: "",
    });
    expect(await withVerb(["greet", "--json"], run)).to.deep.equal({
      code: 1,
      out: '{\n  "said": true\n}\n{"line":1}\n',
      err: "Good morning\n",
    });
  });

  it("says in a line what a verb throws, with 2", async () => {
    const thrown = async (error: unknown) => {
      const { code, err } = await withVerb(["greet"], () => Promise.reject(error as Error));
      expect(code).to.equal(2);
      return err;
    };
    expect(await thrown(new RangeError("too far"))).to.equal("RangeError: too far\n");
    expect(await thrown("odd")).to.equal("odd\n");
    expect(await thrown(new StageError("start it"))).to.equal("start it\n");
    const cause = Object.assign(new Error("who are you?"), { name: "ExpiredTokenException" });
    expect(await thrown(new Error("cannot read", { cause }))).to.match(
      /^Error: cannot read; sign in again: `aws sso login`/,
    );
  });

  it("leaves colours out with --no-color, and where NO_COLOR is set", async () => {
    const run = async ({ terminal }: Say) => {
      terminal.alarm("Fire");
      return 0;
    };
    const on = async (env: object, ...args: string[]) =>
      (
        await callTotes({ NO_COLOR: undefined, TERM: "xterm", ...env }, ["greet", ...args], {
          columns: 80,
          verbs: [greet(run)],
        })
      ).out;
    expect(await on({})).to.equal("  \u001b[31mFire\u001b[39m\n");
    expect(await on({}, "--no-color")).to.equal("  Fire\n");
    expect(await on({ NO_COLOR: "1" })).to.equal("  Fire\n");
  });

  it("ends at Ctrl-C with a line that says how it stands, and 130", async () => {
    const fixture = path.join(import.meta.dirname, "fixtures", "waiting.ts");
    const child = spawn(process.execPath, ["--import", "tsx", fixture], {
      env: { ...process.env, NODE_NO_WARNINGS: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let err = "";
    child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
    await once(child.stdout, "data");
    child.kill("SIGINT");
    const [code] = (await once(child, "close")) as [number | null];
    expect({ code, err }).to.deep.equal({
      code: 130,
      err: "stopped; what was waited for may yet come\n",
    });
  });

  it("says what to type where the packages are not installed", async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "totes-test-"));
    try {
      mkdirSync(path.join(folder, "bin"));
      const program = path.join(folder, "bin", "totes.mjs");
      copyFileSync(path.join(import.meta.dirname, "..", "..", "bin", "totes.mjs"), program);
      expect(await spawnTotes({}, ["--help"], program)).to.deep.equal({
        code: 2,
        out: "",
        err: "not all packages are installed: run `make requirements` (or `npm ci`) first\n",
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("the help of totes", () => {
  for (const verb of VERBS) {
    const name = nameOf(verb);
    it(`${name} fits terminals, and has examples that can be typed`, async () => {
      for (const columns of [80, 40]) {
        const { code, out } = await callTotes({}, [name, "--help"], { columns });
        expect(code).to.equal(0);
        expect(out).to.include("Examples:");
        // A word longer than its column stays whole.
        for (const line of out.split("\n"))
          if (line.trim().includes(" ")) expect(line.length, line).to.be.at.most(columns);
      }
      expect(verb.examples).to.not.deep.equal([]);
      for (const [line] of verb.examples) {
        const args = line.replace(/ [>|] .*$/, "").split(" ");
        expect(args[0]).to.equal(name);
        const idle = { ...verb, run: async () => 0 };
        expect(await callTotes({}, args, { verbs: [idle] }), line).to.include({ code: 0, err: "" });
      }
    });
  }
});

describe("completion", () => {
  const completed = async (...words: string[]) =>
    (await callTotes({ SHELL: "/bin/bash" }, ["--get-yargs-completions", "totes", ...words])).out
      .trimEnd()
      .split("\n");

  it("has a script, which finds the program from anywhere", async () => {
    const { code, out } = await callTotes({ SHELL: "/bin/bash" }, ["completion"]);
    expect(code).to.equal(0);
    expect(out).to.include("# source <(npx totes completion)\n");
    expect(out).to.include('/bin/totes.mjs" --get-yargs-completions');
    expect(out).to.match(/^complete .* totes$/m);
  });

  it("knows verbs, options and choices", async () => {
    expect(await completed("")).to.include.members(VERBS.map(nameOf));
    expect(await completed("reconcile", "--")).to.include.members(["--table", "--since"]);
    expect(await completed("quarantine", "")).to.include.members(["list", "show"]);
  });

  it("knows tables and stages", async () => {
    expect(await completed("reconcile", "--table", "dim_d")).to.deep.equal([
      "dim_date",
      "dim_design",
    ]);
    expect(await completed("reconcile", "--stage", "")).to.deep.equal([
      "dev",
      "local",
      "prod",
      "test",
    ]);
  });

  it("knows the tables where a verb takes one", async () => {
    const backfill = defineVerb({
      command: "backfill <table>",
      describe: "",
      examples: [],
      build: (args) => args.positional("table", { type: "string", demandOption: true }),
      run: async () => 0,
    });
    const { out } = await callTotes(
      { SHELL: "/bin/bash" },
      ["--get-yargs-completions", "totes", "backfill", "fact_p"],
      { verbs: [backfill] },
    );
    expect(out).to.equal("fact_payment\nfact_purchase_order\n");
  });
});

describe("a stage", () => {
  const nowhere = {
    AWS_ENDPOINT_URL: "http://127.0.0.1:1",
    AWS_ACCESS_KEY_ID: "a",
    AWS_SECRET_ACCESS_KEY: "b",
    AWS_REGION: undefined,
    INGESTION_BUCKET: undefined,
    PROCESSED_BUCKET: undefined,
    SOURCE_SECRET: undefined,
    WAREHOUSE_SECRET: undefined,
  };

  it("local that is not running is told of, with what starts it", async () => {
    expect(await callTotes(nowhere, ["quarantine"])).to.deep.equal({
      code: 2,
      out: "",
      err: "no stack is running here (nothing answers at http://127.0.0.1:1): `npx totes up` starts one\n",
    });
  });

  it("local is never AWS itself", async () => {
    const { code, err } = await callTotes({ ...nowhere, AWS_ENDPOINT_URL: "" }, ["quarantine"]);
    expect(code).to.equal(2);
    expect(err).to.match(/^AWS_ENDPOINT_URL is empty: stage local would be AWS itself/);
  });

  /** Runs `quarantine --stage dev` where Lambda gives this answer. */
  async function asked(status: number, answer: object) {
    const server = createServer((_request, response) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(answer));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    try {
      const env = { ...nowhere, AWS_ENDPOINT_URL: `http://127.0.0.1:${port}` };
      return await callTotes(env, ["quarantine", "--stage", "dev"]);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  it("that is not deployed is told of, with what deploys it", async () => {
    expect(await asked(404, { __type: "ResourceNotFoundException" })).to.deep.equal({
      code: 2,
      out: "",
      err:
        "stage dev is not deployed in eu-west-2 (it has no function totes-warehouse-dev-ingestion): " +
        "`npx sls deploy --stage dev` deploys it, --region says where else it is\n",
    });
  });

  it("whose functions do not say where their buckets are is told of", async () => {
    const { err } = await asked(200, { Environment: { Variables: {} } });
    expect(err).to.match(/^totes-warehouse-dev-ingestion does not say INGESTION_BUCKET: deploy/);
  });

  it("that refuses the credentials is told of, with what to do", async () => {
    const { err } = await asked(403, { __type: "ExpiredTokenException", message: "too old" });
    expect(err).to.equal(
      "stage dev cannot be asked where its buckets and secrets are: ExpiredTokenException: too old; " +
        "sign in again: `aws sso login`, or `aws configure`; AWS_PROFILE names others\n",
    );
  });
});
