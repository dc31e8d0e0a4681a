/** What the handling of an order will come to: decided by the seed when it is placed, and the same wherever it is handled. */
import type { Random } from "./clock.ts";

/** What happens to an order at so many of its first attempts; `for ever` makes it one for the dead letters. */
export type Plan = {
  does: "well" | "throws" | "hangs" | "rejects" | "waits";
  times: number;
  slowMs: number;
  /** `breaks`: the ledger's connection, each time. */
  statement: "fails" | "hangs" | "breaks" | undefined;
  /** The database takes everything but the commit. */
  refused: boolean;
};

const forEver = 1_000_000;
export const well: Plan = { does: "well", times: 0, slowMs: 0, statement: undefined, refused: false };

/** @returns the plan of the order of that number */
export function createPlanner(options: {
  random: Random;
  faulty: number;
  slow: number;
  kind: "apply" | "effect";
}) {
  const { random, faulty, slow, kind } = options;
  return (number: number): Plan => {
    const slowMs = random.chance(slow) ? random.int(1, 1_500) : 0;
    if (!random.chance(faulty)) return { ...well, slowMs };
    const times = random.chance(0.5) ? forEver : random.int(1, 2);
    const does = random.pick(["throws", "hangs", "rejects", "waits"] as const);
    const plan = { ...well, slowMs, does, times: does === "waits" ? random.int(1, 6) : times };
    if (kind === "effect" || random.chance(0.6)) return plan;
    const statement = random.pick(["fails", "hangs", undefined] as const);
    return {
      ...well,
      slowMs,
      statement: statement === "fails" && number % 2 === 0 ? "breaks" : statement,
      refused: random.chance(0.5),
    };
  };
}

/** Whether it must end as handled: nothing is wrong with the order itself for good. */
export const endsWell = ({ does, times, statement, refused }: Plan): boolean =>
  !(refused || statement || times === forEver || (does === "rejects" && times > 0));

/** What a handler may throw: none of it may end a process. */
export const thrown = (random: Random): unknown =>
  random.pick([
    () => new Error("no"),
    () => undefined,
    () => "a text",
    () => Object.create(null),
    () => ({
      toString(): string {
        throw new Error("not even that");
      },
    }),
    () => new DOMException("aborted", "AbortError"),
  ])();
