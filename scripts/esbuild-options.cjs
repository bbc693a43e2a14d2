// How the functions are bundled, said once: serverless.yml hands this to serverless-esbuild, scripts/bundle.ts to esbuild.
// serverless-esbuild loads this with require(): keep it CommonJS.
module.exports = {
  bundle: true,
  minify: true,
  keepNames: true, // errors are told apart by their names
  format: "cjs",
  outputFileExtension: ".cjs", // invoke local cannot load .mjs
  target: "node24",
  mainFields: ["module", "main"], // the SDK as ES modules: what is not called is left out
  sourcemap: "linked",
  sourcesContent: false, // stack traces need the lines' numbers alone
  exclude: [], // the SDK is bundled: what was tested is what runs
  plugins: "scripts/esbuild-plugins.cjs",
  skipRebuild: true, // a build error would hang for ever otherwise
  watch: { pattern: [] }, // npm run offline watches: see localstack/offline/
};
