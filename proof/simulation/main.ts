/**
 * Tries worlds: `--seeds N` runs N of fresh seeds and ends with 1 at the first that breaks a promise, printing its seed;
 * `--seed S` runs that one again and prints what happens in it, in order, with virtual times.
 */
import { ownCommandLine, wholeNumber } from "../../kit/arguments.ts";
import { UserError } from "../../kit/user-error.ts";
import { runWorld, type WorldOutcome } from "./run.ts";

const usage = `bun run simulate [--seeds 10000] [--from SEED]   so many worlds, by default of fresh seeds
bun run simulate --seed SEED                     that one again, with what happens in it
Exit code: 0 nothing is broken; 1 a promise is, with the seed; 2 the command was not understood.`;
const mostSeed = Number.MAX_SAFE_INTEGER;
const text = { type: "string" } as const;
const { seed, seeds, from } = ownCommandLine(usage, { seeds: text, seed: text, from: text }, (given) => {
  if (given.seed && (given.seeds || given.from))
    throw new UserError("--seed is one world: not with --seeds or --from.");
  return {
    seed: given.seed && wholeNumber("--seed", given.seed, 0, mostSeed),
    seeds: wholeNumber("--seeds", given.seeds ?? "10000", 1, mostSeed),
    from: wholeNumber("--from", given.from ?? `${Math.floor(Math.random() * 2 ** 31)}`, 0, mostSeed),
  };
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

if (typeof seed === "number") {
  const { broken, trace } = await run(seed, true);
  console.log(trace.join("\n"));
  if (broken !== undefined) console.error(`seed ${seed} breaks: ${broken}`);
  process.exit(broken === undefined ? 0 : 1);
}
const startMs = performance.now();
let records = 0;
let virtualMs = 0;
for (let tried = from; tried < from + seeds; tried += 1) {
  const outcome = await run(tried, false);
  records += outcome.records;
  virtualMs += outcome.virtualMs;
  if (outcome.broken === undefined) continue;
  console.error(`seed ${tried} breaks, the ${tried - from + 1}. tried: ${outcome.broken}`);
  process.exit(1);
}
const seconds = (performance.now() - startMs) / 1_000;
console.log(
  `${seeds} worlds from seed ${from} in ${seconds.toFixed(1)} s: ${records} records, ${(virtualMs / 3_600_000).toFixed(1)} h of virtual time, nothing broken`,
);
process.exit(0);
