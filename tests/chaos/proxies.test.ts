// What the harness does to calls is what it says it does: else its scenarios prove nothing.
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import pg from "pg";
import { from as copyFrom } from "pg-copy-streams";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { inSession } from "../../localstack/session.ts";
import { expect } from "../support/chai.ts";
import { freshDatabases, getStack, type FreshDatabases } from "../support/stack.ts";
import type { Injury, Meet, Request } from "./calls.ts";
import { startHttpProxy, type HttpProxy } from "./http-proxy.ts";
import { errorResponse, message, Messages } from "./postgres-messages.ts";
import { startPostgresProxy, type PostgresProxy } from "./postgres-proxy.ts";

/** Has a proxy injure the first call that fits. */
function once(fits: (request: Request) => boolean, injury: Injury): { meet: Meet; met: Request[] } {
  const met: Request[] = [];
  let isDone = false;
  const meet: Meet = (request) => {
    met.push(request);
    if (isDone || !fits(request)) return undefined;
    isDone = true;
    return injury;
  };
  return { meet, met };
}

describe("PostgreSQL's messages", () => {
  it("are the same however they are cut on the way", () => {
    const bytes = Buffer.concat([
      message("Q", "select 1\0"),
      message("Z", "I"),
      errorResponse("ERROR", "53100", "full"),
    ]);
    const messages = new Messages(false);
    const types = [...bytes].flatMap((byte) =>
      [...messages.take(Buffer.of(byte))].map(({ type }) => type),
    );
    expect(types.join("")).to.equal("QZE");
  });

  it("begin, from a client, with one that has no type", () => {
    const startup = Buffer.from("\0\0\0\u0009\0\u0003\0\0\0", "latin1");
    const types = [...new Messages(true).take(Buffer.concat([startup, message("Q", "\0")]))].map(
      ({ type }) => type,
    );
    expect(types).to.deep.equal(["", "Q"]);
  });
});

describe("the proxy of PostgreSQL", () => {
  let fresh: FreshDatabases;
  let proxy: PostgresProxy | undefined;
  let client: pg.Client | undefined;
  before(async () => {
    fresh = await freshDatabases();
  });
  afterEach(async () => {
    await client?.end().catch(() => undefined);
    await proxy?.close();
    [client, proxy] = [undefined, undefined];
  });

  const open = async (fits: (request: Request) => boolean, injury: Injury): Promise<Request[]> => {
    const { meet, met } = once(fits, injury);
    proxy = await startPostgresProxy(fresh.warehouse.port, () => "warehouse", meet);
    client = new pg.Client({ ...fresh.warehouse, port: proxy.port });
    client.on("error", () => undefined);
    await client.connect();
    return met;
  };
  const at =
    (what: string) =>
    (request: Request): boolean =>
      request.what === what;
  const copyIn = async (): Promise<void> => {
    await pipeline(Readable.from(["1\n", "2\n"]), client!.query(copyFrom("copy t from stdin")));
  };
  const count = (): Promise<number> =>
    inSession(fresh.warehouse, async (direct) => {
      const { rows } = await direct.query<{ n: number }>("select count(*)::int as n from t");
      return rows[0]!.n;
    });
  beforeEach(() =>
    inSession(fresh.warehouse, (direct) =>
      direct.query("drop table if exists t; create table t (i int)"),
    ),
  );

  it("passes on and tells every call, rows of COPY too", async () => {
    const met = await open(() => false, { do: "wait", ms: 0 });
    await copyIn();
    await client!.query("copy t to stdout").catch(() => undefined);
    expect(met.map(({ what }) => what).filter((what) => !what.includes("rows"))).to.include.members(
      ["connect", "copy t stdin", "copy t stdin ← end"],
    );
    expect(met.some(({ what }) => what === "copy t stdin ← rows")).to.equal(true);
    expect(await count()).to.equal(2);
  });

  it("has the server itself fail a statement, and its transaction with it", async () => {
    await open(at("insert into t"), { do: "error", code: "53100", message: "disk full" });
    await client!.query("begin");
    await expect(client!.query("insert into t values (1)")).to.be.rejected.and.eventually.include({
      code: "53100",
      message: "disk full",
    });
    await expect(client!.query("select 1")).to.be.rejectedWith(/current transaction is aborted/);
    await client!.query("commit");
    expect(await count()).to.equal(0);
  });

  it("fails a COPY in the middle of its rows", async () => {
    await open(at("copy t stdin ← rows"), { do: "error", code: "53100", message: "disk full" });
    await expect(copyIn()).to.be.rejected.and.eventually.include({ code: "53100" });
    await client!.query("insert into t values (7)");
    expect(await count()).to.equal(1);
  });

  it("loses a COMMIT's answer after it was carried out", async () => {
    await open(at("commit"), { do: "run", when: "after", run: () => undefined, next: "cut" });
    await client!.query("begin; insert into t values (1)");
    await expect(client!.query("commit")).to.be.rejected;
    expect(await count()).to.equal(1);
  });

  it("loses a COMMIT before it is carried out", async () => {
    await open(at("commit"), { do: "run", when: "before", run: () => undefined, next: "cut" });
    await client!.query("begin; insert into t values (1)");
    await expect(client!.query("commit")).to.be.rejected;
    expect(await count()).to.equal(0);
  });

  it("breaks off in the middle of a row", async () => {
    await open(at("copy t stdin ← rows"), { do: "break", in: "request" });
    await expect(copyIn()).to.be.rejected;
    expect(await count()).to.equal(0);
  });
});

describe("the proxy of S3", () => {
  let fresh: FreshDatabases;
  let proxy: HttpProxy | undefined;
  let s3: S3Client | undefined;
  before(async () => {
    fresh = await freshDatabases();
  });
  afterEach(async () => {
    s3?.destroy();
    await proxy?.close();
    [s3, proxy] = [undefined, undefined];
  });

  const open = async (operation: string, injury: Injury): Promise<Request[]> => {
    const { aws } = await getStack();
    const { meet, met } = once(({ what }) => what.startsWith(operation), injury);
    proxy = await startHttpProxy(aws.port, () => "bucket", 1, meet);
    s3 = new S3Client({
      endpoint: proxy.endpoint,
      region: aws.region,
      forcePathStyle: true,
      maxAttempts: 1,
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
    });
    return met;
  };
  const put = (Key: string): Promise<unknown> =>
    s3!.send(
      new PutObjectCommand({
        Bucket: fresh.env.INGESTION_BUCKET,
        Key,
        Body: "0123456789",
        IfNoneMatch: "*",
      }),
    );
  const get = async (Key: string): Promise<string> => {
    const { Body } = await s3!.send(
      new GetObjectCommand({ Bucket: fresh.env.INGESTION_BUCKET, Key }),
    );
    return Body!.transformToString();
  };

  it("passes on and tells every call", async () => {
    const met = await open("nothing", { do: "stale" });
    await put("staff/2026/a");
    expect(await get("staff/2026/a")).to.equal("0123456789");
    expect(met).to.deep.equal([
      { service: "s3", what: "PutObject bucket/staff", isConditional: true },
      { service: "s3", what: "GetObject bucket/staff", isConditional: false },
    ]);
  });

  it("refuses what it did not pass on, or did", async () => {
    await open("Put", { do: "refuse", status: 503, code: "SlowDown", done: false });
    await expect(put("b")).to.be.rejected.and.eventually.include({ name: "SlowDown" });
    await expect(get("b")).to.be.rejected.and.eventually.include({ name: "NoSuchKey" });
    s3!.destroy();
    await proxy!.close();
    await open("Put", { do: "refuse", status: 500, code: "InternalError", done: true });
    await expect(put("b")).to.be.rejected.and.eventually.include({ name: "InternalError" });
    expect(await get("b")).to.equal("0123456789");
  });

  it("delivers twice: the second conditional put finds the first", async () => {
    await open("Put", { do: "repeat", hears: "second" });
    await expect(put("c")).to.be.rejected.and.eventually.include({ name: "PreconditionFailed" });
    expect(await get("c")).to.equal("0123456789");
  });

  it("breaks off in the middle of an upload, which is then not done", async () => {
    await open("Put", { do: "break", in: "request" });
    await expect(put("d")).to.be.rejected;
    await expect(get("d")).to.be.rejected.and.eventually.include({ name: "NoSuchKey" });
  });

  it("breaks off in the middle of a download", async () => {
    await open("Get", { do: "break", in: "answer" });
    await put("e");
    await expect(get("e")).to.be.rejected;
    expect(await get("e")).to.equal("0123456789");
  });
});
