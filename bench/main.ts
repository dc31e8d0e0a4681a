/**
 * Measures the product, and its peers beside it, on real brokers. Prints a table for each benchmark and leaves its
 * figures in bench/results/. `bun run bench --help` says how.
 */
import { knownWord, ownCommandLine, wholeNumber } from "../kit/arguments.ts";
import { stopWhenTold } from "../kit/child.ts";
import { thisMachine } from "../kit/machine.ts";
import { benchmarks } from "./benchmarks.ts";
import { machine, table, writeResults } from "./results.ts";
import { type Brokers, startBrokers } from "./rig/brokers.ts";
import type { Effort } from "./rig/compare.ts";
import { makePeers } from "./sides/peers.ts";

const names = Object.keys(benchmarks);
const usage = `bun run bench [options]
  --only NAME        this one, and others that are named so; there are: ${names.join(", ")}
  --rounds 3         in each of which every side has its turn
  --seconds 5        that each is measured
  --warm-up 60       seconds that the brokers are warmed up
  --connections N    this many, and others that are named so, instead of the benchmark's own
  --quick            everything runs, but so briefly that only the checks mean something; no figure is kept
Exit code: 0 measured; 1 a side failed its checks; 2 the command was not understood.`;
const text = { type: "string" } as const;
const several = { ...text, multiple: true } as const;
const quick = { type: "boolean", default: false } as const;
const options = { rounds: text, seconds: text, "warm-up": text, quick, only: several, connections: several };
const { wanted, effort } = ownCommandLine(usage, options, (given): { wanted: string[]; effort: Effort } => ({
  wanted: (given.only ?? names).map((name) => knownWord("benchmark", name, names)),
  effort: given.quick
    ? { warmUpSeconds: 1, seconds: 1, rounds: 1, quick: true, connections: [] }
    : {
        warmUpSeconds: wholeNumber("--warm-up", given["warm-up"] ?? "60", 0),
        seconds: wholeNumber("--seconds", given.seconds ?? "5", 1),
        rounds: wholeNumber("--rounds", given.rounds ?? "3", 1),
        quick: false,
        connections: (given.connections ?? []).map((count) => wholeNumber("--connections", count, 1)),
      },
}));

const stop = stopWhenTold();
await makePeers(thisMachine(stop), !effort.quick);
let system: Awaited<ReturnType<typeof startBrokers>> | undefined;
let failed = false;
try {
  for (const [name, benchmark] of Object.entries(benchmarks).filter(([name]) => wanted.includes(name))) {
    const { what, alone } = benchmark;
    console.log(`\n${name}: ${what}`);
    const common = { effort, stop, say: (line: string) => console.log(`  ${line}`) };
    if (!alone) system ??= await startBrokers(stop);
    const rows = await (alone
      ? benchmark.run(common)
      : benchmark.run({ ...common, brokers: system?.brokers as Brokers }));
    console.log(`\n${table(rows)}`);
    failed ||= rows.some(({ noFigure }) => noFigure !== undefined);
    if (effort.quick) continue;
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
