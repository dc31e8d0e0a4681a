/**
 * The commit rule for one partition and one log: the offset of the first record that is not finished, and as metadata which of
 * those behind it are. An offset that is not larger than the newest is another record: the log was cut there.
 */
import type { DeliveredRecord } from "../kafka/fetched.ts";
import type { CommittedOffset } from "../kafka/places.ts";

/** A record that is taken on, until it is finished. */
export type Taken = Pick<DeliveredRecord, "offset" | "leaderEpoch" | "bytes" | "timestampMs">;

/** What of a partition was taken on and is not finished, also of a log that is no more: it is in memory all the same. */
export type InHand = { records: number; bytes: number };

/** All of the log before an offset is no newer than this; below `from` it may be: it was not all seen. */
export type Mark = { offset: number; newestMs: number; from: number };

export type OffsetTracker = ReturnType<typeof createOffsetTracker>;

/** Of the broker's 4,096 bytes for metadata (offset.metadata.max.bytes). */
const maxMetadata = 4_000;
const ours = /^5,[^,]+(,-?\d+){4}(,\d+:-?\d+)(:\d+:-?\d+)*(,[0-9a-z]+)*$/;

/** How far a log was seen, and marks on the way, by which it is checked whether it was cut. @param claim of who owned it before */
function createSight(start: number | undefined, claim: ReturnType<typeof told>) {
  let [next, newestMs] = [start, claim?.newestMs ?? -1];
  /** Where the newest gap ends: what nobody is shown may be newer, as a transaction's marker. */
  let seenFrom = claim && (next ?? 0) <= claim.next ? claim.from : (next ?? 0);
  /** In the order of the offsets; each is checked once there are records beyond it. */
  const marks: Mark[] = claim?.marks ?? [];
  function mark(): void {
    if (next === undefined || (marks.at(-1)?.offset ?? -1) >= next) return;
    // Look-ups may fail for long: no more than 60 wait for theirs.
    marks.splice(59, 1, { offset: next, newestMs, from: seenFrom });
  }
  mark();
  return {
    ...{ mark, newestMs: (): number => newestMs },
    /** The offset after the newest record taken on; undefined before the first. */
    position: (): number | undefined => next,
    /** Whether an offset can only come from another log than the newest one. */
    goesBack: (offset: number): boolean => next !== undefined && offset < next,
    see({ offset, timestampMs }: Taken): void {
      if (offset !== next) seenFrom = offset;
      next = offset + 1;
      newestMs = Math.max(newestMs, timestampMs);
      for (const one of marks) if (one.offset > offset && one.newestMs < timestampMs) one.offset = offset;
    },
    seeCut(offset: number): void {
      next = offset;
      // Whether it was not cut further below remains to be seen.
      for (const one of marks) one.offset = Math.min(one.offset, offset);
      seenFrom = Math.min(seenFrom, offset);
      mark();
    },
    /** The oldest mark, where it can be checked: not if a timestamp is too large a number, as of nanoseconds. */
    unchecked(): Mark | undefined {
      const [one] = marks;
      if (one && one.offset < (next ?? 0) && Number.isSafeInteger(one.newestMs + 1)) return { ...one };
    },
    /** @param newer the log's first record that is newer than the mark, -1: there is none. @returns whether the log was cut */
    check({ offset, newestMs: upTo, from }: Mark, newer: number | undefined): boolean {
      if (newer === undefined || marks[0]?.offset !== offset || marks[0].newestMs !== upTo) return false;
      const isCut = newer >= from && newer < offset;
      // Where one that was taken is not there, none is yet of those that take the places of the lost.
      if (!isCut && (newer >= 0 || newestMs === upTo)) marks.shift();
      return isCut;
    },
    /** What of it goes into the metadata of a commit: also marks, or who is next could not tell what was cut between two. */
    sight(next: number, mostMarks: number): string {
      const unchecked = marks.length > 0 ? marks.slice(0, mostMarks) : [{ offset: next, newestMs }];
      return `${[newestMs, seenFrom, next]},${unchecked.map((one) => `${one.offset}:${one.newestMs}`).join(":")}`;
    },
  };
}

/** @param start what was committed; undefined: reading begins at the oldest. @param topicId "-": the brokers tell none */
export function createOffsetTracker(
  start: CommittedOffset | undefined,
  topicId: () => string,
  hand: InHand = { records: 0, bytes: 0 },
) {
  const said = start && told(start);
  const claim = said?.topicId === topicId() ? said : undefined;
  const { see, seeCut, sight, ...seen } = createSight(start?.offset, claim);
  let known: Finished | undefined = claim;
  /** What is not finished, in the order of the offsets. */
  const open = new Map<number, Taken>();
  let newestEpoch = start?.leaderEpoch ?? -1;
  let [committed, progressed, brief] = [start, false, false];
  const oldest = (): Taken | undefined => open.values().next().value;
  return {
    ...seen,
    /** Takes a record on. @returns whether it is to be handled, which it is not when it is known as finished */
    add(record: Taken): boolean {
      const { offset, leaderEpoch, timestampMs } = record;
      see(record);
      // Not the highest: a topic made anew begins again, and one that its leaders never had would have all of it read anew.
      newestEpoch = leaderEpoch;
      // Another record than was told of: a later leader's, or newer than all before it. The log is read from here on anyway.
      if (known && (leaderEpoch > known.leaderEpoch || timestampMs > known.newestMs)) known = undefined;
      while (known?.ranges[0] && known.ranges[0][1] <= offset) known.ranges.shift();
      if (known?.ranges[0] && known.ranges[0][0] <= offset) return false;
      open.set(offset, record);
      hand.records += 1;
      hand.bytes += record.bytes;
      return true;
    },
    /** The log was cut: from this offset on it holds other records. What is below it and not finished still counts. */
    cutAt(offset: number): void {
      for (const at of open.keys()) if (at >= offset) open.delete(at);
      seeCut(offset);
      [known, progressed] = [undefined, true];
    },
    /** The record is done with for good: its effect or its dead letter is safe. */
    finish(record: Taken): void {
      progressed = true;
      hand.records -= 1;
      hand.bytes -= record.bytes;
      if (open.get(record.offset) === record) open.delete(record.offset);
    },
    unfinished: (): number => open.size,
    oldest,
    /** What is to be committed; undefined before anything is finished, and when all of it is committed already. */
    due(): CommittedOffset | undefined {
      const next = seen.position();
      if (!progressed || next === undefined) return undefined;
      const unfinished = oldest();
      const offset = unfinished?.offset ?? next;
      const head = `5,${topicId()},${newestEpoch},${sight(next, brief ? 1 : 60)}`;
      const metadata = brief ? head : encoded(head, offset, next, open.keys(), known);
      if (offset === committed?.offset && metadata === committed.metadata) return undefined;
      // Its own will do for that of the record before it: where the log is cut below one, it is cut below the other.
      return { offset, leaderEpoch: unfinished?.leaderEpoch ?? newestEpoch, metadata };
    },
    committed: (): number | undefined => committed?.offset,
    epoch: (): number => newestEpoch,
    /** The brokers take less metadata than they do by default: none of what is finished. */
    shorten(): void {
      brief = true;
    },
    acknowledged(commit: CommittedOffset): void {
      committed = commit;
    },
  };
}

/** What is finished behind the committed offset; a range is [its first offset, the one after its last]. */
type Finished = { leaderEpoch: number; newestMs: number; ranges: [from: number, to: number][] };

/** From offset 0 on, for tools may commit another one with it: by turns how many are not finished and are, in base 36. */
function encoded(head: string, offset: number, next: number, unfinished: Iterable<number>, known?: Finished) {
  let [text, at] = [head, 0];
  const add = (from: number, to: number) => {
    const runs = `,${(from - at).toString(36)},${(to - from).toString(36)}`;
    if (from >= to || text.length + runs.length > maxMetadata) return;
    text += runs;
    at = to;
  };
  let from = offset;
  for (const one of unfinished) {
    add(from, one);
    from = one + 1;
  }
  add(from, next);
  for (const [from, to] of known?.ranges ?? []) add(Math.max(from, next), to);
  return text;
}

/** What metadata says; undefined where it is somebody else's. */
function told({ metadata }: CommittedOffset) {
  if (!ours.test(metadata)) return undefined;
  const [, topicId, ...all] = metadata.split(",");
  const [leaderEpoch = 0, newestMs = 0, from = 0, next = 0] = all.map(Number);
  const ranges: Finished["ranges"] = [];
  let at = 0;
  for (const [n, run] of all.slice(5).entries()) {
    const from = at;
    at += Number.parseInt(run, 36);
    if (n % 2 === 1) ranges.push([from, at]);
  }
  const marked = (all[4] ?? "").matchAll(/(\d+):(-?\d+)/g);
  const marks = [...marked].map(([, at, ms]): Mark => ({ offset: Number(at), newestMs: Number(ms), from }));
  return { topicId, leaderEpoch, newestMs, from, next, marks, ranges };
}

/** The topic whose id a commit has in its metadata; undefined where it says none. */
export function topicOf(commit: CommittedOffset): string | undefined {
  const topicId = told(commit)?.topicId;
  return topicId === "-" ? undefined : topicId;
}
