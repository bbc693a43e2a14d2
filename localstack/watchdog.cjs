// Plain JavaScript, to start in an instant. See watchdog.ts, which starts it with a task.
const { spawnSync } = require("node:child_process");
const { existsSync, readFileSync, rmSync } = require("node:fs");

/** @type {import("./watchdog.ts").Task} */
const task = JSON.parse(process.argv[2]);

// Our parent may be gone by the time it is told something.
process.stdout.on("error", () => undefined);

/** Runs a command to its end; a signal to us in the meantime waits. */
function run({ program, args }) {
  const { status, signal, error, stdout, stderr } = spawnSync(program, args, {
    cwd: task.folder,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    windowsHide: true,
    ...task.user,
  });
  const reason = error?.message ?? (signal ? `ended by ${signal}` : `exit code ${status}`);
  return { ok: status === 0, output: [reason, stdout, stderr].filter(Boolean).join("\n") };
}

function finish() {
  if (task.stop) run(task.stop);
  // Its processes may still be writing their last files.
  rmSync(task.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  process.exit();
}

// We end when our parent does, and not before: its service manager may send signals to both of us.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => undefined);

for (const command of task.start ?? []) {
  const { ok, output } = run(command);
  if (ok) continue;
  const log = task.log && existsSync(task.log) ? readFileSync(task.log, "utf8").slice(-4000) : "";
  console.log(JSON.stringify({ failed: command.program, output: `${output}\n${log}` }));
  finish();
}
console.log(JSON.stringify({ ready: true }));

process.stdin.resume();
process.stdin.on("end", finish);
// A pipe that breaks has ended as well.
process.stdin.on("error", finish);
