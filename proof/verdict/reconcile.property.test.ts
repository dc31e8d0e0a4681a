import { expect, test } from "bun:test";
import fc from "fast-check";
import { lineOf, readAnswers } from "../client/answers.ts";
import type { CommitSeen, DeadLetter, History, LedgerRow, TopicRecord } from "../history/history.ts";
import { history, sampleDigest, sampleId, told } from "../testing/histories.ts";
import { reconcile } from "./reconcile.ts";
import type { Verdict } from "./verdict.ts";

const partitions = 3;

/** What befell one order in a system that keeps its promise. */
type Fortune = {
  fate: "accepted" | "refused" | "unknown";
  copies: number;
  again: number;
  partition: number;
  /** Not handled, but made a dead letter. */
  givenUp: boolean;
};

const fortune: fc.Arbitrary<Fortune> = fc
  .record({
    fate: fc.constantFrom("accepted", "accepted", "refused", "unknown"),
    copies: fc.integer({ min: 0, max: 3 }),
    again: fc.integer({ min: 0, max: 2 }),
    partition: fc.nat({ max: partitions - 1 }),
    givenUp: fc.boolean(),
  })
  .map(({ fate, copies, ...rest }) => ({
    ...rest,
    fate,
    copies: fate === "refused" ? 0 : Math.max(copies, fate === "accepted" ? 1 : 0),
  }));

/** At least one accepted order, at index 0. */
const fortunes = fc
  .array(fortune, { maxLength: 40 })
  .map((others): Fortune[] => [
    { fate: "accepted", copies: 1, again: 0, partition: 0, givenUp: false },
    ...others,
  ]);

/** The history that these orders leave when everything in the log is handled or given up. */
function play(orders: readonly Fortune[]) {
  const client = orders.map(({ fate }, n) => told(`k${n}`, { fate }));
  const topic: TopicRecord[] = [];
  const ledger: LedgerRow[] = [];
  const effects: { id: string }[] = [];
  const dead: DeadLetter[] = [];
  const commits: CommitSeen[] = [];
  const ends = Array.from({ length: partitions }, () => 0);
  for (const [n, { copies, again, partition: first, givenUp }] of orders.entries()) {
    const id = sampleId(`k${n}`);
    for (let copy = 0; copy < copies; copy += 1) {
      const partition = (first + copy) % partitions;
      const offset = ends[partition] as number;
      topic.push({ id, partition, offset, timestampMs: n });
      ends[partition] = offset + 1;
      commits.push({ atMs: n, partition, offset: offset + 1 });
      if (copy > 0) continue;
      if (givenUp) {
        dead.push({ id, partition, offset, reason: "no milk" });
        continue;
      }
      const digest = sampleDigest(`k${n}`);
      ledger.push({ id, digest, partition, offset, handledAtMs: n, deliveries: copies + again });
      effects.push({ id });
    }
  }
  return { client, topic, ledger, effects, commits, dead };
}

const nothingFound = {
  lost: [],
  phantoms: [],
  ledgerDuplicates: [],
  mistaken: [],
  altered: [],
  skipped: [],
  offsetRegressions: [],
  orderViolations: [],
};

test("whatever befell the orders: a system that keeps its promise is never accused, and its counts are right", () => {
  fc.assert(
    fc.property(fortunes, (orders) => {
      const verdict = reconcile(history(play(orders)));
      const of = (fate: Fortune["fate"]) => orders.filter((one) => one.fate === fate);
      const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
      expect(verdict).toMatchObject({
        held: true,
        faults: [],
        ...nothingFound,
        accepted: of("accepted").length,
        handled: of("accepted").filter(({ givenUp }) => !givenUp).length,
        deadLettered: of("accepted").filter(({ givenUp }) => givenUp).length,
        refused: of("refused").length,
        unknown: {
          handled: of("unknown").filter(({ copies, givenUp }) => copies > 0 && !givenUp).length,
          waiting: of("unknown").filter(({ copies, givenUp }) => copies > 0 && givenUp).length,
          absent: of("unknown").filter(({ copies }) => copies === 0).length,
        },
        topicDuplicates: sum(orders.map(({ copies }) => Math.max(0, copies - 1))),
        redeliveries: sum(orders.map(({ copies, again, givenUp }) => (copies > 0 && !givenUp ? again : 0))),
      });
    }),
  );
});

test("a client's record that is cut off anywhere is no record, or says of each order what the whole one says", () => {
  fc.assert(
    fc.property(fortunes, fc.nat(), (orders, at) => {
      const { client } = play(orders);
      const text = client.map((answer) => `${lineOf(answer)}\n`).join("");
      expect(readAnswers(text)).toEqual(client);
      const cut = text.slice(0, at % text.length);
      if (cut === "" || cut.endsWith("\n"))
        expect(readAnswers(cut)).toEqual(client.slice(0, readAnswers(cut).length));
      else expect(() => readAnswers(cut)).toThrow("the client's record");
    }),
  );
});

test("in which order the records, rows and answers were read makes no difference", () => {
  const shuffled = <T>(entries: T[]) => fc.shuffledSubarray(entries, { minLength: entries.length });
  fc.assert(
    fc.property(
      fortunes.map(play).chain((one) =>
        fc.tuple(
          fc.constant(one),
          fc.record({
            client: shuffled(one.client),
            topic: shuffled(one.topic),
            ledger: shuffled(one.ledger),
            effects: shuffled(one.effects),
          }),
        ),
      ),
      ([one, parts]) => {
        expect(reconcile(history({ ...one, ...parts }))).toEqual(reconcile(history(one)));
      },
    ),
  );
});

/** What may be wrong with the first order (it is accepted, has one record and is handled), and what it is called. */
const damages: [string, (good: History, id: string) => Partial<History>, (id: string) => Partial<Verdict>][] =
  [
    [
      "its record is gone, and with it the row",
      ({ topic, ledger, effects }, id) => ({
        topic: topic.filter((one) => one.id !== id),
        ledger: ledger.filter((one) => one.id !== id),
        effects: effects.filter((one) => one.id !== id),
      }),
      (id) => ({ lost: [{ id, key: "k0", where: "not in the log" }] }),
    ],
    [
      "it was committed and never handled",
      ({ ledger, effects }, id) => ({
        ledger: ledger.filter((one) => one.id !== id),
        effects: effects.filter((one) => one.id !== id),
      }),
      (id) => ({
        lost: [{ id, key: "k0", where: "committed", partition: 0, offset: 0 }],
        skipped: [{ id, partition: 0, offset: 0 }],
      }),
    ],
    [
      "its effect is missing",
      ({ effects }, id) => ({ effects: effects.filter((one) => one.id !== id) }),
      (id) => ({ lost: [{ id, key: "k0", where: "without effect", partition: 0, offset: 0 }] }),
    ],
    [
      "its row is missing",
      ({ ledger, commits }, id) => ({
        ledger: ledger.filter((one) => one.id !== id),
        // Or it would be skipped as well.
        commits: commits.filter(({ partition }) => partition !== 0),
      }),
      (id) => ({ lost: [{ id, key: "k0", where: "without row", partition: 0, offset: 0 }] }),
    ],
    [
      "its row is of another order",
      ({ ledger }, id) => ({
        ledger: ledger.map((one) => (one.id === id ? { ...one, digest: sampleDigest("k1") } : one)),
      }),
      (id) => ({ altered: [id] }),
    ],
    [
      "its row is noted elsewhere",
      ({ ledger }, id) => ({
        ledger: ledger.map((one) => (one.id === id ? { ...one, offset: one.offset + 1_000 } : one)),
      }),
      (id) => ({ altered: [id] }),
    ],
    [
      "its row is there twice",
      ({ ledger }, id) => ({ ledger: [...ledger, ...ledger.filter((one) => one.id === id)] }),
      (id) => ({ ledgerDuplicates: [id] }),
    ],
    [
      "its effect is there twice",
      ({ effects }, id) => ({ effects: [...effects, { id }] }),
      (id) => ({ ledgerDuplicates: [id] }),
    ],
    [
      "it was refused",
      ({ client }) => ({ client: [told("k0", { fate: "refused" }), ...client.slice(1)] }),
      (id) => ({ phantoms: [id] }),
    ],
    [
      "its partition's offset went back",
      ({ commits }) => ({ commits: [...commits, { atMs: 99, partition: 0, offset: -1 }] }),
      () => ({ offsetRegressions: [expect.objectContaining({ partition: 0, to: -1, atMs: 99 })] }),
    ],
    [
      "it was answered with another id",
      ({ client }) => ({ client: [told("k0", { id: sampleId("other") }), ...client.slice(1)] }),
      (id) => ({ mistaken: [id] }),
    ],
  ];

test.each(damages)(
  "among whatever else: of an order it is noticed that %s, and nothing else",
  (_, damage, called) => {
    fc.assert(
      fc.property(fortunes, (orders) => {
        const good = history(play(orders));
        const id = sampleId("k0");
        const verdict = reconcile({ ...good, ...damage(good, id) });
        expect(verdict.held).toBe(false);
        expect(verdict).toMatchObject({ ...nothingFound, ...called(id) });
      }),
    );
  },
);
