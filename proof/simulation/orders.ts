/** Orders, and what their handling will come to: the handlers of a world, and how often they did it. */
import { type Handler, Reject, RetryLater } from "../../src/handling/handler.ts";
import type { Tx } from "../../src/ledger/ledger.ts";
import { sampleOrder } from "../../src/sample.ts";
import type { PlacedOrder } from "../../src/wire/validation.ts";
import type { Clocked, Random } from "./clock.ts";
import { createPlanner, endsWell, type Plan, thrown, well } from "./plans.ts";

/** Why all fail just now; undeclared: as anything else than RetryLater. */
export type Outage = { declared: boolean } | undefined;
type Begins = (
  order: PlacedOrder,
  signal: AbortSignal,
) => { done: () => void; failed: (error: unknown) => void };
export type Orders = ReturnType<typeof createOrders>;

const placedAt = "2026-01-01T00:00:00.000Z";

export function createOrders(options: {
  random: Random;
  faulty: number;
  slow: number;
  customers: number;
  kind: "apply" | "effect";
}) {
  const { random, customers, kind } = options;
  const planned = createPlanner(options);
  const plans = new Map<string, Plan & { left: number }>();
  /** Effects elsewhere that were finished, by order. */
  const effects = new Map<string, number>();
  const state = { outage: undefined as Outage };
  let ids = 0;

  /** One that nothing is wrong with, of a customer of its own. */
  function nextGood(): PlacedOrder {
    ids += 1;
    const id = `00000000-0000-4000-8000-${String(ids).padStart(12, "0")}`;
    plans.set(id, { ...well, left: 0 });
    return { ...sampleOrder(ids, "good"), placedAt, id };
  }

  /** An order by a new id, or another content under one that is there. */
  function next(): PlacedOrder {
    ids += 1;
    const again = ids > 1 && random.chance(0.04);
    const number = again ? random.int(1, ids - 1) : ids;
    const id = `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
    if (!plans.has(id)) {
      const plan = planned(ids);
      plans.set(id, { ...plan, left: plan.times });
    }
    return { ...sampleOrder(random.chance(0.5) ? number : ids, `c${number % customers}`), placedAt, id };
  }

  async function act(clock: Clocked, { id }: PlacedOrder, tx?: Tx): Promise<void> {
    const plan = plans.get(id);
    if (!plan) throw new Error(`nobody placed ${id}`);
    if (plan.slowMs > 0) await clock.sleep(plan.slowMs);
    if (state.outage) {
      if (random.chance(0.3)) await clock.sleep(random.int(1, 300));
      if (state.outage?.declared) throw new RetryLater("the kitchen is closed");
      if (state.outage) throw new Error("the kitchen is closed");
    }
    if (plan.left > 0) {
      plan.left -= 1;
      if (plan.does === "hangs") await new Promise(() => undefined);
      if (plan.does === "rejects") throw new Reject("never");
      if (plan.does === "waits") throw new RetryLater("not yet");
      throw thrown(random);
    }
    if (tx) await tx`INSERT INTO tickets VALUES (${id})`;
    else effects.set(id, (effects.get(id) ?? 0) + 1);
  }

  return {
    next,
    nextGood,
    state,
    effects,
    planOf: (id: string): Plan | undefined => plans.get(id),
    isGood: (id: string): boolean => endsWell(plans.get(id) ?? well),
    /** What was given up gets on from now on, where that was for what its handler did. */
    mend(id: string): void {
      const plan = plans.get(id);
      if (plan) plan.left = 0;
    },
    /** @param begins is told of each effect that begins. @returns what is told its end */
    handlerOf: (clock: Clocked, begins: Begins): Handler =>
      kind === "effect"
        ? {
            async effect(order, { signal }) {
              const end = begins(order, signal);
              try {
                await act(clock, order);
                end.done();
              } catch (error) {
                end.failed(error);
                throw error;
              }
            },
          }
        : { apply: (order, context) => act(clock, order, context.tx) },
  };
}
