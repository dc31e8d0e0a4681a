/**
 * Measures the product, and its peers beside it, on real brokers. Prints a table for each benchmark and leaves its
 * figures in bench/results/. `bun run bench --help` says how.
 */
import { begin } from "../infra/setup/prepare.ts";
import { knownWord, ownCommandLine, wholeNumber } from "../kit/arguments.ts";
import { endInWords, stopWhenTold } from "../kit/child.ts";
import { thisMachine } from "../kit/machine.ts";
import { type BenchmarkName, benchmarkNames, connectionCounts } from "./names.ts";
import type { Effort } from "./rig/compare.ts";

const counts = connectionCounts.map(String);
const usage = `bun run bench [options]
  --only NAME        this one, and others that are named so; there are: ${benchmarkNames.join(", ")}
  --rounds 3         in each of which every side has its turn
  --seconds 5        that each is measured
  --warm-up 60       seconds that the brokers are warmed up
  --connections N    of a benchmark's numbers of connections this one, and others that are named so: ${counts.join(", ")}
  --quick            everything runs, but so briefly that only the checks mean something; no figure is kept
Exit code: 0 measured; 1 a side failed its checks, or nothing could be measured; 2 the command was not understood.`;
type Wanted = { wanted: BenchmarkName[]; effort: Effort };
const text = { type: "string" } as const;
const several = { ...text, multiple: true } as const;
const quick = { type: "boolean", default: false } as const;
const options = { rounds: text, seconds: text, "warm-up": text, quick, only: several, connections: several };
const { wanted, effort } = ownCommandLine(
  usage,
  options,
  (given): Wanted => ({
    wanted: (given.only ?? benchmarkNames).map((name) => knownWord("benchmark", name, benchmarkNames)),
    effort: given.quick
      ? { warmUpSeconds: 1, seconds: 1, rounds: 1, quick: true, connections: [] }
      : {
          warmUpSeconds: wholeNumber("--warm-up", given["warm-up"] ?? "60", 0),
          seconds: wholeNumber("--seconds", given.seconds ?? "5", 1),
          rounds: wholeNumber("--rounds", given.rounds ?? "3", 1),
          quick: false,
          connections: (given.connections ?? []).map((count) =>
            Number(knownWord("number of connections of a benchmark", count, counts)),
          ),
        },
  }),
);

const machine = thisMachine(stopWhenTold());
try {
  await begin(effort.quick ? "bench-quick" : "bench", machine);
  // Not before: what it is made of is brought by that.
  const { measure } = await import("./measure.ts");
  process.exit((await measure(wanted, effort, machine)) ? 0 : 1);
} catch (error) {
  endInWords(error, machine.say);
}
