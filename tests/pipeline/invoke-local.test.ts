// The bundles that are deployed, run by `sls invoke local` against the embedded stack.
import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { openShop } from "../../localstack/totesys/shop.ts";
import { compare, latestOf, problems, starOf } from "../../localstack/totesys/star.ts";
import { readIngestionManifest, readProcessedManifest } from "../../src/lake/manifest.ts";
import { expect } from "../support/chai.ts";
import { closeAll, connectTo } from "../support/pipeline.ts";
import { getStack } from "../support/stack.ts";

const run = promisify(execFile);
const root = path.join(import.meta.dirname, "..", "..");

describe("sls invoke local --stage local", () => {
  after(closeAll);

  it("runs each packaged function against the stack, and the warehouse is the shop's star", async () => {
    const { env, postgres } = await getStack();
    const { host, port, user, password } = postgres;
    const shop = connectTo({ host, port, user, password, database: "totesys" });
    const star = connectTo({ host, port, user, password, database: "warehouse" });
    await openShop(shop, { seed: 1, salesOrders: 20 });
    const invoke = async (name: string): Promise<Record<string, unknown>> => {
      const { stdout } = await run(
        process.execPath,
        [
          "node_modules/serverless/bin/serverless.js",
          "invoke",
          "local",
          "-f",
          name,
          "--stage",
          "local",
          "--data",
          "{}",
        ],
        {
          cwd: root,
          // What .env.local says, but for the port: what is in the environment goes before it.
          env: { ...process.env, AWS_ENDPOINT_URL: env.AWS_ENDPOINT_URL, NODE_NO_WARNINGS: "1" },
        },
      );
      return JSON.parse(stdout.slice(stdout.indexOf("{\n"))) as Record<string, unknown>;
    };
    expect(await invoke("ingestion")).to.include({ outcome: "committed", batch: 1 });
    const { batches } = await invoke("transformation");
    expect(batches).to.have.length(1);
    const { newest, prepared } = await invoke("loading");
    expect(newest).to.equal(1);
    expect(prepared).to.have.length(11);
    expect(problems(compare(await starOf(shop), await latestOf(star)))).to.deep.equal([]);
    // The bundles are of one age: a deploy's functions take each other's batches.
    Object.assign(process.env, env);
    const ingested = await readIngestionManifest(env.INGESTION_BUCKET, 1);
    const processed = await readProcessedManifest(env.PROCESSED_BUCKET, 1);
    expect(ingested!.manifest.build).to.be.within(Date.UTC(2026, 0), Date.now());
    expect(processed!.manifest.build).to.equal(ingested!.manifest.build);
  });
});
