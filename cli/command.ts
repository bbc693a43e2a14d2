import { UsageError } from "./options.ts";

/**
 * Reads this process' command line, and runs what it asks for. Gives the exit code: 0 for help, 2 for a wrong option,
 * else what `run` gives.
 * @param read gives the options, undefined where they ask for help; throws UsageError
 */
export async function command<O>(
  read: (args: readonly string[]) => O | undefined,
  help: string,
  run: (options: O) => Promise<number>,
): Promise<number> {
  process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] = "true";
  let options: O | undefined;
  try {
    options = read(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}; --help says what there is`);
    return 2;
  }
  if (options !== undefined) return run(options);
  console.log(help);
  return 0;
}
