/**
 * `bun run bench [--quick] [--only NAME]... [--rounds N] [--seconds N] [--warm-up SECONDS] [--connections N]...`: measures the product, and
 * its peers beside it, on real brokers. Prints a table for each benchmark and leaves its figures in bench/results/.
 * With --quick everything runs, but so briefly that only the checks mean something, and nothing is left. The exit code
 * is 1 when any side failed its checks.
 */
import { parseArgs } from "node:util";
import { stopWhenTold } from "../kit/child.ts";
import { thisMachine } from "../kit/machine.ts";
import { benchmarks } from "./benchmarks.ts";
import { machine, table, writeResults } from "./results.ts";
import { type Brokers, startBrokers } from "./rig/brokers.ts";
import type { Effort } from "./rig/compare.ts";
import { makePeers } from "./sides/peers.ts";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: Object.keys(benchmarks) },
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "5" },
    "warm-up": { type: "string", default: "60" },
    connections: { type: "string", multiple: true, default: [] },
  },
});
const unknown = values.only.filter((name) => !benchmarks[name]);
if (unknown.length > 0) {
  console.error(`No such benchmark: ${unknown.join(", ")}. There are: ${Object.keys(benchmarks).join(", ")}`);
  process.exit(1);
}
const effort: Effort = values.quick
  ? { warmUpSeconds: 1, seconds: 1, rounds: 1, quick: true, connections: [] }
  : {
      warmUpSeconds: Number(values["warm-up"]),
      seconds: Number(values.seconds),
      rounds: Number(values.rounds),
      quick: false,
      connections: values.connections.map(Number),
    };

const stop = stopWhenTold();
await makePeers(thisMachine(stop), !values.quick);
let system: Awaited<ReturnType<typeof startBrokers>> | undefined;
let failed = false;
try {
  for (const [name, benchmark] of Object.entries(benchmarks).filter(([name]) => values.only.includes(name))) {
    const { what, alone } = benchmark;
    console.log(`\n${name}: ${what}`);
    const common = { effort, stop, say: (line: string) => console.log(`  ${line}`) };
    if (!alone) system ??= await startBrokers(stop);
    const rows = await (alone
      ? benchmark.run(common)
      : benchmark.run({ ...common, brokers: system?.brokers as Brokers }));
    console.log(`\n${table(rows)}`);
    failed ||= rows.some(({ noFigure }) => noFigure !== undefined);
    if (values.quick) continue;
    const { rounds, seconds, warmUpSeconds, connections } = effort;
    const given = connections.map((n) => ` --connections ${n}`).join("");
    const command = `bun run bench --only ${name} --rounds ${rounds} --seconds ${seconds} --warm-up ${warmUpSeconds}${given}`;
    await writeResults({
      benchmark: name,
      what,
      command,
      date: new Date().toISOString(),
      machine: machine(),
      rows,
    });
  }
} finally {
  await system?.down();
}
process.exit(failed ? 1 : 0);
