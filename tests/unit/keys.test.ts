// Tables' names in the lake's keys: each has a folder of its own, whatever it is called.
import {
  BATCHES,
  batchOf,
  getObjectPath,
  getTableName,
  isOfTable,
  LOADS,
  rejectedPath,
} from "../../src/lake/keys.ts";
import { expect } from "../support/chai.ts";

const at = { at: new Date("2026-11-22T23:59:59Z"), batch: 42, run: "ab12" };

describe("a key of the lake", () => {
  for (const [table, folder] of [
    ["staff", "staff"],
    ['a "b"/c', "a%20%22b%22%2Fc"],
    ["..", "%2E%2E"],
    ["../staff", "%2E%2E%2Fstaff"],
    ["_batches", "%5Fbatches"],
    ["_loads", "%5Floads"],
    ["__x_y", "%5F%5Fx_y"],
    ["_rejected/x", "%5Frejected%2Fx"],
    ["a.b", "a.b"],
    ["é", "%C3%A9"],
  ] as const)
    it(`of table ${table} begins with ${folder}, and is told from the lake's own`, () => {
      const key = getObjectPath(table, at, "json.gz");
      expect(key).to.equal(`${folder}/2026/11/22/0000000042-ab12.json.gz`);
      expect(getTableName(key)).to.equal(table);
      expect(getTableName(rejectedPath(table, at, "json.gz"))).to.equal(table);
      expect(isOfTable(key, table)).to.equal(true);
      expect(isOfTable(rejectedPath(table, at, "json.gz"), table)).to.equal(true);
      expect(isOfTable(key, `${table}x`) || isOfTable(`x${key}`, table)).to.equal(false);
      expect(key.startsWith(BATCHES) || key.startsWith(LOADS)).to.equal(false);
    });

  it("is a manifest's where it is exactly that", () => {
    expect(batchOf("_batches/0000000042.json")).to.equal(42);
    for (const key of [
      "_batches/42.json",
      "_batches/00000000042.json",
      "_batches/0000000042.json\n",
      "_batches/0000000042.json/x",
      "_batches/../_batches/0000000042.json",
      "/_batches/0000000042.json",
      "_batches/000000004２.json",
      "_batches/-000000042.json",
      "_batches/0000000000.json",
      "_BATCHES/0000000042.json",
      "_batches%2F0000000042.json",
    ])
      expect(batchOf(key), key).to.equal(undefined);
  });
});
