import { startLane } from "./lane.ts";
import { record } from "./record.ts";
import { drawPlan } from "./plan.ts";
import { play } from "./scenario.ts";
import { KINDS } from "./faults.ts";
const t0 = performance.now();
const lane = await startLane();
console.log("lane", performance.now() - t0);
await record(lane);
console.log("recorded", performance.now() - t0, process.cpuUsage());
if (process.argv[2] === "points")
  for (const p of lane.points) console.log(p.stage, p.service, "|", p.what, "|", p.count, p.tick);
const from = Number(process.argv[3] ?? 1),
  to = Number(process.argv[4] ?? 0);
const kinds = process.argv[5]
  ? KINDS.filter((k) => process.argv[5]!.split(",").some((n) => k.startsWith(n)))
  : KINDS;
for (let seed = from; seed <= to; seed++) {
  const o = await play(lane, drawPlan(seed, kinds, lane.points));
  console.log(
    seed,
    o.seconds.toFixed(2),
    `runs ${o.runs} failed ${o.failed} batches ${o.batches}`,
    o.faults.map((f) => `${f.kind}@${f.at}=${f.fired}`).join("; "),
    o.problems.length ? o.problems : "",
  );
}
console.log("main cpu", process.cpuUsage());
const { execSync } = await import("node:child_process");
console.log(
  execSync(
    `ps -o pid,ppid,time,rss,args --ppid ${process.pid} | cut -c1-150; pstree -p ${lane.stack.postgres.pid} | head -3; cat /proc/${lane.stack.postgres.pid}/stat | cut -d' ' -f14-17`,
  ).toString(),
);
await lane.stop();
