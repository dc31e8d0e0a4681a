/** Defects of who knows which partitions it owns, from where they are read, and how far they are done. */
import type { Defect } from "./defects.ts";

export const ofPlaces: Defect[] = [
  {
    defect: "an offset that goes back is taken for a repeated fetch",
    file: "ownership.ts",
    right: "cutAt(owner, offset);",
    wrong: "return undefined;",
  },
  {
    defect: "a commit passes a gap",
    file: "offsets.ts",
    right: "const offset = unfinished?.offset ?? next;",
    wrong: "const offset = next;",
  },
  {
    defect: "a cut forgets what waits below it",
    file: "offsets.ts",
    right: "if (at >= offset) open.delete(at);",
    wrong: "open.delete(at);",
  },
  {
    defect: "the topic's id is ignored",
    file: "ownership.ts",
    right: "const isOther = of !== undefined && of !== topicId;",
    wrong: "const isOther = false;",
  },
  {
    defect: "ranges count without their epoch",
    file: "offsets.ts",
    right: "leaderEpoch > known.leaderEpoch || ",
    wrong: "",
  },
  {
    defect: "what was polled before a rewind is taken on after it",
    file: "group-member.ts",
    right: "    watchLogs();\n    const { records, errors } = consumer.poll(isBusy ? 1 : pollRecords);",
    wrong: "    const { records, errors } = consumer.poll(isBusy ? 1 : pollRecords);\n    watchLogs();",
  },
  {
    defect: "a topic that was made anew is read on at the old offset",
    file: "ownership.ts",
    right: 'owner.rewindTo = "beginning";',
    wrong: "",
  },
  {
    defect: "a log that was cut and grew again in its epoch is read on",
    file: "offsets.ts",
    right: "const isCut = newer >= from && newer < offset;",
    wrong: "const isCut = false;",
  },
  {
    defect: "the next owner hears nothing of what is unchecked",
    file: "offsets.ts",
    right: "claim?.marks ?? []",
    wrong: "[]",
  },
  {
    defect: "a mark is given up where what takes the places of the lost is still to come",
    file: "offsets.ts",
    right: "(newer >= 0 || newestMs === upTo)",
    wrong: "true",
  },
  {
    defect: "a commit has one of several marks",
    file: "offsets.ts",
    right: "brief ? 1 : 60",
    wrong: "1",
  },
  {
    defect: "nobody confirms the place where a new owner begins",
    file: "work.ts",
    right: "rewindTo: start?.offset as",
    wrong: "rewindTo: undefined as",
  },
  {
    defect: "a topic that is made anew without an id has the epochs of the one before it in its commits",
    file: "offsets.ts",
    right: "newestEpoch = leaderEpoch;",
    wrong: "newestEpoch = Math.max(newestEpoch, leaderEpoch);",
  },
  {
    defect: "a place is read again without the leader's epoch",
    file: "ownership.ts",
    right: "leaderEpoch: owner.offsets.epoch() }",
    wrong: "leaderEpoch: -1 }",
  },
  {
    defect: "what was under way when a log was cut is passed over",
    file: "ownership.ts",
    right: "cut.length > 0 ? await ask(cut, -lateMs) : newer",
    wrong: "newer",
  },
  {
    defect: "marks stay where they were when a log was cut below them",
    file: "offsets.ts",
    right: "one.offset = Math.min(one.offset, offset);",
    wrong: "one.offset = one.offset;",
  },
  {
    defect: "the bytes of what is finished are never given back",
    file: "offsets.ts",
    right: "      hand.bytes -= record.bytes;\n",
    wrong: "",
  },
  {
    defect: "an acknowledged commit is made again and again",
    file: "offsets.ts",
    right: "      committed = commit;\n",
    wrong: "",
  },
  {
    defect: "a look-up that failed counts as nothing committed",
    file: "ownership.ts",
    right: "await consumer.committed(partitions, lookUpTimeoutMs)",
    wrong: "await consumer.committed(partitions, lookUpTimeoutMs).catch(() => undefined)",
  },
  {
    defect: "what waits keeps all that was polled with it",
    file: "ownership.ts",
    right: "      record.own();\n",
    wrong: "",
  },
  {
    defect: "partitions are let go without their last commit",
    file: "group-member.ts",
    right: "running || !committer.settled(partitions)",
    wrong: "running",
  },
  {
    defect: "partitions are let go while their work runs",
    file: "group-member.ts",
    right: "running || !committer.settled(partitions)",
    wrong: "!committer.settled(partitions)",
  },
  {
    defect: "partitions are let go only when their work has ended, however long that takes",
    file: "group-member.ts",
    right: "if (clock.nowMs() - sinceMs > revokeTimeoutMs) {",
    wrong: "if (clock.nowMs() < sinceMs) {",
  },
  {
    defect: "a pause outlives the ownership",
    file: "group-member.ts",
    right: "        if (paused) consumer.resume([partition]);\n        owned",
    wrong: "        owned",
  },
];
