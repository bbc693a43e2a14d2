// The server of the page, spoken to as a browser does, and as what means it ill.
import { setTimeout as delay } from "node:timers/promises";
import { request, type IncomingHttpHeaders } from "node:http";
import { atMostEvery, type Answers } from "../../watch/answers.ts";
import { stagesBetween } from "../../watch/live.ts";
import { serve, type Watch } from "../../watch/server.ts";
import { expect } from "../support/chai.ts";
import { answersOf, overview } from "./fixtures.ts";

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

describe("the server of totes watch", () => {
  let watch: Watch;
  let answers: Answers;
  let asked: unknown;
  before(async () => {
    const healthy = answersOf("healthy");
    answers = {
      ...healthy,
      batches: (page) => {
        asked = page;
        return healthy.batches(page);
      },
      business: () => Promise.reject(new Error("no way to the warehouse")),
    };
    watch = await serve(answers, { port: 0, every: 20 });
  });
  after(() => watch.close());

  /** The path goes as it is: fetch would put it right. */
  const ask = (path: string, headers: object = {}, method = "GET"): Promise<Reply> =>
    new Promise((resolve, reject) => {
      const { port, host } = new URL(watch.url);
      request({ host: "127.0.0.1", port, path, method, headers: { host, ...headers } }, (reply) => {
        let body = "";
        reply.setEncoding("utf8").on("data", (part: string) => (body += part));
        reply.on("end", () => resolve({ status: reply.statusCode!, headers: reply.headers, body }));
      })
        .on("error", reject)
        .end();
    });

  it("lets the page load from here alone, and nobody frame it", async () => {
    const { status, headers } = await ask("/");
    expect(status).to.equal(200);
    expect(headers["content-type"]).to.equal("text/html; charset=utf-8");
    expect(headers["content-security-policy"]).to.equal(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    expect(headers["cross-origin-resource-policy"]).to.equal("same-origin");
    expect(headers["access-control-allow-origin"]).to.equal(undefined);
  });

  it("answers to no other name: a name elsewhere may be made to lead here", async () => {
    const { status, body } = await ask("/api/overview", { host: "evil.example" });
    expect(status).to.equal(421);
    expect(body).to.not.include("Healthy");
    expect((await ask("/api/overview", { host: watch.url.slice(7, -1) })).status).to.equal(200);
  });

  it("answers no other site's page, but a link that leads here", async () => {
    const site = { "sec-fetch-site": "cross-site" };
    expect((await ask("/api/overview", { ...site, "sec-fetch-mode": "no-cors" })).status).to.equal(
      403,
    );
    expect((await ask("/", { ...site, "sec-fetch-mode": "navigate" })).status).to.equal(200);
  });

  it("only reads", async () => {
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"])
      expect((await ask("/api/overview", {}, method)).status, method).to.equal(405);
  });

  it("goes on after a path that is none", async () => {
    for (const [path, status] of [
      ["//", 404],
      ["//evil.example/api/overview", 404],
      ["http://evil.example/api/overview", 404],
      ["@[", 400],
      [":99999/", 400],
    ] as const)
      expect((await ask(path)).status, path).to.equal(status);
    expect((await ask("/api/overview")).status).to.equal(200);
  });

  it("gives the page's files and no others", async () => {
    expect((await ask("/views/tables.js")).headers["content-type"]).to.equal(
      "text/javascript; charset=utf-8",
    );
    for (const path of [
      "/../server.ts",
      "/..%2fserver.ts",
      "/views/../../server.ts",
      "/tsconfig.json",
      "/nothing.js",
      "/views/",
      "//etc/passwd",
    ])
      expect((await ask(path)).status, path).to.equal(404);
  });

  it("says 404 of what is not there, and in words why something cannot be told", async () => {
    for (const path of [
      "/api/batches/4128",
      "/api/batches/x",
      "/api/tables/%E0",
      "/api/x",
      "/api/batches/1/2",
    ])
      expect((await ask(path)).status, path).to.equal(404);
    const { status, body } = await ask("/api/business");
    expect(status).to.equal(503);
    expect(JSON.parse(body)).to.deep.equal({ error: "no way to the warehouse" });
  });

  it("takes of a query what is usable", async () => {
    await ask("/api/batches?before=951&limit=7&only=quarantined");
    expect(asked).to.deep.equal({ before: 951, limit: 7, only: "quarantined" });
    await ask("/api/batches?before=-1&limit=100000&only=drop");
    expect(asked).to.deep.equal({ limit: 50, only: "all" });
  });

  it("tells whoever listens of the pipeline, and ends when it is closed", async () => {
    const own = await serve(answers, { port: 0, every: 20 });
    const reply = await fetch(`${own.url}api/events`);
    const reader = reply.body!.pipeThrough(new TextDecoderStream()).getReader();
    let heard = "";
    while (!heard.includes("event: overview\ndata: {")) heard += (await reader.read()).value ?? "";
    await own.close();
    await reader.read().catch(() => undefined);
    await expect(fetch(own.url)).to.be.rejected;
  });

  it("says that the port is taken", async () => {
    const port = Number(new URL(watch.url).port);
    await expect(serve(answers, { port })).to.be.rejectedWith(/EADDRINUSE/);
  });
});

describe("stations that batches came to", () => {
  it("are those between two looks, in order", () => {
    const before = overview("stopped", 49);
    const [first, second] = [before.recent[6]!, before.recent[0]!];
    expect([first.batch, second.batch]).to.deep.equal([43, 49]);
    const loaded = { ...first, status: "loaded" as const };
    const fresh = { ...second, batch: 50, stages: { ingestion: second.stages.ingestion } };
    const now = {
      ...before,
      batches: 50,
      recent: [fresh, second, loaded],
      now: "2026-11-26T12:00:00Z",
    };
    const moves = stagesBetween(before, now).map(({ batch, station }) => `${batch} ${station}`);
    expect(moves).to.deep.equal([
      "43 loading",
      "43 warehouse",
      "50 source",
      "50 ingestion",
      "50 ingestion_bucket",
    ]);
  });

  it("are none of batches that come into sight from further back", () => {
    const now = overview("stopped", 49);
    expect(stagesBetween({ ...now, recent: [] }, now)).to.deep.equal([]);
  });
});

describe("atMostEvery", () => {
  it("asks once for all who ask in that time, and again at once after a failure", async () => {
    let count = 0;
    const ask = atMostEvery(60_000, async () => {
      count++;
      if (count === 1) throw new Error("not yet");
      return count;
    });
    await expect(ask()).to.be.rejectedWith("not yet");
    expect(await Promise.all([ask(), ask()])).to.deep.equal([2, 2]);
    expect(await ask()).to.equal(2);
  });

  it("asks nobody again while an answer is under way, however long it takes", async () => {
    let count = 0;
    let end: (() => void) | undefined;
    const ask = atMostEvery(1, async () => {
      count++;
      await new Promise<void>((resolve) => (end = resolve));
      return count;
    });
    const first = ask();
    await delay(10);
    const second = ask();
    end!();
    expect(await Promise.all([first, second])).to.deep.equal([1, 1]);
    await delay(10);
    const third = ask();
    end!();
    expect(await third).to.equal(2);
  });
});
