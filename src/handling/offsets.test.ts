import { expect, test } from "bun:test";
import fc from "fast-check";
import { createOffsetTracker, type Slot } from "./offsets.ts";

/** Offsets as a partition has them: ascending, with gaps where transactions or compaction left some. */
const offsets = fc
  .tuple(fc.nat(1_000_000), fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 200 }))
  .map(([first, gaps]) => {
    let offset = first;
    return [first, ...gaps.map((gap) => (offset += gap))];
  });

test("whatever order records finish in: never past an unfinished one, never back, in the end all", () => {
  fc.assert(
    fc.property(
      offsets.chain((list) =>
        fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
      ),
      fc.array(fc.nat(5), { minLength: 1 }),
      ([list, finishing], bursts) => {
        const tracker = createOffsetTracker();
        const slots = new Map<number, Slot>();
        const unfinished = new Set<number>();
        const coming = [...list];
        const later = [...finishing];
        let before = -1;
        for (let turn = 0; later.length > 0; turn += 1) {
          for (const offset of coming.splice(0, 1 + (bursts[turn % bursts.length] as number))) {
            slots.set(offset, tracker.add(offset) as Slot);
            unfinished.add(offset);
            expect(tracker.position()).toBe(offset + 1);
          }
          const index = later.findIndex((offset) => slots.has(offset));
          const [offset] = later.splice(index, index < 0 ? 0 : 1);
          if (offset === undefined) continue;
          tracker.finish(slots.get(offset) as Slot);
          unfinished.delete(offset);

          const next = tracker.committable();
          for (const open of unfinished) if (next !== undefined) expect(next).toBeLessThanOrEqual(open);
          expect(next ?? -1).toBeGreaterThanOrEqual(before);
          before = next ?? -1;
        }
        expect(tracker.committable()).toBe((list.at(-1) as number) + 1);
        expect(tracker.uncovered()).toBe(0);
      },
    ),
  );
});

test("the prefix is as long as it can be: what is finished without a gap is committed", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 100 }), (finished) => {
      const tracker = createOffsetTracker();
      const slots = finished.map((_, offset) => tracker.add(offset) as Slot);
      for (const [offset, done] of finished.entries()) if (done) tracker.finish(slots[offset] as Slot);
      const firstOpen = finished.indexOf(false);
      const prefix = firstOpen < 0 ? finished.length : firstOpen;
      expect(tracker.committable()).toBe(prefix === 0 ? undefined : prefix);
      expect(tracker.uncovered()).toBe(finished.length - prefix);
    }),
  );
});

test("there is a gap while something begun, or before it, is not finished", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom("waits", "runs", "finished"), { maxLength: 100 }), (states) => {
      const tracker = createOffsetTracker();
      const slots = states.map((_, offset) => tracker.add(offset) as Slot);
      for (const [offset, state] of states.entries()) {
        const slot = slots[offset] as Slot;
        if (state !== "waits") tracker.begin(slot);
        if (state === "finished") tracker.finish(slot);
      }
      const newestBegun = states.findLastIndex((state) => state !== "waits");
      expect(tracker.newestBegun()).toBe(newestBegun);
      expect(tracker.hasGap()).toBe(states.slice(0, newestBegun + 1).some((state) => state !== "finished"));
    }),
  );
});

test("a record that is delivered again is not taken on again", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(50)), (delivered) => {
      const tracker = createOffsetTracker();
      const taken = delivered.filter((offset) => tracker.add(offset) !== undefined);
      const rising = delivered.filter((offset, index) => offset > Math.max(-1, ...delivered.slice(0, index)));
      expect(taken).toEqual(rising);
    }),
  );
});

test("nothing is to be committed before anything is finished", () => {
  const tracker = createOffsetTracker();
  expect([tracker.committable(), tracker.position(), tracker.uncovered()]).toEqual([undefined, undefined, 0]);
  tracker.add(7);
  expect([tracker.committable(), tracker.position(), tracker.uncovered()]).toEqual([undefined, 8, 1]);
});

test("two million records pass in the memory of those in hand", () => {
  const tracker = createOffsetTracker();
  const window: Slot[] = [];
  Bun.gc(true);
  const { rss } = process.memoryUsage();
  for (let offset = 0; offset < 2_000_000; offset += 1) {
    window.push(tracker.add(offset) as Slot);
    if (window.length === 100) for (const slot of window.splice(0).reverse()) tracker.finish(slot);
  }
  Bun.gc(true);
  expect(process.memoryUsage().rss - rss).toBeLessThan(64 * 2 ** 20);
  expect(tracker.committable()).toBe(2_000_000);
});
