// The live page: serves it until Ctrl-C.
import { HOST, serve, type Watch } from "../../watch/server.ts";
import { answersOf } from "../../watch/pipeline.ts";
import { UsageError, wholeNumber } from "../options.ts";
import { placesOf } from "../places.ts";
import { defineVerb, stageOptions } from "../verb.ts";

const PORT = 4580;
/** Milliseconds between two looks at a pipeline that is elsewhere: each costs requests. */
const ELSEWHERE_MS = 5_000;

export const watch = defineVerb({
  command: "watch",
  describe: "a page that shows the pipeline at work",
  about: `The page is served on ${HOST} until Ctrl-C. It only reads: what is to be done it says, for you to type.`,
  examples: [
    ["watch", "the stack that `totes up` started"],
    ["watch --stage dev", "a deployed stage"],
    ["watch --port 0", "on any free port"],
  ],
  build: (args) =>
    stageOptions(args).option("port", {
      type: "string",
      default: String(PORT),
      describe: "where it listens; 0: any free one",
      coerce: (text: string) => wholeNumber("port", text, 0, 65_535),
    }),
  run: async ({ port, ...stage }, { terminal, answer }) => {
    const places = await placesOf(stage);
    const every = stage.stage === "local" ? undefined : ELSEWHERE_MS;
    const page = await serve(answersOf(places), { port, ...(every && { every }) }).catch(
      (error: NodeJS.ErrnoException) => {
        throw inWords(error, port);
      },
    );
    answer({ url: page.url });
    terminal.line(`  The page is at ${page.url}`);
    terminal.line("  Ctrl-C ends it.");
    await ended(page);
    return 0;
  },
});

function inWords(error: NodeJS.ErrnoException, port: number): Error {
  if (error.code === "EADDRINUSE")
    return new UsageError(
      `port ${port} is taken, perhaps by another totes watch; --port 0 takes any free one`,
    );
  return error.code === "EACCES"
    ? new UsageError(`port ${port} may not be opened by this user; --port 0 takes any free one`)
    : error;
}

/** Waits for Ctrl-C, or for whoever stops the process. */
async function ended(page: Watch): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
      process.once(signal, () => resolve());
  });
  await page.close();
}
