import { describe, expect, test } from "bun:test";
import type { ClientAnswer, Cut, History } from "../history/history.ts";
import { effect, history, record, row, sampleDigest, sampleId, told } from "../testing/histories.ts";
import { reconcile } from "./reconcile.ts";
import type { Verdict } from "./verdict.ts";

const at = (offset: number, atMs = 0) => ({ atMs, partition: 0, offset });

/** An order that went its way: accepted, in the log, handled, committed. */
const well = {
  client: [told("a")],
  topic: [record("a", 0)],
  ledger: [row("a", 0)],
  effects: [effect("a")],
  commits: [at(1)],
};

const place = (offset: number | null, partition = 0) => ({ place: { partition, offset } });
const ofOne = { atMs: 6, partition: 0, from: 9, records: 1 };
const ofAll = { atMs: 6, beganMs: 5, records: 1 };
test.each<[string, Partial<ClientAnswer>, Cut]>([
  ["was answered after the cut", { endedMs: 7, ...place(9) }, ofOne],
  ["is one more than was cut", { endedMs: 5, ...place(9) }, { ...ofOne, records: 0 }],
  ["lay before the cut", { endedMs: 5, ...place(8) }, ofOne],
  ["lay in another partition", { endedMs: 5, ...place(9, 1) }, ofOne],
  ["was told no place", { endedMs: 5 }, ofOne],
  ["was passed before the topic was made anew", { endedMs: 5, ...place(3) }, ofAll],
])("an order that %s is no cut's doing, but lost", (_, answer, cut) => {
  const client = [told("a", { endedMs: 5 }), told("b", answer)];
  const commits = [at(1, 1), at(4, 5), at(1, 70_000)];
  const verdict = reconcile(history({ ...well, client, commits, cuts: [cut] }));
  expect(verdict).toMatchObject({ held: false, destroyed: 0, lost: [{ id: sampleId("b") }] });
});

test("an offset that goes back elsewhere, or a second time long after a cut, is a regression all the same", () => {
  const regressions = (partition: number, atMs: number, ...commits: ReturnType<typeof at>[]) =>
    reconcile(history({ ...well, commits, cuts: [{ ...ofOne, atMs, partition }] })).offsetRegressions.length;
  const once = [at(9, 1), at(1, 70_000)];
  expect(regressions(1, 69_999, ...once)).toBe(1);
  expect(regressions(0, 70_001, ...once)).toBe(1);
  // Nothing was to be committed until then.
  expect(regressions(0, 6, ...once)).toBe(0);
  expect(regressions(0, 6, ...once, at(9, 70_001), at(1, 70_002))).toBe(1);
  expect(regressions(0, 69_999, ...once, at(9, 70_001), at(1, 70_002))).toBe(0);
});

describe("the promise was kept", () => {
  const kept: [string, Partial<History>, Partial<Verdict>][] = [
    ["when an accepted order is handled", {}, { accepted: 1, handled: 1 }],
    [
      "when an unknown one is handled",
      {
        client: [told("a"), told("b", { fate: "unknown" })],
        topic: [record("a", 0), record("b", 1)],
        ledger: [row("a", 0), row("b", 1)],
        effects: [effect("a"), effect("b")],
      },
      { accepted: 1, unknown: { handled: 1, waiting: 0, absent: 0 } },
    ],
    [
      "when an unknown one is nowhere",
      { client: [told("a"), told("b", { fate: "unknown" })] },
      { accepted: 1, unknown: { handled: 0, waiting: 0, absent: 1 } },
    ],
    [
      "when an unknown one waits in the log",
      { client: [told("a"), told("b", { fate: "unknown" })], topic: [record("a", 0), record("b", 1)] },
      { unknown: { handled: 0, waiting: 1, absent: 0 } },
    ],
    [
      "when a refused one is nowhere",
      { client: [told("a"), told("b", { fate: "refused" })] },
      { accepted: 1, refused: 1, firstTryFailed: 1 },
    ],
    [
      "when an order was accepted at the second try, and lies in the log twice",
      {
        client: [told("a", { attempts: 2, firstStatus: 504 })],
        topic: [record("a", 0), record("a", 1)],
        ledger: [row("a", 0, { deliveries: 2 })],
        commits: [at(2)],
      },
      { handled: 1, retried: 1, firstTryFailed: 1, topicDuplicates: 1, redeliveries: 0 },
    ],
    [
      "when a record was delivered again",
      { ledger: [row("a", 0, { deliveries: 3 })] },
      { handled: 1, topicDuplicates: 0, redeliveries: 2 },
    ],
    [
      "when an accepted order was given up as a dead letter",
      { ledger: [], effects: [], dead: [{ id: sampleId("a"), partition: 0, offset: 0, reason: "no milk" }] },
      { accepted: 1, handled: 0, deadLettered: 1, lost: [], skipped: [] },
    ],
    [
      "when an unknown order was given up, which is told",
      {
        client: [told("a"), told("b", { fate: "unknown" })],
        topic: [record("a", 0), record("b", 1)],
        dead: [{ id: sampleId("b"), partition: 0, offset: 1, reason: "no milk" }],
        commits: [at(2)],
      },
      { deadLettered: 0, givenUp: [sampleId("b")], unknown: { handled: 0, waiting: 1, absent: 0 } },
    ],
    [
      "when the record that was handled is not in the log any more, since that was cut",
      { topic: [record("a", 7)], cuts: [ofOne], commits: [at(8)] },
      { handled: 1, altered: [] },
    ],
    [
      "when that went with its topic: it was delivered once",
      { topic: [], cuts: [ofAll], commits: [at(8)] },
      { handled: 1, redeliveries: 0, ofDestroyed: 0 },
    ],
    [
      "when that was delivered thrice, be it of copies that went as well",
      { topic: [], ledger: [row("a", 0, { deliveries: 3 })], cuts: [ofAll], commits: [at(8)] },
      { handled: 1, redeliveries: 0, ofDestroyed: 2 },
    ],
    [
      "when an accepted order was given up as unreadable",
      { ledger: [], effects: [], dead: [{ id: undefined, partition: 0, offset: 0, reason: "not JSON" }] },
      { handled: 0, deadLettered: 1, lost: [], skipped: [] },
    ],
    [
      "when what is gone was cut from every replica, as many records and answered before",
      {
        client: [told("a", { endedMs: 5 }), told("b", { endedMs: 5, ...place(9) })],
        commits: [at(9, 1), at(1, 7)],
        cuts: [ofOne],
      },
      { accepted: 2, handled: 1, destroyed: 1, lost: [], offsetRegressions: [] },
    ],
    [
      "when it went with its topic before the group had come to it, wherever it lay",
      {
        client: [
          told("a", { endedMs: 5 }),
          told("b", { endedMs: 5, ...place(4) }),
          told("c", { endedMs: 5, ...place(0, 1) }),
          told("d", { endedMs: 5, ...place(null) }),
        ],
        commits: [at(4, 1), at(9, 6), at(1, 7)],
        cuts: [{ ...ofAll, records: 3 }],
      },
      { accepted: 4, handled: 1, destroyed: 3, lost: [], offsetRegressions: [] },
    ],
    [
      "when an order was handled, and another under its id given up",
      { dead: [{ id: sampleId("a"), partition: 0, offset: 7, reason: "another order under this id" }] },
      { handled: 1, deadLettered: 0 },
    ],
    [
      "when the orders of a batch fared differently",
      {
        client: [
          told("b/0", { sent: "batch" }),
          told("b/1", { sent: "batch", fate: "refused" }),
          told("b/2", { sent: "batch", fate: "unknown" }),
        ],
        topic: [record("b/0", 0), record("b/2", 1)],
        ledger: [row("b/0", 0), row("b/2", 1)],
        effects: [effect("b/0"), effect("b/2")],
        commits: [at(2)],
      },
      { accepted: 1, refused: 1, unknown: { handled: 1, waiting: 0, absent: 0 } },
    ],
    [
      "when an order lies where its 202 says, or that says no offset",
      {
        client: [told("a", place(0)), told("b", { ...place(null), id: sampleId("b") })],
        topic: [record("a", 0), record("b", 1)],
        ledger: [row("a", 0), row("b", 1)],
        effects: [effect("a"), effect("b")],
        commits: [at(2)],
      },
      { handled: 2, mistaken: [] },
    ],
    [
      "when an accepted order was sent once more, and accepted again",
      {
        client: [told("a", { againStatus: 202, againId: sampleId("a") })],
        topic: [record("a", 0), record("a", 1)],
        commits: [at(2)],
      },
      { accepted: 1, handled: 1, retried: 0, topicDuplicates: 1 },
    ],
    [
      "when an accepted order was sent once more, and refused for now",
      { client: [told("a", { againStatus: 503 })] },
      { accepted: 1, handled: 1 },
    ],
    ["when offsets go on", { commits: [at(0, 1), at(1, 2), at(1, 3)] }, { offsetRegressions: [] }],
  ];
  test.each(kept)("%s", (_, changes, expected) => {
    const verdict = reconcile(history({ ...well, ...changes }));
    expect(verdict).toMatchObject({ held: true, faults: [], ...expected });
  });
});

describe("the promise was broken", () => {
  const lost = (where: string) => [expect.objectContaining({ id: sampleId("a"), key: "a", where })];
  const broken: [string, Partial<History>, Partial<Verdict>, string][] = [
    [
      "an accepted order is nowhere",
      { topic: [], ledger: [], effects: [] },
      { lost: lost("not in the log") },
      "lost 1: accepted, and neither handled nor a dead letter (1 not in the log)",
    ],
    [
      "an accepted order waits in the log",
      { ledger: [], effects: [], commits: [at(0)] },
      { lost: lost("uncommitted"), skipped: [] },
      "lost 1: accepted, and neither handled nor a dead letter (1 uncommitted)",
    ],
    [
      "an accepted order was committed before it was handled",
      { ledger: [], effects: [] },
      { lost: lost("committed"), skipped: [{ id: sampleId("a"), partition: 0, offset: 0 }] },
      "lost 1: accepted, and neither handled nor a dead letter (1 committed)",
    ],
    [
      "one of an order's two records waits, the other was passed",
      { topic: [record("a", 0), record("a", 1)], ledger: [], effects: [] },
      { lost: lost("uncommitted") },
      "skipped 1",
    ],
    [
      "an accepted order has its row without its effect",
      { effects: [] },
      { lost: lost("without effect") },
      "lost 1",
    ],
    [
      "an accepted order has its row without its effect, and is a dead letter",
      { effects: [], dead: [{ id: sampleId("a"), partition: 0, offset: 0, reason: "no milk" }] },
      { lost: lost("without effect"), deadLettered: 0 },
      "lost 1",
    ],
    [
      "an accepted order has its effect, and the ledger forgot it",
      { ledger: [], commits: [] },
      { handled: 0, lost: lost("without row") },
      "lost 1: accepted, and neither handled nor a dead letter (1 without row)",
    ],
    [
      "an accepted order has its effect, and no row but a dead letter",
      { ledger: [], commits: [], dead: [{ id: sampleId("a"), partition: 0, offset: 0, reason: "no milk" }] },
      { lost: lost("without row"), deadLettered: 0, givenUp: [] },
      "lost 1",
    ],
    [
      "what was handled is another's order",
      { ledger: [row("a", 0, { digest: sampleDigest("a7") })] },
      { handled: 1, altered: [sampleId("a")] },
      "altered 1: handled with another content or place than was accepted",
    ],
    [
      "what was handled of an unknown order is another's",
      {
        client: [told("a"), told("b", { fate: "unknown" })],
        topic: [record("a", 0), record("b", 1)],
        ledger: [row("a", 0), row("b", 1, { digest: sampleDigest("b7") })],
        effects: [effect("a"), effect("b")],
      },
      { altered: [sampleId("b")] },
      "altered 1",
    ],
    [
      "an order is noted at a place that no record of it has",
      { topic: [record("a", 0), record("a", 4)], ledger: [row("a", 3)] },
      { altered: [sampleId("a")] },
      "altered 1",
    ],
    [
      "a refused order is in the log",
      { client: [told("a"), told("b", { fate: "refused" })], topic: [record("a", 0), record("b", 1)] },
      { phantoms: [sampleId("b")] },
      "phantoms 1: refused and yet there",
    ],
    [
      "a refused order was handled",
      {
        client: [told("a"), told("b", { fate: "refused" })],
        ledger: [row("a", 0), row("b", 1)],
        effects: [effect("a"), effect("b")],
      },
      { phantoms: [sampleId("b")] },
      "phantoms 1",
    ],
    [
      "a refused order is a dead letter",
      {
        client: [told("a"), told("b", { fate: "refused" })],
        dead: [{ id: sampleId("b"), partition: 0, offset: 1, reason: "" }],
      },
      { phantoms: [sampleId("b")] },
      "phantoms 1",
    ],
    [
      "an effect was applied twice",
      { effects: [effect("a"), effect("a")] },
      { ledgerDuplicates: [sampleId("a")] },
      "ledger duplicates 1: handled more than once",
    ],
    [
      "the effect of an unknown order was applied twice",
      {
        client: [told("a"), told("b", { fate: "unknown" })],
        effects: [effect("a"), effect("b"), effect("b")],
      },
      { ledgerDuplicates: [sampleId("b")] },
      "ledger duplicates 1",
    ],
    [
      "an order has two rows",
      { ledger: [row("a", 0), row("a", 1)] },
      { ledgerDuplicates: [sampleId("a")] },
      "ledger duplicates 1",
    ],
    [
      "a committed offset went back",
      { commits: [at(5, 1), { atMs: 2, partition: 1, offset: 9 }, at(1, 3)] },
      { offsetRegressions: [{ partition: 0, from: 5, to: 1, atMs: 3 }] },
      "offset regressions 1",
    ],
    [
      "a record was committed that nobody was promised, and that nobody handled",
      { client: [told("a"), told("b", { fate: "unknown" })], topic: [record("a", 1), record("b", 0)] },
      { skipped: [{ id: sampleId("b"), partition: 0, offset: 0 }] },
      "skipped 1: committed without being handled",
    ],
    [
      "an order was accepted under another's id",
      { client: [told("a", { id: sampleId("b") })] },
      { mistaken: [sampleId("a")] },
      "mistaken 1",
    ],
    [
      "an order of a batch was refused and is in the log",
      {
        client: [told("b/0", { sent: "batch" }), told("b/1", { sent: "batch", fate: "refused" })],
        topic: [record("b/0", 0), record("b/1", 1)],
        ledger: [row("b/0", 0)],
        effects: [effect("b/0")],
      },
      { phantoms: [sampleId("b/1")] },
      "phantoms 1: refused and yet there",
    ],
    [
      "an order of a batch was accepted and is nowhere",
      { client: [told("a"), told("b/1", { sent: "streamed-slow" })] },
      { lost: [{ id: sampleId("b/1"), key: "b/1", where: "not in the log" }] },
      "lost 1",
    ],
    [
      "an order of a batch was given the id of its neighbour",
      { client: [told("a"), told("b/0", { id: sampleId("b/1") })] },
      { mistaken: [sampleId("b/0")] },
      "mistaken 1",
    ],
    [
      "an accepted order was told a place that another has, or nobody",
      { client: [told("a", place(3)), told("b", place(0))], topic: [record("a", 0), record("b", 1)] },
      { mistaken: [sampleId("a"), sampleId("b")] },
      "mistaken 2",
    ],
    [
      "an accepted order has its row and its effect, and its record is gone from the log",
      { client: [told("a", place(0))], topic: [] },
      { handled: 1, lost: [], mistaken: [sampleId("a")] },
      "mistaken 1",
    ],
    [
      "an accepted order was accepted under another id when it was sent once more",
      { client: [told("a", { againStatus: 202, againId: sampleId("b") })] },
      { mistaken: [sampleId("a")] },
      "mistaken 1: accepted under another id or place, or denied when sent again",
    ],
    [
      "an accepted order was called a fault when it was sent once more",
      { client: [told("a", { againStatus: 422 })] },
      { mistaken: [sampleId("a")] },
      "mistaken 1",
    ],
    ["nothing was accepted", { client: [told("b", { fate: "refused" })] }, { accepted: 0 }, "nothing was"],
    ["nothing was sent", { client: [] }, { accepted: 0 }, "nothing was accepted"],
  ];
  test.each(broken)("when %s", (_, changes, expected, words) => {
    const verdict = reconcile(history({ ...well, ...changes }));
    expect(verdict).toMatchObject({ held: false, ...expected });
    expect(verdict.faults.join("\n")).toContain(words);
  });
});

describe("the order of one customer's orders", () => {
  const first = told("a", { startedMs: 0, endedMs: 10 });
  const second = told("b", { startedMs: 11, endedMs: 20 });
  const inOrder = {
    client: [second, first],
    topic: [record("a", 0), record("b", 1)],
    ledger: [row("a", 0, { handledAtMs: 5 }), row("b", 1, { handledAtMs: 5 })],
    effects: [effect("a"), effect("b")],
    commits: [at(2)],
  };
  /** With each row at the place of its order's first record. */
  function placed(changes: Partial<History>): History {
    const all = history({ ...inOrder, ...changes });
    const placeOf = (id: string) => all.topic.find((one) => one.id === id) ?? { partition: 0, offset: 0 };
    const moved = all.ledger.map((one) => {
      const { partition, offset } = placeOf(one.id);
      return { ...one, partition, offset };
    });
    return { ...all, ledger: moved };
  }
  const judged = (changes: Partial<History>) => reconcile(placed(changes), { partitioner: "customer" });
  const pair = { customer: "c1", earlier: sampleId("a"), later: sampleId("b") };

  test("is kept when the later one comes after, also in one transaction", () => {
    expect(judged({})).toMatchObject({ held: true, orderViolations: [] });
  });

  test("is kept when the earlier one was copied later", () => {
    expect(judged({ topic: [record("a", 2), record("a", 0), record("b", 1)] }).orderViolations).toEqual([]);
  });

  test("is not demanded of orders that overlapped", () => {
    const topic = [record("a", 1), record("b", 0)];
    expect(judged({ client: [first, { ...second, startedMs: 10 }], topic }).held).toBe(true);
  });

  test("is not demanded of different customers", () => {
    const other = told("b", { customer: "c2", startedMs: 11, endedMs: 20 });
    const topic = [record("a", 1), record("b", 0, { id: sampleId("b", "c2") })];
    const ledger = [row("a", 0), row("b", 1, { id: sampleId("b", "c2"), digest: sampleDigest("b", "c2") })];
    const effects = [effect("a"), { id: sampleId("b", "c2") }];
    expect(judged({ client: [first, other], topic, ledger, effects }).held).toBe(true);
  });

  test.each([
    ["the later one stands before it in the log", [record("a", 1), record("b", 0)]],
    ["they lie in different partitions", [record("a", 0), record("b", 1, { partition: 1 })]],
  ])("is broken when %s", (_, topic) => {
    const verdict = judged({ topic });
    expect(verdict.held).toBe(false);
    expect(verdict.orderViolations).toEqual([{ ...pair, in: "the log" }]);
    // Nobody was promised an order otherwise.
    expect(reconcile(placed({ topic })).held).toBe(true);
  });

  test("is kept when the earlier one was given up in its turn, and handled when its record came again", () => {
    const ledger = [row("a", 0, { handledAtMs: 9 }), row("b", 1, { handledAtMs: 8 })];
    const dead = [{ id: sampleId("a"), partition: 0, offset: 0, reason: "no milk" }];
    expect(judged({ ledger, dead }).orderViolations).toEqual([]);
  });

  test("is broken when the later one was handled before it", () => {
    const ledger = [row("a", 0, { handledAtMs: 9 }), row("b", 1, { handledAtMs: 8 })];
    expect(judged({ ledger }).orderViolations).toEqual([{ ...pair, in: "the handling" }]);
  });
});
