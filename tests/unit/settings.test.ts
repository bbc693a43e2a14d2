import sinon from "sinon";
import { getSettings, LIMITS, SettingsError } from "../../src/settings.ts";
import { expect } from "../support/chai.ts";

describe("getSettings", () => {
  afterEach(() => sinon.restore());
  const given = (env: Record<string, string>): void => void sinon.stub(process, "env").value(env);

  it("gives what is asked for, and nothing else", () => {
    given({ INGESTION_BUCKET: "a", PROCESSED_BUCKET: "b" });
    expect(getSettings("INGESTION_BUCKET")).to.deep.equal({ INGESTION_BUCKET: "a" });
  });

  it("says what holds where the environment says nothing", () => {
    given({});
    expect(
      getSettings("BATCH_ROWS", "BATCH_BYTES", "CONTINUE_AT_ONCE", "PARQUET_CODEC"),
    ).to.deep.equal({
      BATCH_ROWS: 100_000,
      BATCH_BYTES: 33_554_432,
      CONTINUE_AT_ONCE: "false",
      PARQUET_CODEC: "hyparquet",
    });
    expect(LIMITS).to.deep.equal({ rows: 100_000, bytes: 33_554_432 });
  });

  it("takes what the environment says", () => {
    const texts = { CONTINUE_AT_ONCE: "true", PARQUET_CODEC: "parquets" };
    given({ BATCH_ROWS: "7", BATCH_BYTES: "9999999999", ...texts });
    expect(
      getSettings("BATCH_ROWS", "BATCH_BYTES", "CONTINUE_AT_ONCE", "PARQUET_CODEC"),
    ).to.deep.equal({ BATCH_ROWS: 7, BATCH_BYTES: 9_999_999_999, ...texts });
  });

  const hint = "; serverless.yml sets it for a deployed function";
  const refused: [Parameters<typeof getSettings>[0], string | undefined, string][] = [
    ["INGESTION_BUCKET", undefined, "expected a value, found none"],
    ["PROCESSED_BUCKET", "", 'expected a value, found ""'],
    ["SOURCE_SECRET", undefined, "expected a value, found none"],
    ["WAREHOUSE_SECRET", undefined, "expected a value, found none"],
    ["BATCH_ROWS", "0", 'expected a whole number from 1 up, found "0"'],
    ["BATCH_ROWS", "1 ", 'expected a whole number from 1 up, found "1 "'],
    ["BATCH_ROWS", " 1", 'expected a whole number from 1 up, found " 1"'],
    ["BATCH_BYTES", "10000000000", 'expected a whole number from 1 up, found "10000000000"'],
    ["CONTINUE_AT_ONCE", "yes", 'expected ("true" | "false"), found "yes"'],
    ["PARQUET_CODEC", "arrow", 'expected ("hyparquet" | "parquets"), found "arrow"'],
  ];
  for (const [name, value, message] of refused)
    it(`refuses ${name}=${JSON.stringify(value) ?? ""}`, () => {
      given(value === undefined ? {} : { [name]: value });
      expect(() => getSettings(name))
        .to.throw(SettingsError, `environment variable ${name}: ${message}${hint}`)
        .with.property("name", "SettingsError");
    });
});
