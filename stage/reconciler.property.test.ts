// The verdict while orders flow, over worlds of every kind in virtual time: copies, retries that are written late, letters that
// are sent again, a ledger or brokers that are away or slow. Whatever befell the orders of a good system, it is never
// accused, and in the end all is settled and forgotten. Where one thing is wrong with one order, that is found, and nothing else.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { createReconciler } from "./reconciler.ts";
import type { Evidence, Found } from "./sources/evidence.ts";

/** A producer may hold a record for so long after its client was answered (DELIVERY_TIMEOUT_MS). */
const heldMs = 20_000;
const stepMs = 1_000;
const partitions = 3;

type Copy = { partition: number; writtenMs: number; doneMs: number };
type Order = {
  id: string;
  fate: "accepted" | "refused" | "unknown";
  answeredMs: number;
  copies: Copy[];
  ending: "effect" | "dead";
  /** Of a dead letter: sent again so long after its death, and handled then. */
  redrivenAfterMs?: number | undefined;
};
type Wrong = { effects?: number; rows?: number; toldId?: string; contradicted?: boolean; digest?: string };
/** How the n-th look goes: how long it takes, and whether it fails. */
type Weather = { tookMs: number; ledgerAway: boolean; brokersAway: boolean };

const within = (min: number, max: number) => fc.integer({ min, max });
const copy = (leastMs: number, mostMs: number) =>
  fc
    .record({
      partition: fc.nat({ max: partitions - 1 }),
      writtenMs: within(leastMs, mostMs),
      tookMs: within(0, 40_000),
    })
    .map(({ tookMs, ...rest }): Copy => ({ ...rest, doneMs: rest.writtenMs + tookMs }));

const order = (n: number): fc.Arbitrary<Order> =>
  fc
    .record({
      fate: fc.constantFrom("accepted", "accepted", "refused", "unknown"),
      answeredMs: within(30_000, 90_000),
      first: copy(-30_000, 0),
      others: fc.array(copy(-30_000, heldMs), { maxLength: 2 }),
      ending: fc.constantFrom("effect", "effect", "effect", "dead"),
      redrivenAfterMs: fc.option(within(0, 60_000), { nil: undefined }),
    })
    .map(({ first, others, answeredMs, ...rest }): Order => {
      const copies = { accepted: [first, ...others], refused: [], unknown: others }[rest.fate];
      const shifted = copies.map((one) => ({
        ...one,
        writtenMs: answeredMs + one.writtenMs,
        doneMs: answeredMs + one.doneMs,
      }));
      return { ...rest, answeredMs, id: `order-${n}`, copies: shifted };
    });
const orders = fc
  .integer({ min: 1, max: 25 })
  .chain((count) => fc.tuple(...Array.from({ length: count }, (_, n) => order(n))));
const weather = fc.array(
  fc.record({
    tookMs: fc.oneof(fc.constant(0), within(0, 5_000)),
    ledgerAway: fc.boolean(),
    brokersAway: fc.boolean(),
  }),
  { minLength: 1, maxLength: 40 },
);

/** Lets a world go on to its end. @returns the verdict then, each status on the way, and how many orders are still held */
async function play(world: readonly Order[], looks: readonly Weather[], wrong = new Map<string, Wrong>()) {
  let nowMs = 0;
  let look = 0;
  const redriven = ({ ending, copies, redrivenAfterMs }: Order): Copy[] => {
    const deadMs = Math.max(...copies.map(({ doneMs }) => doneMs));
    return ending === "dead" && copies.length > 0 && redrivenAfterMs !== undefined
      ? [{ partition: 0, writtenMs: deadMs + redrivenAfterMs, doneMs: deadMs + redrivenAfterMs + 500 }]
      : [];
  };
  const log = Array.from({ length: partitions }, (_, partition) =>
    world
      .flatMap((one) => [...one.copies, ...redriven(one)])
      .filter((one) => one.partition === partition)
      .sort((a, b) => a.writtenMs - b.writtenMs),
  );
  const lastMs = Math.max(
    ...world.map(({ answeredMs }) => answeredMs),
    ...log.flat().map(({ doneMs }) => doneMs),
  );
  const calmMs = lastMs + 60_000;
  const next = () => (nowMs < calmMs ? looks[look++ % looks.length] : undefined);

  function foundOf(one: Order): Found | undefined {
    const done = one.copies.filter(({ doneMs }) => doneMs <= nowMs).length;
    const again = redriven(one).filter(({ doneMs }) => doneMs <= nowMs).length;
    const handled = one.ending === "effect" ? done : again;
    const { effects = 1, rows = 1 } = wrong.get(one.id) ?? {};
    const found = {
      deliveries: handled * rows,
      effects: Math.min(handled, effects),
      dead: one.ending === "dead" && done > 0,
      digest: handled * rows > 0 ? one.id : undefined,
    };
    return found.deliveries > 0 || found.effects > 0 || found.dead ? found : undefined;
  }
  const evidence: Evidence = {
    async look(ids) {
      const { tookMs = 0, ledgerAway = false } = next() ?? {};
      const of = new Map(world.map((one) => [one.id, one]));
      const read = () =>
        ids.flatMap((id): [string, Found][] => {
          const found = foundOf(of.get(id) as Order);
          return found ? [[id, found]] : [];
        });
      nowMs += tookMs / 2;
      const rows = new Map(read());
      nowMs += tookMs / 2;
      if (ledgerAway) throw new Error("the ledger is away");
      return rows;
    },
    trace: async () => undefined,
    async offsets() {
      const { tookMs = 0, brokersAway = false } = next() ?? {};
      const atMs = nowMs;
      const written = (one: Copy) => one.writtenMs <= nowMs;
      const ends = new Map(log.map((records, at) => [at, records.filter(written).length]));
      nowMs += tookMs / 2;
      const committed = new Map(
        log.map((records, at) => {
          const unfinished = records.findIndex(
            ({ writtenMs, doneMs }) => writtenMs > nowMs || doneMs > nowMs,
          );
          return [at, unfinished < 0 ? records.length : unfinished];
        }),
      );
      nowMs += tookMs / 2;
      if (brokersAway) throw new Error("the brokers are away");
      return { atMs, ends, committed };
    },
  };
  const reconciler = createReconciler(evidence, { now: () => nowMs });
  const due = world.toSorted((a, b) => a.answeredMs - b.answeredMs);
  const statuses = new Set<string>();
  for (; nowMs < calmMs + 120_000; nowMs += stepMs) {
    while ((due[0]?.answeredMs ?? Infinity) <= nowMs) {
      const { id, fate } = due.shift() as Order;
      reconciler.take({ id, fate, digest: id, ...wrong.get(id) });
    }
    await reconciler.check();
    statuses.add(reconciler.verdict().status);
  }
  return { verdict: reconciler.verdict(), statuses, kept: reconciler.kept() };
}

const nothingWrong = { lost: 0, doubled: 0, phantom: 0, mistaken: 0 };

test("a system that keeps its promise is never accused; in the end all is accounted for, and nothing is held", async () => {
  await fc.assert(
    fc.asyncProperty(orders, weather, async (world, looks) => {
      const { verdict, statuses, kept } = await play(world, looks);
      const of = (fate: Order["fate"]) => world.filter((one) => one.fate === fate).length;
      expect(statuses).not.toContain("broken");
      expect(verdict).toMatchObject({
        ...nothingWrong,
        status: of("accepted") > 0 ? "good" : "idle",
        sent: world.length,
        settled: world.length,
        accepted: of("accepted"),
        refused: of("refused"),
        unknown: of("unknown"),
        waiting: 0,
      });
      expect(verdict.handled + verdict.dead).toBe(verdict.accepted);
      expect(kept).toBe(0);
    }),
  );
});

/** What may be wrong with one order, and what that is called. */
const damages: [string, (good: Order, late: Copy) => [Partial<Order>, Wrong?], object][] = [
  ["accepted, and not in the log", () => [{ copies: [] }], { lost: 1 }],
  ["passed without being handled", () => [{}, { rows: 0, effects: 0 }], { lost: 1 }],
  ["in the ledger, without its effect", () => [{}, { effects: 0 }], { lost: 1 }],
  ["applied, and unknown to the ledger", () => [{}, { rows: 0 }], { lost: 1 }],
  ["not what was ordered, in the ledger", () => [{}, { digest: "of another" }], { mistaken: 1 }],
  [
    "applied again when a late copy came",
    ({ copies }, late) => [{ copies: [...copies, late] }, { effects: 2 }],
    { doubled: 1 },
  ],
  [
    "unknown, and applied twice",
    ({ copies }, late) => [{ fate: "unknown", copies: [...copies, late] }, { effects: 2 }],
    { doubled: 1 },
  ],
  [
    "refused, and written late all the same",
    (_, late) => [{ fate: "refused", copies: [late] }],
    { phantom: 1 },
  ],
  [
    "refused, and a dead letter",
    (_, late) => [{ fate: "refused", copies: [late], ending: "dead" }],
    { phantom: 1 },
  ],
  ["accepted under another id", () => [{}, { toldId: "another" }], { mistaken: 1 }],
  ["denied when it was sent again", () => [{}, { contradicted: true }], { mistaken: 1 }],
];
test.each(damages)(
  "among whatever else: one order is %s, which is found, and nothing else",
  async (_, damage, called) => {
    const struck = fc
      .record({ answeredMs: within(30_000, 90_000), first: copy(-30_000, 0), late: copy(0, heldMs) })
      .map(({ answeredMs, first, late }) => {
        const at = (one: Copy) => ({
          ...one,
          writtenMs: answeredMs + one.writtenMs,
          doneMs: answeredMs + one.doneMs,
        });
        const good: Order = {
          ...{ id: "struck", fate: "accepted", answeredMs, copies: [at(first)], ending: "effect" },
        };
        const [changes, wrong] = damage(good, at(late));
        return { order: { ...good, ...changes }, wrong };
      });
    await fc.assert(
      fc.asyncProperty(struck, orders, weather, async ({ order: one, wrong = {} }, others, looks) => {
        const { verdict } = await play([one, ...others], looks, new Map([[one.id, wrong]]));
        expect(verdict).toMatchObject({ ...nothingWrong, ...called, status: "broken" });
      }),
      { numRuns: 50 },
    );
  },
);
