/**
 * What a commit claims. It is read with the core's own rule for the next owner: a range that this takes for finished counts
 * as a claim.
 */
import { createOffsetTracker, topicOf } from "../../../src/handling/offsets.ts";
import type { CommittedOffset } from "../../../src/kafka/places.ts";
import type { Log, Stored } from "../kafka/log.ts";

/** The records in a log that the next owner would not be given, were this committed; and those that it would. */
export function splitBy(
  commit: CommittedOffset | undefined,
  log: Log | undefined,
  topicId: string,
): { passed: Stored[]; left: Stored[] } {
  if (!log) return { passed: [], left: [] };
  const records = log.records();
  if (!commit || (topicOf(commit) !== undefined && topicOf(commit) !== topicId))
    return { passed: [], left: [...records] };
  // Who sought there with an epoch that the log never had would begin at the oldest.
  const end = commit.leaderEpoch < 0 ? log.end() : (log.endOf(commit.leaderEpoch) ?? log.start());
  let from = Math.min(commit.offset, end);
  if (from > log.end() || from < log.start()) from = log.start();
  const tracker = createOffsetTracker(commit, () => topicId);
  const passed: Stored[] = [];
  const left: Stored[] = [];
  for (const record of records) {
    if (record.offset < from) passed.push(record);
    // What goes back is of a log that was cut: nothing is known of it.
    else if (from < commit.offset) left.push(record);
    else if (!tracker.add({ ...record, bytes: 0 })) passed.push(record);
    else left.push(record);
  }
  return { passed, left };
}
