import { expect } from "chai";
import fc from "fast-check";
import { date, decimal, integer, nullable, timestamp } from "../../src/columns.ts";
import { codecNamed } from "../../src/parquet/codec.ts";
import { fileColumns } from "../../src/parquet/schema.ts";
import { store } from "../../src/values.ts";
import { codecContract } from "../contracts/codec.ts";
import { anyStored, everyType, readStored, writeStored } from "../contracts/stored.ts";

const limits = { int64Bits: 53 } as const;

codecContract("parquets", limits);

describe("a file of the codec parquets", () => {
  it("is read by the default codec with the types it was declared with", async () => {
    const [parquets, hyparquet] = [await codecNamed("parquets"), await codecNamed()];
    const columns = fileColumns(everyType);
    const data = columns.map((column, c) =>
      fc.sample(anyStored(column, limits), { numRuns: 500, seed: c }),
    );
    const bytes = await writeStored(parquets, columns, data);
    expect(await readStored(hyparquet, bytes, columns)).to.deep.equal(data);
  });

  it("is not taken by the default codec for one of other types", async () => {
    const [parquets, hyparquet] = [await codecNamed("parquets"), await codecNamed()];
    const [written, asked] = [{ it: decimal(10, 2) }, { it: decimal(10, 3) }].map(fileColumns);
    const bytes = await writeStored(parquets, written ?? [], [[1], [1n]]);
    await readStored(hyparquet, bytes, asked ?? []).then(
      () => expect.fail("was read"),
      (error: unknown) =>
        expect(String(error)).to.match(/found decimal\(10,2\), expected decimal\(10,3\)/),
    );
  });

  it("is all that the codec parquets reads, and it says so", async () => {
    const [parquets, hyparquet] = [await codecNamed("parquets"), await codecNamed()];
    const columns = fileColumns({ id: integer });
    const bytes = await writeStored(hyparquet, columns, [[1], [1n]]);
    await readStored(parquets, bytes, columns).then(
      () => expect.fail("was read"),
      (error: unknown) => expect(String(error)).to.match(/reads its own files only/),
    );
  });

  // The package itself takes only days and moments from 1970 on.
  it("holds days and moments before 1970", async () => {
    const parquets = await codecNamed("parquets");
    const columns = fileColumns({ day: date, wall: nullable(timestamp) }).slice(0, 2);
    const data = [
      [store(date, "1900-03-01"), store(date, "0001-01-01")],
      [store(timestamp, "1900-03-01T12:00:00.5"), null],
    ];
    expect(
      await readStored(parquets, await writeStored(parquets, columns, data), columns),
    ).to.deep.equal(data);
  });
});
