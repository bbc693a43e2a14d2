import { expect } from "chai";
import { spawnSync } from "node:child_process";
import { codecNamed } from "../../src/parquet/codec.ts";

describe("codecNamed", () => {
  it("gives hyparquet unless asked for another", async () => {
    expect((await codecNamed()).name).to.equal("hyparquet");
    expect((await codecNamed("hyparquet")).name).to.equal("hyparquet");
    expect((await codecNamed("parquets")).name).to.equal("parquets");
  });

  it("refuses a name it does not know, and names those it does", async () => {
    for (const name of ["arrow", "", "toString", "__proto__", "Hyparquet"]) {
      await codecNamed(name).then(
        () => expect.fail(`${name} was found`),
        (error: unknown) => expect(String(error)).to.match(/choose from hyparquet, parquets/),
      );
    }
  });

  it("loads the package parquets only when that codec is used", () => {
    const loaded = (name: string): boolean => {
      const script = `
        import { createRequire } from "node:module";
        import { codecNamed } from "./src/parquet/codec.ts";
        import { fileColumns } from "./src/parquet/schema.ts";
        const codec = await codecNamed("${name}");
        const columns = fileColumns({});
        await codec.read(await codec.write(columns, [{ layout: "bigint", values: [1n], nulls: undefined }]), columns);
        const files = Object.keys(createRequire(import.meta.url).cache);
        console.log(files.some((file) => /node_modules.(parquets|thrift)/.test(file)));`;
      const root = new URL("../..", import.meta.url);
      const args = ["--import", "tsx", "--input-type=module", "--eval", script];
      const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
      expect(stdout, stderr).to.match(/^(true|false)\n$/);
      return stdout === "true\n";
    };
    expect(loaded("hyparquet")).to.equal(false);
    expect(loaded("parquets")).to.equal(true);
  });
});
