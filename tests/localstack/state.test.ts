import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  PROGRAM,
  runningStack,
  writeState,
  type StackState,
} from "../../localstack/background/state.ts";
import { expect } from "../support/chai.ts";

describe("the state of a stack in the background", () => {
  const door = { host: "127.0.0.1", port: 1, user: "u", password: "p", database: "d" };
  let folder: string;
  let file: string;
  let first: ChildProcess;
  let state: StackState;
  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), "state-test-"));
    file = path.join(folder, "stack.json");
    first = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)", PROGRAM]);
    await once(first, "spawn");
    state = {
      pid: first.pid!,
      since: "2026-11-26T12:00:00.000Z",
      endpoint: "http://127.0.0.1:1",
      source: door,
      warehouse: door,
      every: null,
      log: "stack.log",
    };
  });
  after(() => {
    first.kill();
    rmSync(folder, { recursive: true });
  });

  it("is written once: of two that come up at a time, the second says that it is one too many", () => {
    writeState(folder, state);
    expect(() => writeState(folder, { ...state, every: 1 })).to.throw(
      /^another `totes up` was first/,
    );
    expect(runningStack(folder)).to.deep.equal(state);
  });

  it("is written over one that was cut off in the writing", () => {
    writeFileSync(file, readFileSync(file, "utf8").slice(0, 20));
    expect(runningStack(folder)).to.equal(undefined);
    writeState(folder, state);
    expect(runningStack(folder)).to.deep.equal(state);
  });
});
