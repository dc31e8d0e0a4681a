/** `bun run bench` once its command line is read and all that it needs is there: one benchmark after the other. */
import type { Machine } from "../kit/machine.ts";
import { benchmarks } from "./benchmarks.ts";
import { type BenchmarkName, benchmarkNames } from "./names.ts";
import { machine, table, writeResults } from "./results.ts";
import { type Brokers, startBrokers } from "./rig/brokers.ts";
import type { Effort } from "./rig/compare.ts";
import { makePeers } from "./sides/peers.ts";

/** @returns whether every side passed its checks */
export async function measure(
  wanted: readonly BenchmarkName[],
  effort: Effort,
  on: Machine,
): Promise<boolean> {
  const { stop } = on;
  await makePeers(on, !effort.quick);
  let system: Awaited<ReturnType<typeof startBrokers>> | undefined;
  let failed = false;
  try {
    for (const name of benchmarkNames.filter((name) => wanted.includes(name))) {
      const benchmark = benchmarks[name];
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
  return !failed;
}
