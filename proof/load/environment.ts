/**
 * The environment that k6 runs in. Its own variables (K6_*) outrank the options that a load is made of, so none gets
 * through: K6_ITERATIONS=2 would leave two orders of a run and an exit code of 0.
 */
type Environment = Record<string, string | undefined>;

const isK6s = (name: string) => name.startsWith("K6_");

/** All but what k6 would take for its own. */
export const withoutK6 = (env: Environment): Environment =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !isK6s(name)));

/** Which variables have no effect, for a person to read; undefined where there are none. */
export function ignoredVariables(env: Environment): string | undefined {
  const names = Object.keys(env).filter(isK6s).sort();
  return names.length === 0
    ? undefined
    : `ignored, as they would change what is measured: ${names.join(", ")}`;
}
