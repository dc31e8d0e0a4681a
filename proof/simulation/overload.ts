/**
 * Tries the overload limiter in worlds of every shape that its test has: so many seeds, by default fresh ones, or one. Says
 * which break a promise, and ends with 1 then. Not a part of the tests, which have a few seeds.
 */
import { ownCommandLine, wholeNumber } from "../../kit/arguments.ts";
import { shapes } from "../../testing/overload-shapes.ts";

const usage = `bun proof/simulation/overload.ts [--seeds 100] [--from SEED]   so many of each shape
Exit code: 0 nothing is broken; 1 a promise is, with shape and seed; 2 the command was not understood.`;
const most = Number.MAX_SAFE_INTEGER;
const text = { type: "string" } as const;
const { seeds, from } = ownCommandLine(usage, { seeds: text, from: text }, (given) => ({
  seeds: wholeNumber("--seeds", given.seeds ?? "100", 1, most),
  from: wholeNumber("--from", given.from ?? `${Math.floor(Math.random() * 1_000_000)}`, 0, most),
}));

let broken = 0;
for (let seed = from; seed < from + seeds; seed += 1)
  for (const [name, shape] of Object.entries(shapes)) {
    const said = shape(seed);
    if (said.length === 0) continue;
    broken += 1;
    console.error(`${name}, seed ${seed}: ${said.join("; ")}`);
  }
const worlds = seeds * Object.keys(shapes).length;
console.log(`${worlds} worlds from seed ${from}: ${broken} break a promise`);
process.exit(broken === 0 ? 0 : 1);
