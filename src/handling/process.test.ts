/** The consumer as a process: what it does while the ledger, Kafka or a topic is not what it should be. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { until } from "../../kit/until.ts";
import { type OrdersCluster, partitionCount, startOrdersCluster } from "../../testing/kafka.ts";
import { freePort } from "../../testing/postgres.ts";
import { newPlace, recordsOf, temporaryLedger } from "../../testing/test-consumer.ts";
import { startTier, type TierProcess } from "../../testing/tier-process.ts";

setDefaultTimeout(120_000);

const unknownTopic = 3;
const waitMs = 30_000;
let cluster: OrdersCluster;
beforeAll(() => {
  cluster = startOrdersCluster();
});
afterAll(() => cluster.close());

/** Waits until /readyz refuses with a reason that has these words in it. */
const unready = (tier: TierProcess, reason: string) =>
  until(`unready: ${reason}`, async () => {
    const answer = await tier.fetch("/readyz");
    return answer.status === 503 && (await answer.text()).includes(reason);
  });

describe.concurrent("it is alive but not ready, says why, and needs no restart", () => {
  test("while its ledger's folder is not there", async () => {
    using place = newPlace(cluster);
    const url = place.env.LEDGER_URL.replace("ledger.sqlite", "later/ledger.sqlite");
    await place.put(recordsOf(3));
    await using tier = startTier("consumer", { ...place.env, LEDGER_URL: url });
    await unready(tier, "no ledger");
    expect((await tier.fetch("/livez")).status).toBe(200);
    mkdirSync(dirname(url.replace("sqlite:", "")));
    await until("all is committed", async () => (await place.committed()) === 3, waitMs);
    await tier.ready();
  });

  test("while PostgreSQL is not there; it can be told to end meanwhile", async () => {
    using place = newPlace(cluster);
    const url = `postgres://postgres@127.0.0.1:${freePort()}/postgres`;
    await using tier = startTier("consumer", { ...place.env, LEDGER_URL: url });
    await unready(tier, "no ledger");
    const answer = await tier.fetch("/orders/b98a142b-6ad9-8a04-b1ce-b0407a8ec501");
    expect(answer.status).toBe(503);
    expect(answer.headers.get("retry-after")).toMatch(/^\d+$/);
    // The database's own words are for the log.
    const detail = "the ledger can't be asked now";
    const type = "urn:problem-type:coffee-orders:ledger_unavailable";
    expect(await answer.json()).toMatchObject({ type, detail });
    const said = () => tier.log.find(({ msg }) => msg === detail)?.err;
    expect(await until("the log says why", said)).toMatchObject({ type: "LedgerUnavailableError" });
    tier.signal("SIGTERM");
    expect(await tier.exited).toBe(0);
  });

  test("while the topic of dead letters is absent", async () => {
    using place = newPlace(cluster);
    const dead = `${place.topic}.absent`;
    cluster.setTopicError(dead, unknownTopic);
    await using tier = startTier("consumer", { ...place.env, DEAD_TOPIC: dead });
    await unready(tier, `the topic ${dead} does not exist`);
    cluster.setTopicError(dead, 0);
    await tier.ready();
  });

  test("on a topic that is too weakly replicated: nothing is taken from it", async () => {
    using place = newPlace(cluster);
    const weak = `${place.topic}.weak`;
    cluster.createTopic(weak, { partitions: partitionCount, replicationFactor: 1 });
    await using tier = startTier("consumer", { ...place.env, ORDERS_TOPIC: weak });
    await unready(tier, "1 of 3 replicas");
    expect(await tier.metric("kafka_partitions_owned")).toBe(0);
  });

  test("while Kafka is absent", async () => {
    using own = startOrdersCluster();
    using ledger = temporaryLedger();
    own.eachBroker((id) => own.brokerDown(id));
    await using tier = startTier("consumer", { ...own.env, LEDGER_URL: ledger.url });
    await unready(tier, "no topic to rely on");
    own.eachBroker((id) => own.brokerUp(id));
    await tier.ready(waitMs);
    tier.signal("SIGTERM");
    expect(await tier.exited).toBe(0);
  });
});

describe.concurrent("its end", () => {
  test("SIGTERM right after the start, before it has joined the group: exit 0, and soon", async () => {
    using place = newPlace(cluster);
    await using tier = startTier("consumer", place.env);
    await tier.fetch("/livez");
    tier.signal("SIGTERM");
    expect(await tier.exited).toBe(0);
  });

  test("a second signal: exit 1 at once", async () => {
    using place = newPlace(cluster);
    await place.put(recordsOf(1));
    await using tier = startTier("testing/hanging-consumer", place.env);
    await until("its handler hangs", () => tier.log.some(({ msg }) => msg === "hanging"), waitMs);
    tier.signal("SIGTERM");
    await unready(tier, "draining");
    expect(await tier.toldToTheEnd("SIGTERM")).toBe(1);
  });

  test("what handlers leave behind, and what listens to their signal, is not it: nor is it what ends", async () => {
    using place = newPlace(cluster);
    await place.put(recordsOf(1, 1, 1));
    await using tier = startTier("testing/hanging-consumer", { ...place.env, HANDLER_TIMEOUT_MS: "200" });
    const begun = () => tier.log.filter(({ msg }) => msg === "hanging").length;
    await until(
      "it is tried again",
      () => begun() > 1 || tier.log.some(({ level }) => level === "fatal"),
      waitMs,
    );
    expect(tier.log.filter(({ level }) => level === "fatal")).toEqual([]);
    tier.signal("SIGTERM");
    expect(await tier.exited).toBe(0);
  });

  test("a port that is taken: one message, exit 1", async () => {
    using place = newPlace(cluster);
    const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    await using tier = startTier("consumer", { ...place.env, HTTP_PORT: String(taken.port) });
    expect(await tier.exited).toBe(1);
    taken.stop(true);
    expect(tier.stderr()).toContain(`cannot listen on 127.0.0.1:${taken.port}`);
    expect(tier.stderr()).not.toMatch(/^\s+at /m);
  });
});
