// The proof can fail: each of these systems is the project's own with one part wrong, and each is caught; the same
// system with that part right keeps its promise under the same fault. The brokers are librdkafka's mock, which is
// real enough here: what is wrong lies before the log or behind it. What the log itself may lose is in
// e2e-mutations.test.ts.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { until } from "../kit/until.ts";
import { type OrdersCluster, startOrdersCluster } from "../testing/kafka.ts";
import { type PostgresServer, startPostgres } from "../testing/postgres.ts";
import { startProducer } from "./testing/intakes.ts";
import { type SmallSystem, startSmallSystem } from "./testing/small-system.ts";

const testLimitMs = 120_000;

let server: PostgresServer;
beforeAll(() => {
  server = startPostgres();
}, 120_000);
afterAll(() => server[Symbol.dispose]());

/** A system on brokers of its own. */
async function system(): Promise<SmallSystem & { cluster: OrdersCluster }> {
  const cluster = startOrdersCluster();
  const small = await startSmallSystem(server, { ...cluster.env, DELIVERY_TIMEOUT_MS: "1000" });
  return {
    ...small,
    cluster,
    async [Symbol.asyncDispose]() {
      await small[Symbol.asyncDispose]();
      cluster[Symbol.dispose]();
    },
  };
}

const keys = (name: string, count: number) => Array.from({ length: count }, (_, n) => `${name}-${n}`);

describe("a consumer that is killed with orders in its hands", () => {
  async function run(mutation: "none" | "commits-first") {
    await using small = await system();
    const first = await small.startConsumer(mutation);
    await using producer = await startProducer(small.env);
    await Promise.all(keys("k", 60).map((key, n) => small.order(key, `c${n}`, [producer])));
    await until("some are handled", async () => (await small.handled()) >= 5);
    await first.kill();
    expect(await small.handled()).toBeLessThan(60);
    await small.startConsumer(mutation);
    return (await small.verdict()).verdict;
  }

  test(
    "loses nothing when it commits what is handled",
    async () => {
      expect(await run("none")).toMatchObject({
        held: true,
        accepted: 60,
        handled: 60,
        ledgerDuplicates: [],
      });
    },
    testLimitMs,
  );

  test(
    "is caught when it commits before it handles",
    async () => {
      const { held, lost, skipped, faults } = await run("commits-first");
      expect(held).toBe(false);
      expect(lost.length).toBeGreaterThan(0);
      expect(new Set(lost.map(({ where }) => where))).toEqual(new Set(["committed"]));
      expect(skipped.map(({ id }) => id).sort()).toEqual(lost.map(({ id }) => id).sort());
      expect(faults).toHaveLength(2);
    },
    testLimitMs,
  );
});

describe("an order that is sent again through another producer, since the first answer was lost", () => {
  async function run(mutation: "none" | "no-key") {
    await using small = await system();
    await small.startConsumer(mutation);
    await using one = await startProducer(small.env);
    await using other = await startProducer(small.env);
    await Promise.all(keys("k", 10).map((key, n) => small.order(key, `c${n}`, [one, other], { deaf: true })));
    return (await small.verdict()).verdict;
  }
  const told = { accepted: 10, handled: 10, retried: 10, firstTryFailed: 10, topicDuplicates: 10, lost: [] };

  test(
    "is handled once by a ledger with a key",
    async () => {
      expect(await run("none")).toMatchObject({ held: true, ...told, ledgerDuplicates: [] });
    },
    testLimitMs,
  );

  test(
    "is caught when it is handled twice by a ledger without one",
    async () => {
      const verdict = await run("no-key");
      expect(verdict).toMatchObject({ held: false, ...told, redeliveries: 0 });
      expect(verdict.ledgerDuplicates).toHaveLength(10);
      expect(verdict.faults).toEqual(["ledger duplicates 10: handled more than once"]);
    },
    testLimitMs,
  );
});

describe("batches, of which the first answer was lost", () => {
  async function run(mutation: "none" | "refuses-written", to: "one" | "both") {
    await using small = await system();
    await small.startConsumer("none");
    await using one = await startProducer(small.env, mutation);
    await using other = await startProducer(small.env, mutation);
    const [producers, deaf] = to === "one" ? [[one], false] : [[one, other], true];
    // Of 2, 5, 10 and 3 orders.
    await Promise.all([1, 3, 5, 7].map((n) => small.batch("b", n, producers, { deaf })));
    return (await small.verdict()).verdict;
  }

  test(
    "are handled once, each of their orders",
    async () => {
      expect(await run("none", "both")).toMatchObject({
        ...{ held: true, accepted: 20, handled: 20, retried: 20, firstTryFailed: 20 },
        ...{ topicDuplicates: 20, ledgerDuplicates: [], phantoms: [], mistaken: [] },
      });
    },
    testLimitMs,
  );

  test(
    "are caught when some of their orders are called refused that are written",
    async () => {
      const { held, accepted, refused, phantoms, faults } = await run("refuses-written", "one");
      expect({ held, accepted, refused }).toEqual({ held: false, accepted: 16, refused: 4 });
      expect(phantoms).toHaveLength(4);
      expect(faults).toEqual(["phantoms 4: refused and yet there"]);
    },
    testLimitMs,
  );

  test(
    "are unknown, and so no phantoms, when it was the second answer that called them refused",
    async () => {
      expect(await run("refuses-written", "both")).toMatchObject({
        ...{ held: true, accepted: 16, refused: 0, phantoms: [] },
        unknown: { handled: 4, waiting: 0, absent: 0 },
      });
    },
    testLimitMs,
  );
});

describe("orders of a producer that writes what was ordered", () => {
  async function run(mutation: "none" | "mixes-up") {
    await using small = await system();
    await small.startConsumer("none");
    await using producer = await startProducer(small.env, mutation);
    for (const key of keys("k", 10)) await small.order(key, "c1", [producer]);
    return (await small.verdict()).verdict;
  }
  const told = { accepted: 10, handled: 10, lost: [], mistaken: [] };

  test(
    "are handled as they were ordered",
    async () => {
      expect(await run("none")).toMatchObject({ held: true, ...told, altered: [] });
    },
    testLimitMs,
  );

  test(
    "are caught when some of them are written under another's id",
    async () => {
      const verdict = await run("mixes-up");
      expect(verdict).toMatchObject({ held: false, ...told });
      expect(verdict.altered).toHaveLength(2);
      expect(verdict.faults).toEqual(["altered 2: handled with another content or place than was accepted"]);
    },
    testLimitMs,
  );
});

describe("orders while no broker can be reached", () => {
  async function run(mutation: "none" | "answers-first") {
    await using small = await system();
    await small.startConsumer("none");
    await using producer = await startProducer(small.env, mutation);
    const place = (name: string) =>
      Promise.all(keys(name, 10).map((key, n) => small.order(key, `c${n}`, [producer])));
    await place("before");
    await producer.settled();
    small.cluster.eachBroker((id) => small.cluster.brokerDown(id));
    await place("meanwhile");
    await producer.settled();
    small.cluster.eachBroker((id) => small.cluster.brokerUp(id));
    return (await small.verdict()).verdict;
  }

  test(
    "are refused or unknown when the producer waits for the acknowledgement",
    async () => {
      const verdict = await run("none");
      expect(verdict).toMatchObject({ held: true, accepted: 10, handled: 10, lost: [], phantoms: [] });
      const { handled, waiting, absent } = verdict.unknown;
      expect(verdict.refused + handled + waiting + absent).toBe(10);
    },
    testLimitMs,
  );

  test(
    "are caught when the producer answers before it",
    async () => {
      const { held, accepted, lost, faults } = await run("answers-first");
      expect({ held, accepted }).toEqual({ held: false, accepted: 20 });
      expect(lost.map(({ key, where }) => `${key}: ${where}`).sort()).toEqual(
        keys("meanwhile", 10).map((key) => `${key}: not in the log`),
      );
      expect(faults).toEqual([
        "lost 10: accepted, and neither handled nor a dead letter (10 not in the log)",
      ]);
    },
    testLimitMs,
  );
});
