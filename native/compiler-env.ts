// What compilers see of the environment: nothing of a calling make, and no flags but ours, so that a key always names
// the same result.
import type { Machine } from "../kit/machine.ts";

export function compilerEnv({ env }: Machine): Record<string, string | undefined> {
  const { PATH, HOME, TMPDIR } = env;
  return { PATH, HOME, TMPDIR, LC_ALL: "C", CC: "cc", CXX: "c++" };
}
