/**
 * One world from its beginning to its end: some kinds of faults for a while, then none any more; and then everything has
 * to be done within a bound. Few kinds in one world, so that each has worlds to itself (swarm testing).
 */
import { faultsOf } from "./faults.ts";
import { createWorld } from "./world.ts";

/**
 * How long everything may take once nothing is wrong any more, virtual. Who breaks the ledger's connection each time is
 * given up after two minutes and more (8 attempts, each of 10 transactions), and that again for each time that it was read.
 */
const healedMs = 3_600_000;
/** Then it is looked at once more: what comes late may still spoil it. */
const afterwardsMs = 2_000;
/** By then who takes over has begun everywhere. */
const takenOverMs = 15_000;

export type WorldOutcome = {
  seed: number;
  broken: string | undefined;
  trace: string[];
  records: number;
  virtualMs: number;
};

/** Runs one world. @param traced keep what happens in it, for a reader */
export function runWorld(seed: number, traced = false): WorldOutcome {
  const trace: string[] = [];
  const world = createWorld(seed, traced ? (what) => trace.push(what) : () => undefined);
  const { time, habits, checker } = world;
  const isBroken = () => world.broken() !== undefined;
  world.place(habits.records);
  for (let members = habits.members; members > 0; members -= 1) world.start();
  const faults = faultsOf(world);
  time.run(faults.healedAtMs, isBroken);
  faults.heal();
  world.goOn();
  world.say("nothing is wrong any more");
  let undone: string | undefined = "";
  let lookAtMs = 0;
  const done = () => {
    if (time.nowMs() < lookAtMs) return isBroken();
    lookAtMs = time.nowMs() + 500;
    undone = checker.undone();
    return undone === undefined || isBroken();
  };
  for (const waitMs of [0, afterwardsMs]) {
    time.run(time.nowMs() + waitMs, isBroken);
    undone = "";
    if (!time.run(time.nowMs() + healedMs, done) && undone !== undefined)
      world.fail(`${undone}, ${healedMs / 1_000} s after nothing was wrong any more`);
  }
  // In the end all are replaced: that has nothing handled again.
  const members = [...world.processes.keys()];
  checker.settled(members);
  for (const process of members) world.leave(process);
  world.start();
  time.run(time.nowMs() + takenOverMs, isBroken);
  checker.end(faults.undeclaredOutage ? world.lettersOfOutage : 0);
  return { seed, broken: world.broken(), trace, records: world.placed(), virtualMs: time.nowMs() };
}
