// The verdict while orders flow, on histories of a few orders: each finding is caught, nothing is called good that is
// not known, and what is settled is no longer held.
import { beforeEach, expect, setSystemTime, test } from "bun:test";
import { createReconciler } from "./reconciler.ts";
import type { Evidence, Found } from "./sources/evidence.ts";

const quietMs = 1_000;
const handled: Found = { deliveries: 1, effects: 1, dead: false };

let nowMs: number;
let ledger: Map<string, Found>;
let end: number;
let committed: number;
let unreadable: string | undefined;
const evidence: Evidence = {
  look: async (ids) => {
    if (unreadable) throw new Error(unreadable);
    return new Map(ids.flatMap((id) => (ledger.has(id) ? [[id, ledger.get(id) as Found]] : [])));
  },
  trace: async () => undefined,
  offsets: async () => ({ atMs: nowMs, ends: new Map([[0, end]]), committed: new Map([[0, committed]]) }),
};
let reconciler: ReturnType<typeof createReconciler>;
beforeEach(() => {
  [nowMs, end, committed, unreadable] = [1_000_000, 10, 10, undefined];
  ledger = new Map();
  reconciler = createReconciler(evidence, { quietMs, mostKept: 5, now: () => nowMs });
});

/** Lets the time pass until what was answered so far is settled: a barrier after the quiet, and its proof. */
async function settle(): Promise<void> {
  nowMs += quietMs + 1;
  await reconciler.check();
  await reconciler.check();
  nowMs += 1;
  await reconciler.check();
}

const told = (id: string, fate: "accepted" | "refused" | "unknown" = "accepted") =>
  reconciler.take({ id, fate });

test("before any order there is nothing to say", () => {
  expect(reconciler.verdict().status).toBe("idle");
});

test("an accepted order waits, then is handled, then is settled and forgotten", async () => {
  told("a");
  await reconciler.check();
  expect(reconciler.verdict()).toMatchObject({ status: "good", accepted: 1, handled: 0, waiting: 1 });
  ledger.set("a", handled);
  await reconciler.check();
  expect(reconciler.verdict()).toMatchObject({ status: "good", handled: 1, waiting: 0, settled: 0 });
  expect(reconciler.kept()).toBe(1);
  await settle();
  expect(reconciler.verdict()).toMatchObject({ status: "good", handled: 1, settled: 1 });
  expect(reconciler.kept()).toBe(0);
});

test("one that waits for long is told with its age, and is not lost while it may still be read", async () => {
  told("a");
  committed = 9;
  await settle();
  nowMs += 60_000;
  await reconciler.check();
  expect(reconciler.verdict()).toMatchObject({ status: "waiting", waiting: 1, lost: 0, oldestS: 61 });
});

test("lost: the group has passed everything, and the ledger has nothing of it", async () => {
  told("a");
  await settle();
  expect(reconciler.verdict()).toMatchObject({ status: "broken", lost: 1, waiting: 0 });
});

test("lost: a row without its effect, also where there is a dead letter", async () => {
  told("a");
  told("b");
  ledger.set("a", { deliveries: 1, effects: 0, dead: false });
  ledger.set("b", { deliveries: 1, effects: 0, dead: true });
  await settle();
  expect(reconciler.verdict()).toMatchObject({ status: "broken", lost: 2, dead: 0 });
});

test("mistaken: a 202 under another id than the order's, or denied later; where the order is, is told beside it", async () => {
  reconciler.take({ id: "a", fate: "accepted", toldId: "b" });
  reconciler.take({ id: "c", fate: "accepted", contradicted: true });
  expect(reconciler.verdict()).toMatchObject({ status: "broken", mistaken: 2, lost: 0 });
  ledger.set("c", handled);
  await settle();
  expect(reconciler.verdict()).toMatchObject({ status: "broken", mistaken: 2, handled: 1, lost: 1 });
});

test("lost: an effect without its row, which would be applied again, also where there is a dead letter", async () => {
  told("a");
  told("b");
  ledger.set("a", { deliveries: 0, effects: 1, dead: false });
  ledger.set("b", { deliveries: 0, effects: 1, dead: true });
  await reconciler.check();
  expect(reconciler.verdict()).toMatchObject({ handled: 0 });
  await settle();
  expect(reconciler.verdict()).toMatchObject({ status: "broken", lost: 2, handled: 0, dead: 0 });
});

test("mistaken: handled with another content than was ordered", async () => {
  for (const id of ["a", "b", "c"]) reconciler.take({ id, fate: "accepted", digest: "as ordered" });
  ledger.set("a", { ...handled, digest: "as ordered" });
  ledger.set("b", { ...handled, digest: "of another" });
  ledger.set("c", handled);
  await settle();
  expect(reconciler.verdict()).toMatchObject({ status: "broken", handled: 3, mistaken: 1 });
});

test("nothing is lost in a log that is shorter than what the group has committed: that was in another one", async () => {
  [end, committed] = [3, 1_000];
  told("a");
  await settle();
  expect(reconciler.verdict()).toMatchObject({ lost: 0, settled: 0, waiting: 1 });
  // Its consumers are there again, and begin anew.
  committed = 3;
  ledger.set("a", handled);
  await settle();
  expect(reconciler.verdict()).toMatchObject({ status: "good", lost: 0, handled: 1, settled: 1 });
});

test("lost: its log was cut, and does not grow to where it was", async () => {
  [end, committed] = [1_000, 900];
  told("a");
  nowMs += quietMs + 1;
  await reconciler.check();
  [end, committed] = [3, 3];
  await settle();
  expect(reconciler.verdict()).toMatchObject({ status: "broken", lost: 1, waiting: 0 });
});

test("a dead letter is accounted for", async () => {
  told("a");
  ledger.set("a", { deliveries: 0, effects: 0, dead: true });
  await reconciler.check();
  expect(reconciler.verdict()).toMatchObject({ status: "good", dead: 1, waiting: 0 });
  await settle();
  expect(reconciler.verdict()).toMatchObject({ status: "good", dead: 1, lost: 0 });
});

test("doubled: also when the second effect comes after the first was seen", async () => {
  told("a");
  ledger.set("a", handled);
  await reconciler.check();
  expect(reconciler.verdict().doubled).toBe(0);
  ledger.set("a", { deliveries: 2, effects: 2, dead: false });
  await settle();
  expect(reconciler.verdict()).toMatchObject({ status: "broken", doubled: 1, redelivered: 1 });
});

test("phantom: refused, and there", async () => {
  told("a", "refused");
  told("b", "refused");
  ledger.set("a", handled);
  await settle();
  expect(reconciler.verdict()).toMatchObject({ status: "broken", refused: 2, phantom: 1 });
});

test("unknown: either is right", async () => {
  told("a", "unknown");
  told("b", "unknown");
  ledger.set("a", handled);
  await settle();
  expect(reconciler.verdict()).toMatchObject({ unknown: 2, lost: 0, phantom: 0, settled: 2 });
});

test("nothing is settled by a barrier from before the quiet was over", async () => {
  await reconciler.check();
  told("a");
  nowMs += quietMs / 2;
  await reconciler.check();
  await reconciler.check();
  expect(reconciler.verdict()).toMatchObject({ settled: 0, lost: 0 });
});

test("nothing is settled by a barrier whose offsets were read before the quiet was over, however late they come", async () => {
  const slow = createReconciler(
    {
      ...evidence,
      offsets: async () => {
        const atMs = nowMs;
        nowMs += quietMs;
        return { atMs, ends: new Map([[0, end]]), committed: new Map([[0, committed]]) };
      },
    },
    { quietMs, now: () => nowMs },
  );
  slow.take({ id: "a", fate: "refused" });
  nowMs += quietMs / 2;
  await slow.check();
  await slow.check();
  expect(slow.verdict()).toMatchObject({ settled: 0 });
  ledger.set("a", handled);
  await slow.check();
  expect(slow.verdict()).toMatchObject({ settled: 1, phantom: 1 });
});

test("a clock that is set settles nothing before its time", async () => {
  const unhurried = createReconciler({
    ...evidence,
    offsets: async () => ({ ...(await evidence.offsets()), atMs: performance.now() }),
  });
  unhurried.take({ id: "a", fate: "refused" });
  try {
    for (const hours of [1, 2]) {
      setSystemTime(Date.now() + hours * 3_600_000);
      await unhurried.check();
    }
    expect(unhurried.verdict()).toMatchObject({ refused: 1, settled: 0 });
  } finally {
    setSystemTime();
  }
});

test("what can't be read for long can't be known, and is known again when it can", async () => {
  told("a");
  unreadable = "the ledger does not answer";
  nowMs += 60_000;
  await reconciler.check();
  expect(reconciler.verdict()).toMatchObject({ status: "blind", why: unreadable });
  unreadable = undefined;
  ledger.set("a", handled);
  await reconciler.check();
  expect(reconciler.verdict()).toMatchObject({ status: "good", why: "" });
});

test("what does not come to an end can't be known either", async () => {
  const silent = createReconciler(
    { ...evidence, look: () => new Promise(() => undefined) },
    { quietMs, now: () => nowMs },
  );
  silent.take({ id: "a", fate: "accepted" });
  void silent.check();
  nowMs += 60_000;
  expect(silent.verdict()).toMatchObject({ status: "blind", why: "ledger and brokers take long to tell" });
});

test("more orders than it may remember are never called good", async () => {
  for (const id of ["a", "b", "c", "d", "e", "f"]) told(id);
  for (const id of ["a", "b", "c", "d", "e", "f"]) ledger.set(id, handled);
  await settle();
  expect(reconciler.kept()).toBe(0);
  expect(reconciler.verdict()).toMatchObject({ status: "blind", accepted: 6, handled: 5 });
});
