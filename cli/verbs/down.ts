// Stops what `totes up` started.
import { LOCAL_FOLDER } from "../../localstack/background/state.ts";
import { stopStack } from "../../localstack/background/stop.ts";
import { defineVerb, type Verb } from "../verb.ts";

/** @param folder where the stack's state is */
export const downIn = (folder: string): Verb =>
  defineVerb({
    command: "down",
    describe: "stops and removes what `totes up` started",
    about: "The databases and buckets go with it. Its log stays, until the next `totes up`.",
    examples: [["down", "waits until all is gone"]],
    stopped: "what was told to stop stops by itself",
    build: (args) => args,
    run: async (_asked, { terminal, answer }) => {
      const stopped = await terminal.working("everything stops", () => stopStack(folder));
      terminal.line(stopped ? "  Everything is stopped and removed." : "  Nothing was running.");
      answer({ stopped: stopped !== undefined });
      return 0;
    },
  });

export const down = downIn(LOCAL_FOLDER);
