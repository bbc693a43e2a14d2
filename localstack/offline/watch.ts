import { readdirSync, watch, type FSWatcher } from "node:fs";
import path from "node:path";

/** What changes in folders. */
export interface Changes {
  /** The TypeScript files that changed since the call before, once there are any and all is quiet. */
  next(): Promise<readonly string[]>;
  close(): void;
}

/** Editors save in several steps, and git writes many files: nothing for so long, in milliseconds, is the end of it. */
const quietMs = 150;

/**
 * Watches the TypeScript files in folders and all that is in them: new ones and deleted ones as well.
 * @param folders relative to `root`; so are the files
 * @throws Error where a folder is not there
 */
export function watchFolders(root: string, folders: readonly string[]): Changes {
  const watchers = new Map<string, FSWatcher>();
  const changed = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let isQuiet = true;
  let wake = (): void => undefined;

  const onEvent = (folder: string, file: string | null): void => {
    watchAll();
    // Other names are editors' own: they write beside the file and rename.
    if (file === null || !/^[^.].*\.ts$/.test(file)) return;
    changed.add(path.join(folder, file));
    isQuiet = false;
    clearTimeout(timer);
    timer = setTimeout(() => {
      isQuiet = true;
      wake();
    }, quietMs);
  };
  // A watcher a folder: Node 20's recursive one loses sight of a file that was saved by renaming.
  const watchAll = (): void => {
    for (const folder of folders.flatMap((name) => withSubfolders(root, name)))
      if (!watchers.has(folder)) {
        const watcher = watch(path.join(root, folder), (_event, file) => onEvent(folder, file));
        // It was deleted.
        watcher.on("error", () => watcher.close());
        watchers.set(folder, watcher);
      }
  };
  watchAll();

  return {
    async next() {
      while (changed.size === 0 || !isQuiet) await new Promise<void>((resolve) => (wake = resolve));
      const files = [...changed];
      changed.clear();
      return files;
    },
    close() {
      clearTimeout(timer);
      for (const watcher of watchers.values()) watcher.close();
    },
  };
}

function withSubfolders(root: string, folder: string): string[] {
  const inside = readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)));
  return [folder, ...inside];
}
