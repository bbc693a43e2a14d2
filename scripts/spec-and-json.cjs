// A mocha reporter: `spec` for people, and mocha's own JSON for the counts, written to the file that MOCHA_JSON names.
const { reporters } = require("mocha");

module.exports = class SpecAndJson extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const output = process.env.MOCHA_JSON;
    if (output) new reporters.JSON(runner, { ...options, reporterOption: { output } });
  }
};
