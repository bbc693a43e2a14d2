// Preloaded into the emulator's functions: its Node worker looks for .js and .mjs handlers alone, where Lambda takes .cjs too.
const { _extensions } = require("node:module");
_extensions[".cjs"] ??= _extensions[".js"];
