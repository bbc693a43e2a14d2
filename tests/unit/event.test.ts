import fc from "fast-check";
import sinon from "sinon";
import { expect } from "../support/chai.ts";
import { answer, EventError, parseEvent } from "../../src/handlers/event.ts";

const s3 = (bucket: string, key: string) => ({
  eventSource: "aws:s3",
  s3: { bucket: { name: bucket }, object: { key } },
});
const sqs = (messageId: string, body: unknown) => ({
  messageId,
  body: typeof body === "string" ? body : JSON.stringify(body),
  eventSource: "aws:sqs",
});
const manifest = "_batches/0000000042.json";

describe("parseEvent", () => {
  const cases: [string, unknown, object[]][] = [
    ["an S3 event", { Records: [s3("lake", manifest)] }, [{ reason: { batch: 42 } }]],
    [
      "several S3 records",
      { Records: [s3("lake", manifest), s3("lake", "_batches/0000000043.json")] },
      [{ reason: { batch: 42 } }, { reason: { batch: 43 } }],
    ],
    [
      "an S3 event in an SQS message",
      { Records: [sqs("m1", { Records: [s3("lake", manifest)] })] },
      [{ id: "m1", reason: { batch: 42 } }],
    ],
    [
      "a message with two S3 records",
      {
        Records: [
          sqs("m1", { Records: [s3("lake", manifest), s3("lake", "_batches/0000000043.json")] }),
        ],
      },
      [
        { id: "m1", reason: { batch: 42 } },
        { id: "m1", reason: { batch: 43 } },
      ],
    ],
    [
      "a key whose slashes are encoded too",
      { Records: [s3("lake", "_batches%2F0000000042.json")] },
      [{ reason: { batch: 42 } }],
    ],
    [
      "a bare s3:TestEvent",
      { Service: "Amazon S3", Event: "s3:TestEvent", Bucket: "lake" },
      [{ reason: { ignored: "s3:TestEvent" } }],
    ],
    [
      "a wrapped s3:TestEvent",
      { Records: [sqs("m1", { Event: "s3:TestEvent" })] },
      [{ id: "m1", reason: { ignored: "s3:TestEvent" } }],
    ],
    [
      "the schedule",
      { source: "aws.events", "detail-type": "Scheduled Event", detail: {} },
      [{ reason: { tick: true } }],
    ],
    ["nothing at all", undefined, [{ reason: { tick: true } }]],
    ["no records", { Records: [] }, []],
    ["a message without records", { Records: [sqs("m1", { Records: [] })] }, []],
    [
      "a key that is no manifest",
      { Records: [s3("lake", "staff/2026/11/22/a+b%C3%A9.json.gz")] },
      [{ reason: { ignored: "staff/2026/11/22/a bé.json.gz is no manifest" } }],
    ],
    [
      "a key with ../",
      { Records: [s3("lake", "../_batches/0000000042.json")] },
      [{ reason: { ignored: "../_batches/0000000042.json is no manifest" } }],
    ],
    [
      "batch 0",
      { Records: [s3("lake", "_batches/0000000000.json")] },
      [{ reason: { ignored: "_batches/0000000000.json is no manifest" } }],
    ],
    [
      "another bucket's",
      { Records: [s3("other", manifest)] },
      [
        {
          reason: {
            refused: `an event of bucket other (key ${manifest}); this function waits for lake alone`,
          },
        },
      ],
    ],
    [
      "a key that is not encoded",
      { Records: [s3("lake", "%E0%A4%A")] },
      [{ reason: { refused: "a key that is not URL-encoded: %E0%A4%A" } }],
    ],
    [
      "a record of something else",
      { Records: [{ Sns: {} }] },
      [{ reason: { refused: `a record that is neither S3's nor SQS's: {"Sns":{}}` } }],
    ],
    [
      "a record without a bucket",
      { Records: [{ s3: { object: { key: manifest } } }] },
      [
        {
          reason: {
            refused: `a record that is neither S3's nor SQS's: {"s3":{"object":{"key":"${manifest}"}}}`,
          },
        },
      ],
    ],
    [
      "a record without a key",
      { Records: [{ s3: { bucket: { name: "lake" } } }] },
      [
        {
          reason: {
            refused: `a record that is neither S3's nor SQS's: {"s3":{"bucket":{"name":"lake"}}}`,
          },
        },
      ],
    ],
    [
      "a record that is null",
      { Records: [null] },
      [{ reason: { refused: "a record that is null" } }],
    ],
  ];
  for (const [what, event, wakes] of cases)
    it(`understands ${what}`, () => {
      expect(parseEvent(event, "lake")).to.deep.equal(wakes);
    });

  const tricks = [
    "%2e%2e/_batches/0000000042.json",
    "_batches%252F0000000042.json",
    "_batches/0000000042.json%00",
    "_batches/0000000042.json%0A",
    "%00_batches/0000000042.json",
    "_batches/..%2F0000000042.json",
    "_batches//0000000042.json",
    "./_batches/0000000042.json",
    "_batches/0000000042.json%3FversionId=1",
    "+_batches/0000000042.json",
    "_batches/%EF%BC%90000000042.json",
    "_batches/99999999999.json",
    "lake/_batches/0000000042.json",
    "s3://other/_batches/0000000042.json",
    "_loads/0000000042.json",
    "",
  ];
  for (const key of tricks)
    it(`leaves a key alone that is a manifest's by a trick alone: ${JSON.stringify(key)}`, () => {
      const [wake] = parseEvent({ Records: [s3("lake", key)] }, "lake");
      expect(wake!.reason)
        .to.have.property("ignored")
        .that.matches(/ is no manifest$/);
    });

  for (const bucket of ["LAKE", "lake ", "lake/", "lake%20", "arn:aws:s3:::lake", "", "\0lake"])
    it(`refuses a bucket that is ours by a trick alone: ${JSON.stringify(bucket)}`, () => {
      const [wake] = parseEvent({ Records: [s3(bucket, manifest)] }, "lake");
      expect(wake!.reason)
        .to.have.property("refused")
        .that.matches(/^an event of bucket /);
    });

  const wrong: unknown[] = [undefined, null, 0, true, [], {}, ["lake"], { toString: "lake" }];
  it("refuses what is of a wrong type, wherever it stands", () => {
    const events = wrong.flatMap((value) => [
      { s3: value },
      { s3: { bucket: value, object: { key: manifest } } },
      { s3: { bucket: { name: value }, object: { key: manifest } } },
      { s3: { bucket: { name: "lake" }, object: value } },
      { s3: { bucket: { name: "lake" }, object: { key: value } } },
      { body: value, s3: value },
      { body: JSON.stringify({ Records: [value] }), messageId: "m1" },
    ]);
    for (const event of events) {
      const [wake, ...others] = parseEvent({ Records: [event] }, "lake");
      expect(others).to.deep.equal([]);
      expect(wake!.reason, JSON.stringify(event)).to.have.property("refused").that.is.a("string");
    }
  });

  it("does not look into a message within a message", () => {
    const inner = { Records: [s3("lake", manifest)] };
    const [wake] = parseEvent({ Records: [sqs("m1", { Records: [sqs("m2", inner)] })] }, "lake");
    expect(wake).to.have.property("id", "m1");
    expect(wake!.reason).to.have.property("refused");
  });

  it("has an id for a message whose own is an object that has no text", () => {
    for (const messageId of [{ toString: "" }, [{ toString: "" }]])
      expect(parseEvent({ Records: [{ messageId, body: "{}" }] }, "lake")).to.deep.equal([
        { id: JSON.stringify(messageId), reason: { tick: true } },
      ]);
  });

  it("makes a reason of anything, and a batch of nothing but our bucket's manifests", () => {
    const part = fc.oneof(
      fc.constantFrom("lake", "other", manifest, "s3", "bucket", "Records", "body", "__proto__"),
      fc.anything({ withNullPrototype: true }),
    );
    const record = fc.oneof(
      fc.record({
        s3: fc.oneof(
          part,
          fc.record({ bucket: fc.record({ name: part }), object: fc.record({ key: part }) }),
        ),
      }),
      fc.record({ messageId: part, body: fc.oneof(part, fc.json()) }),
      part,
    );
    fc.assert(
      fc.property(
        fc.oneof(part, fc.record({ Records: fc.oneof(fc.array(record), part) })),
        (event) => {
          // As Lambda hands it over: what came through JSON.
          const text = JSON.stringify(event, (_, value: unknown) =>
            typeof value === "bigint" ? String(value) : value,
          ) as string | undefined;
          const sent: unknown = text === undefined ? undefined : JSON.parse(text);
          for (const { reason } of parseEvent(sent, "lake")) {
            expect(Object.keys(reason)).to.have.length(1);
            if ("batch" in reason) {
              expect(reason.batch).to.equal(42);
              expect(text).to.include("lake").and.include(manifest);
            }
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("refuses a message that is not JSON, under its id", () => {
    const [wake] = parseEvent({ Records: [sqs("m1", "{")] }, "lake");
    expect(wake!.id).to.equal("m1");
    expect(wake!.reason)
      .to.have.property("refused")
      .that.matches(/message m1 is not JSON/);
  });
});

describe("answer", () => {
  let log: { ignored: sinon.SinonSpy; failed: sinon.SinonSpy };
  beforeEach(() => (log = { ignored: sinon.spy(), failed: sinon.spy() }));

  it("reports the messages that failed, each once, logs why, and does the others", async () => {
    const work = sinon.stub().resolves();
    work.withArgs({ batch: 42 }).rejects(new Error("no"));
    const event = {
      Records: [
        sqs("m1", { Records: [s3("lake", manifest)] }),
        sqs("m2", { Records: [s3("lake", "_batches/0000000043.json")] }),
        sqs("m3", { Records: [s3("other", manifest), s3("other", manifest)] }),
      ],
    };
    expect(await answer(event, "lake", work, log)).to.deep.equal({
      batchItemFailures: [{ itemIdentifier: "m1" }, { itemIdentifier: "m3" }],
    });
    expect(work.args.flat()).to.deep.equal([{ batch: 42 }, { batch: 43 }]);
    expect(log.failed.callCount).to.equal(3);
  });

  it("throws what failed outside a queue, once all records were tried", async () => {
    const work = sinon.stub().resolves();
    work.withArgs({ batch: 42 }).rejects(new Error("no"));
    const event = { Records: [s3("lake", manifest), s3("lake", "_batches/0000000043.json")] };
    await expect(answer(event, "lake", work, log)).to.be.rejectedWith("no");
    expect(work.callCount).to.equal(2);
    expect(log.failed.called).to.equal(false); // whoever catches it logs it
  });

  it("throws what is refused outside a queue, by name", async () => {
    const event = { Records: [s3("other", manifest)] };
    await expect(answer(event, "lake", sinon.stub(), log))
      .to.be.rejectedWith(EventError, `refused: an event of bucket other (key ${manifest});`)
      .and.eventually.have.property("name", "EventError");
  });

  it("throws several failures as one that names them all", async () => {
    const work = sinon.stub();
    work.onFirstCall().rejects(new Error("one")).onSecondCall().rejects(new Error("two"));
    const event = { Records: [s3("lake", manifest), s3("lake", manifest)] };
    await expect(answer(event, "lake", work, log)).to.be.rejectedWith(AggregateError, "one; two");
  });

  it("logs what it leaves alone, and does no work for it", async () => {
    const work = sinon.stub().resolves();
    await answer({ Event: "s3:TestEvent" }, "lake", work, log);
    expect(log.ignored.args).to.deep.equal([["s3:TestEvent"]]);
    expect(work.called).to.equal(false);
  });
});
