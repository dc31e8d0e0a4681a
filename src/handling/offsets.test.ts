import { heapStats } from "bun:jsc";
import { expect, test } from "bun:test";
import fc from "fast-check";
import type { CommittedOffset } from "../kafka/places.ts";
import {
  createOffsetTracker,
  type InHand,
  type Mark,
  type OffsetTracker,
  type Taken,
  topicOf,
} from "./offsets.ts";

const topic = () => "AAAAAAAAAAAAAAAAAAAAAQ";
const size = 100;
const add = (tracker: OffsetTracker, offset: number, leaderEpoch = 1): Taken | undefined => {
  const record = { offset, leaderEpoch, bytes: size, timestampMs: 0 };
  return tracker.add(record) ? record : undefined;
};
const fresh = (hand?: InHand) => createOffsetTracker(undefined, topic, hand);

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
        const hand = { records: 0, bytes: 0 };
        const tracker = fresh(hand);
        const slots = new Map<number, Taken>();
        const unfinished = new Set<number>();
        const coming = [...list];
        const later = [...finishing];
        let before = -1;
        for (let turn = 0; later.length > 0; turn += 1) {
          for (const offset of coming.splice(0, 1 + (bursts[turn % bursts.length] as number))) {
            slots.set(offset, add(tracker, offset) as Taken);
            unfinished.add(offset);
            expect(tracker.position()).toBe(offset + 1);
          }
          const index = later.findIndex((offset) => slots.has(offset));
          const [offset] = later.splice(index, index < 0 ? 0 : 1);
          if (offset === undefined) continue;
          tracker.finish(slots.get(offset) as Taken);
          unfinished.delete(offset);

          const next = tracker.due()?.offset;
          for (const open of unfinished) if (next !== undefined) expect(next).toBeLessThanOrEqual(open);
          expect(next ?? -1).toBeGreaterThanOrEqual(before);
          expect(tracker.unfinished()).toBe(unfinished.size);
          expect(hand).toEqual({ records: unfinished.size, bytes: unfinished.size * size });
          before = next ?? -1;
        }
        expect(tracker.due()?.offset).toBe((list.at(-1) as number) + 1);
      },
    ),
  );
});

test("what was finished behind the committed offset is not taken on by the next owner, and everything else is", () => {
  fc.assert(
    fc.property(
      offsets,
      fc.infiniteStream(fc.boolean()),
      fc.nat(200),
      fc.array(fc.nat(200), { maxLength: 5 }),
      (list, isFinished, handOver, crashes) => {
        // One owner after another takes on what comes, finishes some of it, and the last commit of each is what the next
        // one knows: nothing unfinished may be missing, and nothing that a commit told as finished may come twice.
        let start: CommittedOffset | undefined;
        const finished = new Set<number>();
        for (const readTo of [handOver, ...crashes, 1_000]) {
          const told = new Set(finished);
          const tracker = createOffsetTracker(start, topic);
          const from = start?.offset ?? 0;
          for (const offset of list.filter((one) => one >= from).slice(0, readTo)) {
            const slot = add(tracker, offset);
            expect(slot === undefined).toBe(told.has(offset));
            if (slot && (readTo === 1_000 || isFinished.next().value)) {
              tracker.finish(slot);
              finished.add(offset);
            }
          }
          start = tracker.due() ?? start;
        }
        expect([...finished].sort((a, b) => a - b)).toEqual(list);
      },
    ),
  );
});

test("a commit in the middle of what an earlier owner told keeps the rest of it", () => {
  const first = fresh();
  const slots = Array.from({ length: 10 }, (_, offset) => add(first, offset) as Taken);
  for (const offset of [1, 5, 6, 8]) first.finish(slots[offset] as Taken);
  const second = createOffsetTracker(first.due(), topic);
  second.finish(add(second, 0) as Taken);
  const commit = second.due() as CommittedOffset;
  expect(commit.offset).toBe(1);
  const third = createOffsetTracker(commit, topic);
  const taken = [1, 2, 3, 4, 5, 6, 7, 8, 9].filter((offset) => add(third, offset) !== undefined);
  expect(taken).toEqual([1, 2, 3, 4, 7, 9].filter((offset) => offset >= 1 && taken.includes(offset)));
  expect(taken).not.toContain(5);
  expect(taken).not.toContain(8);
  expect(taken).toContain(7);
});

test("a tool that commits another offset and leaves the metadata has nothing passed over that is not finished", () => {
  const first = fresh();
  const slots = Array.from({ length: 10 }, (_, offset) => add(first, offset) as Taken);
  for (const offset of [0, 1, 2, 4, 5, 8]) first.finish(slots[offset] as Taken);
  const commit = first.due() as CommittedOffset;
  expect(commit.offset).toBe(3);
  for (let offset = 0; offset < 10; offset += 1) {
    const moved = createOffsetTracker({ ...commit, offset }, topic);
    const taken = slots.map((slot) => slot.offset).filter((one) => one >= offset && add(moved, one));
    expect(taken).toEqual([0, 1, 2, 3, 6, 7, 9].filter((one) => one >= offset));
  }
});

test("what a later leader wrote, or another topic holds, is another record under the same offset", () => {
  const first = fresh();
  const slots = [0, 1, 2, 3].map((offset) => add(first, offset, 4) as Taken);
  first.finish(slots[1] as Taken);
  first.finish(slots[3] as Taken);
  const start = first.due() as CommittedOffset;
  expect(start).toMatchObject({ offset: 0, leaderEpoch: 4 });
  expect(topicOf(start)).toBe(topic());
  const same = createOffsetTracker({ ...start }, topic);
  expect([0, 1, 2, 3].map((offset) => add(same, offset, 4) === undefined)).toEqual([
    false,
    true,
    false,
    true,
  ]);
  const cut = createOffsetTracker({ ...start }, topic);
  expect([0, 1, 2, 3].map((offset) => add(cut, offset, offset < 2 ? 4 : 5) === undefined)).toEqual([
    ...[false, true, false, false],
  ]);
  const later = createOffsetTracker({ ...start }, topic);
  expect(
    [0, 1, 2, 3].map((offset) => later.add({ offset, leaderEpoch: 4, bytes: size, timestampMs: 1 })),
  ).toEqual(Array(4).fill(true));
  const anew = createOffsetTracker({ ...start }, () => "AAAAAAAAAAAAAAAAAAAAAg");
  expect([0, 1, 2, 3].map((offset) => add(anew, offset, 4) === undefined)).toEqual(Array(4).fill(false));
});

test("metadata that is not of this form says nothing of what is finished", () => {
  for (const runs of ["!,5", "1,", "1,-2", "NaN,NaN"]) {
    const metadata = `5,${topic()},9,9,0,9,9:9,${runs}`;
    const tracker = createOffsetTracker({ offset: 0, leaderEpoch: 1, metadata }, topic);
    for (let offset = 0; offset < 9; offset += 1) expect(add(tracker, offset)).toBeDefined();
    expect(tracker.due()?.metadata ?? "").not.toContain("NaN");
  }
});

test("offsets that do not grow belong to another log; a hole does not", () => {
  const tracker = createOffsetTracker({ offset: 7, leaderEpoch: 1, metadata: "" }, topic);
  expect([6, 7, 9].map(tracker.goesBack)).toEqual([true, false, false]);
  add(tracker, 9);
  expect([8, 9, 10].map(tracker.goesBack)).toEqual([true, true, false]);
  expect(fresh().goesBack(0)).toBe(false);
});

test("a cut leaves what is below it as it was, and what is behind it is other records", () => {
  const hand = { records: 0, bytes: 0 };
  const tracker = fresh(hand);
  const slots = [0, 1, 2, 3, 4].map((offset) => add(tracker, offset, 4) as Taken);
  for (const offset of [0, 2, 4]) tracker.finish(slots[offset] as Taken);
  tracker.acknowledged(tracker.due() as CommittedOffset);
  expect(tracker.goesBack(3)).toBe(true);
  tracker.cutAt(3);
  // What was cut is in hand until it is done.
  expect([tracker.position(), tracker.unfinished(), hand.bytes]).toEqual([3, 1, 2 * size]);
  const anew = [3, 4].map((offset) => add(tracker, offset, 5) as Taken);
  // One that was cut ends late: that says nothing of the record in its place.
  tracker.finish(slots[3] as Taken);
  expect(tracker.unfinished()).toBe(3);
  for (const slot of anew) tracker.finish(slot);
  expect(tracker.due()?.offset).toBe(1);
  tracker.finish(slots[1] as Taken);
  expect(tracker.due()).toMatchObject({ offset: 5, leaderEpoch: 5 });
  expect(hand).toEqual({ records: 0, bytes: 0 });
});

/** The first of the log's records that is no older, as the brokers tell it. */
const offsetOf = (log: readonly number[], timestampMs: number): number =>
  log.findIndex((one) => one >= timestampMs);

/** Checks marks against the log as it is. @returns where the log was cut, by what can be told; undefined: nowhere */
function cutToldBy(tracker: OffsetTracker, log: readonly number[]): number | undefined {
  for (let mark = tracker.unchecked(); mark; mark = tracker.unchecked()) {
    const newer = offsetOf(log, mark.newestMs + 1);
    if (tracker.check(mark, newer)) return newer;
    const left = tracker.unchecked();
    if (left?.offset === mark.offset) return undefined;
  }
  return undefined;
}

test("a log that grew beyond a position again in its epoch is told by its timestamps, by the next owner too", () => {
  const lateness = fc.array(fc.nat(300), { minLength: 2, maxLength: 60 });
  const places = fc.array(fc.nat(1_000), { minLength: 1, maxLength: 8 });
  const inputs = [lateness, places, fc.nat(1_000), fc.boolean(), fc.boolean()] as const;
  fc.assert(
    fc.property(...inputs, (late, marked, share, isCut, isOther) => {
      const first = late.map((ms, n) => 1_000 + 100 * n - ms);
      let tracker = fresh();
      const read = (log: readonly number[]) => {
        for (let offset = tracker.position() ?? 0; offset < log.length; offset += 1) {
          const record = { offset, leaderEpoch: 1, bytes: size, timestampMs: log[offset] as number };
          if (tracker.add(record)) tracker.finish(record);
          if (marked.some((place) => place % late.length === offset)) tracker.mark();
        }
      };
      read(first);
      // What everybody notices: while brokers are away, nothing comes.
      tracker.mark();
      if (isOther) tracker = createOffsetTracker(tracker.due(), topic);
      const to = isCut ? Math.floor((share / 1_001) * first.length) : first.length;
      const grown = [...late, 0].map((ms, n) => 20_000 + 100 * n - ms);
      const log = [...first.slice(0, to), ...grown];
      read(log);
      expect(cutToldBy(tracker, log)).toBe(isCut ? to : undefined);
    }),
  );
});

test("who commits beyond a cut before it is noticed leaves it to the next owner to notice it", () => {
  const log = [10, 20, 30, 40, 50, 60];
  const tracker = fresh();
  const read = (from: number, to: number) => {
    for (let offset = from; offset < to; offset += 1) {
      const record = { offset, leaderEpoch: 1, bytes: size, timestampMs: log[offset] as number };
      tracker.add(record);
      tracker.finish(record);
    }
  };
  read(0, 4);
  tracker.mark();
  log.splice(2, 4, 70, 80, 90, 100);
  read(4, 6);
  const next = createOffsetTracker(tracker.due(), topic);
  expect(next.position()).toBe(6);
  expect(cutToldBy(next, log)).toBe(2);
});

test("a cut between two marks that one owner after another had no time to check is told", () => {
  const read = (tracker: OffsetTracker, log: readonly number[], from: number) => {
    for (const [n, timestampMs] of log.slice(from).entries()) {
      const record = { offset: from + n, leaderEpoch: 1, bytes: size, timestampMs };
      tracker.add(record);
      tracker.finish(record);
    }
    return createOffsetTracker(tracker.due(), topic);
  };
  const first = fresh();
  first.add({ offset: 0, leaderEpoch: 1, bytes: size, timestampMs: 10 });
  first.mark();
  const second = read(first, [10, 20], 0);
  const log = [10, 70, 80, 90];
  const third = read(second, log, 2);
  expect(cutToldBy(third, log)).toBe(1);
});

test("a cut that a reader comes to by itself, behind what was told as finished, is none to go back for", () => {
  const claim = { leaderEpoch: 1, metadata: `5,${topic()},1,40,0,5,5:40,2,3` };
  const read = (start: number, log: readonly number[]) => {
    const tracker = createOffsetTracker({ offset: start, ...claim }, topic);
    const isTaken = log.slice(start).map((timestampMs, n) => {
      return tracker.add({ offset: start + n, leaderEpoch: 2, bytes: size, timestampMs });
    });
    expect(isTaken).not.toContain(false);
    return cutToldBy(tracker, log);
  };
  expect(read(1, [10, 20, 80, 90, 100, 110, 120])).toBeUndefined();
  expect(read(3, [10, 20, 80, 90, 100, 110, 120])).toBe(2);
});

test("where a gap is, a newer record is no sign of a cut: a transaction's marker may lie there", () => {
  const tracker = fresh();
  const shown = [
    [0, 10],
    [1, 20],
    [3, 15],
  ] as const;
  for (const [offset, timestampMs] of shown) {
    const record = { offset, leaderEpoch: 1, bytes: size, timestampMs };
    tracker.add(record);
    tracker.finish(record);
  }
  tracker.mark();
  for (const owner of [tracker, createOffsetTracker(tracker.due(), topic)]) {
    owner.add({ offset: 4, leaderEpoch: 1, bytes: size, timestampMs: 50 });
    expect(cutToldBy(owner, [10, 20, 30, 15, 50])).toBeUndefined();
  }
});

test("what a tool passes over with the metadata that was there is no sign of a cut, and a cut behind it is told", () => {
  const log = [10, 20, 30, 40, 50, 60];
  const read = (tracker: OffsetTracker, offset: number, timestampMs: number) => {
    const record = { offset, leaderEpoch: 1, bytes: size, timestampMs };
    tracker.add(record);
    tracker.finish(record);
  };
  const before = fresh();
  for (const offset of [0, 1]) read(before, offset, log[offset] as number);
  const next = createOffsetTracker({ ...(before.due() as CommittedOffset), offset: 4 }, topic);
  read(next, 4, 50);
  expect(cutToldBy(next, log)).toBeUndefined();
  const last = createOffsetTracker(next.due(), topic);
  read(last, 5, 90);
  expect(cutToldBy(last, [10, 20, 30, 40, 80, 90])).toBe(4);
});

test("a cut is told of a log of which a part was still in memory, once the log is long enough again", () => {
  const old = Array.from({ length: 20 }, (_, n) => 1_000 + n);
  const tracker = fresh();
  const read = (log: readonly number[], to: number) => {
    for (let offset = tracker.position() ?? 0; offset < to; offset += 1) {
      tracker.add({ offset, leaderEpoch: 1, bytes: size, timestampMs: log[offset] as number });
      if (offset % 5 === 4) tracker.mark();
    }
  };
  read(old, 7);
  const log = old.slice(0, 12);
  expect(cutToldBy(tracker, log)).toBeUndefined();
  read(old, 18);
  // None is newer than the mark at 15, and yet some were taken: what takes their places is still to come.
  expect(cutToldBy(tracker, log)).toBeUndefined();
  // And no mark is made between the last of the old ones and the first of the new.
  read(old, 19);
  log.push(...Array.from({ length: 10 }, (_, n) => 5_000 + n));
  read(log, 22);
  expect(cutToldBy(tracker, log)).toBe(12);
});

test("an answer about a mark that was set back meanwhile says nothing; marks are few, however long nobody answers", () => {
  const tracker = fresh();
  const read = (from: number, to: number) => {
    for (let offset = from; offset < to; offset += 1) {
      tracker.add({ offset, leaderEpoch: 1, bytes: size, timestampMs: offset });
      tracker.mark();
    }
  };
  read(0, 200);
  const asked = tracker.unchecked() as Mark;
  expect(asked).toMatchObject({ offset: 1, newestMs: 0 });
  tracker.cutAt(0);
  read(0, 3);
  expect(tracker.check(asked, 0)).toBe(false);
  let marks = 0;
  for (let mark = tracker.unchecked(); mark; mark = tracker.unchecked()) {
    marks += 1;
    tracker.check(mark, 1_000);
  }
  expect(marks).toBeLessThanOrEqual(60);
});

test("timestamps that are no whole numbers, as nanoseconds, tell of no cut", () => {
  const log = [1.7e18, 1.7e18, 1.7e18];
  const tracker = fresh();
  for (const offset of [0, 1, 2]) {
    tracker.add({ offset, leaderEpoch: 1, bytes: size, timestampMs: log[offset] as number });
    tracker.mark();
  }
  expect(cutToldBy(tracker, log)).toBeUndefined();
});

test("metadata stays within what a broker takes, and what is left out is handled again, not lost", () => {
  const tracker = fresh();
  const slots = Array.from({ length: 20_000 }, (_, offset) => add(tracker, offset) as Taken);
  for (const slot of slots) if (slot.offset % 2 === 1) tracker.finish(slot);
  const start = tracker.due() as CommittedOffset;
  expect(start.offset).toBe(0);
  expect(start.metadata.length).toBeWithin(3_900, 4_001);
  const next = createOffsetTracker(start, topic);
  const taken = slots.map(({ offset }) => offset).filter((offset) => add(next, offset) !== undefined);
  expect(taken.filter((offset) => offset % 2 === 0)).toHaveLength(10_000);
  expect(taken.length).toBeLessThan(19_500);
  // Where the brokers take less, none of it is told.
  tracker.shorten();
  expect(tracker.due()?.metadata).toBe(start.metadata.split(",", 7).join());
});

test.each([
  "",
  "somebody else's",
  "5",
  `4,${topic()},1,40,0,5,5,40,2,3`,
  `5,${topic()},x`,
  `5,${topic()},4,0,zz`,
  `5,${topic()},x,y,0,5,5:5,0,z`,
  `3,${topic()},4,0,0,0,0,z`,
  "5,?,?,1,1,1,1,1,1",
])("metadata that says nothing of use (%s) is passed over", (metadata) => {
  const tracker = createOffsetTracker({ offset: 0, leaderEpoch: -1, metadata }, topic);
  for (let offset = 0; offset < 50; offset += 1) expect(add(tracker, offset)).toBeDefined();
});

test("nothing is to be committed before anything is finished, nor again what is acknowledged", () => {
  const tracker = fresh();
  expect([tracker.due(), tracker.position(), tracker.unfinished()]).toEqual([undefined, undefined, 0]);
  const slot = add(tracker, 7) as Taken;
  expect([tracker.due(), tracker.position(), tracker.unfinished()]).toEqual([undefined, 8, 1]);
  tracker.finish(slot);
  const commit = tracker.due() as CommittedOffset;
  expect(commit.offset).toBe(8);
  tracker.acknowledged(commit);
  expect([tracker.due(), tracker.committed()]).toEqual([undefined, 8]);
});

test("two million records pass behind one that is not finished, in the memory of those in hand", async () => {
  const tracker = fresh();
  add(tracker, 0);
  const window: Taken[] = [];
  Bun.gc(true);
  const before = heapStats().heapSize;
  for (let offset = 1; offset < 2_000_000; offset += 1) {
    window.push(add(tracker, offset) as Taken);
    if (window.length === 100) for (const slot of window.splice(0).reverse()) tracker.finish(slot);
  }
  for (const slot of window.splice(0)) tracker.finish(slot);
  // What the stack still points to, or nobody has swept yet, is not held: what is held stays for all ten.
  for (let tries = 0; tries < 10 && heapStats().heapSize - before > 16 * 2 ** 20; tries += 1) {
    await Bun.sleep(50);
    Bun.gc(true);
  }
  expect(heapStats().heapSize - before).toBeLessThan(16 * 2 ** 20);
  expect(tracker.due()).toMatchObject({
    offset: 0,
    metadata: `5,${topic()},1,0,0,2000000,2000000:0,1,16v7j`,
  });
});

test("the epochs of a log that is no more do not go into the commits of the one in its place, whose epochs begin again", () => {
  const tracker = fresh();
  const old = add(tracker, 0, 12);
  if (old) tracker.finish(old);
  expect(tracker.due()).toMatchObject({ offset: 1, leaderEpoch: 12 });
  // Whoever seeks with an epoch that no leader had is sent to the beginning.
  tracker.cutAt(0);
  const anew = add(tracker, 0, 0);
  if (anew) tracker.finish(anew);
  expect([tracker.epoch(), tracker.due()?.leaderEpoch]).toEqual([0, 0]);
});

test("nor do they where the group is at its beginning, and no offset goes back", () => {
  const tracker = createOffsetTracker(
    { offset: 0, leaderEpoch: 12, metadata: "5,-,12,0,0,2,2:0,1,1" },
    () => "-",
  );
  const record = { offset: 0, leaderEpoch: 0, bytes: size, timestampMs: 1 };
  expect(tracker.add(record)).toBe(true);
  tracker.finish(record);
  expect([tracker.epoch(), tracker.due()?.leaderEpoch]).toEqual([0, 0]);
});
