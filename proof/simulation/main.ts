/**
 * Tries worlds: `--seeds N` runs N of fresh seeds and ends with 1 at the first that breaks a promise, printing its seed;
 * `--seed S` runs that one again and prints what happens in it, in order, with virtual times.
 */
import { parseArgs } from "node:util";
import { runWorld, type WorldOutcome } from "./run.ts";

const { values } = parseArgs({
  options: { seeds: { type: "string" }, seed: { type: "string" }, from: { type: "string" } },
});

/** Rejections that nobody heard: a process would have ended by them. */
let unheard: unknown;
process.on("unhandledRejection", (reason) => {
  unheard = reason ?? "nothing";
});

/** From a turn of its own: promises could not be settled from within one of theirs. */
const inItsTurn = (seed: number, traced: boolean): Promise<WorldOutcome> =>
  new Promise((resolve, reject) => {
    setImmediate(() => {
      try {
        resolve(runWorld(seed, traced));
      } catch (error) {
        reject(error);
      }
    });
  });

async function run(seed: number, traced: boolean): Promise<WorldOutcome> {
  unheard = undefined;
  const outcome = await inItsTurn(seed, traced);
  await new Promise((resolve) => setImmediate(resolve));
  if (unheard !== undefined) outcome.broken ??= "a rejection was heard by nobody";
  return outcome;
}

if (values.seed !== undefined) {
  const { broken, trace } = await run(Number(values.seed), true);
  console.log(trace.join("\n"));
  if (broken !== undefined) console.error(`seed ${values.seed} breaks: ${broken}`);
  process.exit(broken === undefined ? 0 : 1);
}
const seeds = Number(values.seeds ?? 10_000);
const first = values.from === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.from);
const startMs = performance.now();
let records = 0;
let virtualMs = 0;
for (let seed = first; seed < first + seeds; seed += 1) {
  const outcome = await run(seed, false);
  records += outcome.records;
  virtualMs += outcome.virtualMs;
  if (outcome.broken === undefined) continue;
  console.error(`seed ${seed} breaks, the ${seed - first + 1}. tried: ${outcome.broken}`);
  process.exit(1);
}
const seconds = (performance.now() - startMs) / 1_000;
console.log(
  `${seeds} worlds from seed ${first} in ${seconds.toFixed(1)} s: ${records} records, ${(virtualMs / 3_600_000).toFixed(1)} h of virtual time, nothing broken`,
);
process.exit(0);
