import { expect } from "chai";
import { type Made, ints, plain, read, text, texts } from "./pages.ts";

describe("texts in a column", () => {
  const clock = (...written: string[]): Made => ({
    element: texts,
    column: { type: "time" },
    rows: written.length,
    pages: [
      {
        body: Buffer.concat(
          written.flatMap((one) => [ints(Buffer.byteLength(one)), Buffer.from(one)]),
        ),
        header: plain(written.length),
      },
    ],
  });

  it("reads any text that is a time of day as microseconds", () => {
    expect(
      read(clock("00:00:00.000000", "23:59:59.999999", "14:20:52.1", "14:20:52", "14:20:52.186")),
    ).to.deep.equal([0, 86_399_999_999, 51_652_100_000, 51_652_000_000, 51_652_186_000]);
  });

  for (const text of [
    "24:00:00.000000",
    "23:60:00.000000",
    "23:59:60.000000",
    "23:59:59,999999",
    "23-59:59.999999",
    "23:59.59.999999",
    "2x:59:59.999999",
    "23:59:59.99999x",
    "/3:59:59.999999",
    "23:59:5:.999999",
    "23:59:59.9999999",
    "23:59:59.:99999",
    "23:59:59.9:9999",
    "23:59:59.9/9999",
    "23:59:59.",
    "",
    "é3:59:59.99999",
  ]) {
    it(`refuses ${JSON.stringify(text)} for a time of day`, () => {
      expect(() => read(clock("12:00:00.000000", text))).to.throw(/is no time of day/);
    });
  }

  it("says the first sixty characters of what is no time of day", () => {
    const long = "x".repeat(100);
    expect(() => read(clock(long))).to.throw(`"${long.slice(0, 60)}" is no time of day`);
  });

  it("keeps U+FFFD and byte order marks that were written", () => {
    expect(read(text(Buffer.from("\ufeff\ufffd")))).to.deep.equal(["\ufeff\ufffd"]);
  });
});
