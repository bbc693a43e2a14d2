// `totes watch`, as a person starts it.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import path from "node:path";
import { expect } from "../support/chai.ts";
import { freshDatabases, type FreshDatabases } from "../support/stack.ts";

const bin = path.join(import.meta.dirname, "..", "..", "bin", "totes.mjs");

describe("totes watch", () => {
  let fresh: FreshDatabases;
  before(async () => {
    fresh = await freshDatabases();
  });

  const start = (...args: string[]): { child: ChildProcess; said: () => string } => {
    const child = spawn(process.execPath, [bin, "watch", ...args], {
      env: { ...process.env, ...fresh.env, NO_COLOR: "1" },
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr])
      stream!.setEncoding("utf8").on("data", (part: string) => (text += part));
    return { child, said: () => text };
  };

  it("says where the page is, serves the pipeline that is there, and ends well at Ctrl-C", async () => {
    const { child, said } = start("--port", "0");
    try {
      while (!said().includes("Ctrl-C")) await once(child.stdout!, "data");
      const [url] = /http:\/\/127\.0\.0\.1:\d+\//.exec(said())!;
      const overview = (await (await fetch(`${url}api/overview`)).json()) as { batches: number };
      expect(overview.batches).to.equal(0);
      expect(await (await fetch(`${url}api/quarantine`)).json()).to.deep.equal([]);
      const left = once(child, "exit");
      child.kill("SIGINT");
      expect(await left).to.deep.equal([0, null]);
    } finally {
      child.kill("SIGKILL");
    }
  });

  it("says in a line that the port is taken, or is none", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as { port: number };
    try {
      for (const [given, words] of [
        [String(port), `port ${port} is taken, perhaps by another totes watch`],
        ["70000", "--port takes a whole number"],
      ] as const) {
        const { child, said } = start("--port", given);
        expect(await once(child, "close")).to.deep.equal([2, null]);
        expect(said()).to.include(words);
        expect(said()).to.not.match(/^ +at /m);
      }
    } finally {
      other.close();
    }
  });
});
