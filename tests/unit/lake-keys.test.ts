import {
  BATCHES,
  batchOf,
  compactedTo,
  compactionKey,
  getObjectPath,
  getTableName,
  HINTS,
  LOADS,
  manifestKey,
  rangeKey,
  receiptKey,
  rejectedPath,
} from "../../src/lake/keys.ts";
import { expect } from "../support/chai.ts";

// Objects that are there already are found by these: another key is another lake.
describe("the layout of the buckets", () => {
  it("has manifests, receipts and hints under prefixes of their own", () => {
    expect([BATCHES, LOADS]).to.deep.equal(["_batches/", "_loads/"]);
    expect(manifestKey(42)).to.equal("_batches/0000000042.json");
    expect(receiptKey(42)).to.equal("_loads/0000000042.json");
    expect(HINTS).to.deep.include({
      newest: "_hints/newest.json",
      loaded: "_hints/loaded.json",
      goOn: "_hints/continue.json",
    });
  });

  it("tells a manifest from all else", () => {
    expect(batchOf("_batches/0000000042.json")).to.equal(42);
    expect(batchOf("_batches/9999999999.json")).to.equal(9_999_999_999);
    for (const key of [
      "_batches/0000000000.json",
      "_batches/42.json",
      "_batches/00000000042.json",
      "_batches/0000000042.json.gz",
      "_batches/0000000042xjson",
      "_batches/000000004x.json",
      "x_batches/0000000042.json",
      "_loads/0000000042.json",
      "",
    ])
      expect(batchOf(key), key).to.equal(undefined);
  });

  it("has data by table, UTC day, batch and run", () => {
    // One o'clock at night in Berlin: the day before in UTC.
    const at = { at: new Date("2026-03-01T01:30:00+02:00"), batch: 42, run: "r1" };
    expect(getObjectPath("staff", at, "json.gz")).to.equal(
      "staff/2026/02/28/0000000042-r1.json.gz",
    );
    expect(rejectedPath("dim_staff", at, "json.gz")).to.equal(
      "_rejected/dim_staff/2026/02/28/0000000042-r1.json.gz",
    );
  });

  it("has compactions by their last batch, and what was agreed on by the first", () => {
    expect(compactionKey(3000)).to.equal("_compactions/0000003000.json");
    expect(rangeKey(1)).to.equal("_ranges/0000000001.json");
    expect(compactedTo("_compactions/0000003000.json")).to.equal(3000);
    for (const key of [
      "_compactions/3000.json",
      "_batches/0000003000.json",
      "_ranges/0000000001.json",
    ])
      expect(compactedTo(key), key).to.equal(undefined);
  });

  it("gives a table's name back, whatever is in it", () => {
    const at = { at: new Date(0), batch: 1, run: "r" };
    for (const name of ["staff", "a/b", "Größe", "50%", "a b"]) {
      expect(getTableName(getObjectPath(name, at, "parquet"))).to.equal(name);
      expect(getTableName(rejectedPath(name, at, "json.gz"))).to.equal(name);
    }
    expect(getTableName("x_rejected/staff/1")).to.equal("x_rejected");
  });
});
