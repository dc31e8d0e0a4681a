/** Records that can't be handled: they stop nobody, and go to the dead-letter topic as they are. */
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import { until } from "../../kit/until.ts";
import { viewOf } from "../../testing/entries.ts";
import { type OrdersCluster, type RawRecord, startOrdersCluster } from "../../testing/kafka.ts";
import { idOf, newPlace, type Place, recordOf, startTestConsumer } from "../../testing/test-consumer.ts";
import { type KafkaConfig, kafkaConfig } from "../config.ts";
import { createLogger } from "../runtime/log.ts";
import { anOrder } from "../sample.ts";
import { orderId } from "../wire/order-id.ts";
import { createDeadLetters } from "./dead-letters.ts";

setDefaultTimeout(120_000);

let cluster: OrdersCluster;
let place: Place;
beforeAll(() => {
  cluster = startOrdersCluster();
});
afterAll(() => cluster.close());
beforeEach(() => {
  place = newPlace(cluster);
});
afterEach(() => place[Symbol.dispose]());

const quiet = () => createLogger("test", { INSTANCE: "test", LOG_LEVEL: "fatal" });
const lettersOn = (config: KafkaConfig, log = quiet()) => createDeadLetters(config, log);

const valid = JSON.parse(String(recordOf("valid").value));
/** Where all that is known has another type. */
const foreign = Object.fromEntries(Object.keys(anOrder).map((name) => [name, null]));
const garbage = Buffer.from([0x00, 0xff, 0xfe, 0x0d, 0x0a, 0x80]);

describe("an undecodable record", () => {
  const laterId = orderId("c", "of a later version");
  const bad: Record<string, RawRecord> = {
    "an empty value": { value: Buffer.alloc(0), key: Buffer.from("k") },
    "a null value, without a key": { value: null, key: null },
    "garbage in value and key": { value: garbage, key: garbage },
    "an empty key": { value: "{}", key: Buffer.alloc(0) },
    "JSON that is no order": { value: "[1,2,3]", key: Buffer.from("k") },
    "a control character where the reason quotes it": { value: "\u0000", key: Buffer.from("k") },
    "a member whose name is a control character": {
      value: JSON.stringify({ ...valid, ...foreign, "\u0000\u001b": 1 }),
    },
    "another schema": {
      value: JSON.stringify({ ...valid, ...foreign, sugar: true }),
      key: Buffer.from(laterId),
    },
    "an order that was never placed": {
      value: JSON.stringify(anOrder),
    },
    "a deep nest": { value: "[".repeat(100_000) },
    "more than a megabyte": { value: Buffer.alloc(1_500_000, "x"), key: Buffer.from("huge") },
    "headers of its own": {
      value: "x",
      headers: { traceparent: "00-1", "dead.reason": "of old", ce_id: "é" },
    },
  };

  test("goes to the dead letters with its bytes unchanged, and stops no order before or behind it", async () => {
    const records = Object.values(bad).flatMap((record, n) => [
      recordOf(`${n}`),
      { ...record, partition: n % 3 },
    ]);
    await place.put(records);
    await using consumer = startTestConsumer(place.env);
    await place.commits(records.length);
    const count = Object.keys(bad).length;
    expect(await consumer.metric("orders_handled_total")).toBe(count);
    expect(await consumer.metric("orders_dead_total")).toBe(count);

    // Whoever asks for an order of a later version is told where it is.
    const view = await viewOf(consumer.ledger, laterId);
    expect(view).toMatchObject({ status: "dead", reason: expect.stringContaining("undecodable") });
    const letters = await place.letters();
    expect(letters).toHaveLength(count);
    for (const [n, [what, { key = null, value, headers = {} }]] of Object.entries(bad).entries()) {
      const letter = letters.find(
        (one) =>
          one.headers["dead.partition"] === String(n % 3) &&
          Bun.deepEquals(one.value, value === null ? null : Buffer.from(value)),
      );
      expect({ what, key: letter?.key }).toEqual({ what, key });
      expect(letter?.partition).toBe(n % 3);
      expect(letter?.headers).toMatchObject({
        ...headers,
        "dead.reason": expect.stringMatching(/^undecodable: \P{Cc}+$/u),
        "dead.attempts": "0",
        "dead.topic": place.topic,
        "dead.offset": expect.stringMatching(/^\d+$/),
        "dead.at": expect.stringMatching(/^\d{4}-/),
      });
    }
  });

  test("is committed only when its letter is acknowledged; meanwhile others are handled", async () => {
    cluster.setPartitionLeader(place.deadTopic, 0, -1);
    await place.put([{ value: "x" }, recordOf("1"), recordOf("2", { partition: 1 })]);
    await using consumer = startTestConsumer(place.env);
    await consumer.reaches("orders_handled_total", 2);
    await place.commits(1); // the one of partition 1
    expect(await consumer.metric("orders_dead_total")).toBe(0);
    cluster.setPartitionLeader(place.deadTopic, 0, 2);
    await place.commits(3);
    expect(await place.letters()).toHaveLength(1);
  });
});

test("headers are kept as they are, also those that are not text", async () => {
  const { ORDERS_TOPIC, DEAD_TOPIC, ...env } = place.env;
  const config = kafkaConfig({ ...env, ORDERS_TOPIC, DEAD_TOPIC });
  const letters = lettersOn(config);
  const headers = [{ text: Buffer.from("é") }, { bytes: garbage }, { nul: Buffer.from("a\0b") }];
  const record = { topic: ORDERS_TOPIC, partition: 5, offset: 7, key: null, value: garbage, headers };
  await letters.bury(record as never, { reason: "test", attempts: 1 }, new AbortController().signal);
  await letters.close();
  const [letter] = await place.letters();
  expect(letter).toMatchObject({ partition: 5, value: garbage });
  expect(letter?.headers).toMatchObject({
    text: "é",
    bytes: String(garbage),
    nul: "a\0b",
  });
});

test("a topic that is too weak gets no letter", async () => {
  const config = kafkaConfig({ ...place.env, REPLICATION_FACTOR: "4" });
  const log = createLogger("test", { INSTANCE: "test", LOG_LEVEL: "fatal" });
  const letters = lettersOn(config, log);
  const record = { topic: "orders", partition: 0, offset: 0, key: null, value: garbage, headers: [] };
  const failed = new AbortController();
  const said: unknown[] = [];
  log.error = ((...words: unknown[]) => {
    said.push(words);
    failed.abort();
  }) as typeof log.error;
  const buried = letters.bury(record as never, { reason: "test", attempts: 1 }, failed.signal);
  await expect(buried).rejects.toThrow("abort");
  await letters.close();
  expect(String(Bun.inspect(said))).toContain("3 of 4 replicas");
  expect(await place.letters()).toEqual([]);
});

test("another order under an id that was handled is a dead letter, and applies nothing", async () => {
  const first = recordOf("same");
  const other = recordOf("same", { n: 1, partition: 1 });
  expect(idOf(other)).toBe(idOf(first));
  await place.put([first]);
  const effects: object[] = [];
  await using consumer = startTestConsumer(place.env, async (order) => void effects.push(order));
  await place.commits(1);
  await place.put([other]);
  await place.commits(2);
  expect(effects).toEqual([JSON.parse(String(first.value))]);
  const [letter, ...more] = await place.letters();
  expect(more).toEqual([]);
  expect(String(letter?.value)).toBe(String(other.value));
  expect(letter?.headers["dead.reason"]).toContain("conflict");
  expect(await viewOf(consumer.ledger, idOf(first))).toMatchObject({ status: "handled" });
});

test("a copy of an order is counted, applies nothing, and is no dead letter", async () => {
  const record = recordOf("same");
  await place.put([record, { ...record, partition: 1 }]);
  let effects = 0;
  await using consumer = startTestConsumer(place.env, async () => {
    effects += 1;
  });
  await place.commits(2);
  expect(effects).toBe(1);
  expect(await consumer.metric("orders_duplicate_total")).toBe(1);
  expect(await place.letters()).toEqual([]);
});

test("a reason that no header and no database would take is made one that they do", async () => {
  await place.put([recordOf("1")]);
  const message = `\u0000\ud800\n${"x".repeat(100_000)}`;
  // Nothing else is handled meanwhile: without this it would be waited for whether the fault is the order's.
  await using consumer = startTestConsumer({ ...place.env, RETRY_TIMEOUT_MS: "0" }, async () => {
    throw new Error(message);
  });
  await place.commits(1);
  const [letter] = await place.letters();
  expect(letter?.headers["dead.reason"]).toMatch(/^Error: {2}\ufffd x+$/);
  expect(letter?.headers["dead.reason"]).toHaveLength(1_000);
  expect(await consumer.metric("orders_dead_total")).toBe(1);
});

/** A record of a partition, as a consumer would have been given it. */
const delivered = (partition: number, value: Buffer, offset = 0) =>
  ({ topic: place.topic, partition, offset, key: null, value, headers: [], timestampMs: -1 }) as never;
const cause = { reason: "test", attempts: 1 };
const never = new AbortController().signal;
const produce = 0;

test("a record too large for a letter leaves a stub, which says what it was, and holds up no other", async () => {
  const value = Buffer.alloc(2_200_000, "x");
  await place.put([{ value, key: Buffer.from("huge"), headers: { colour: "red" } }]);
  await place.put(Array.from({ length: 12 }, (_, partition) => ({ value: "junk", partition })));
  await using consumer = startTestConsumer(place.env);
  await place.commits(13);
  expect(await consumer.metric("orders_dead_total")).toBe(13);
  const stub = (await place.letters()).find(({ headers }) => "dead.cut" in headers);
  expect(stub).toMatchObject({ partition: 0, value: null, key: Buffer.from("huge") });
  expect(stub?.headers).toMatchObject({
    ...{ colour: "red", "dead.headers": "1", "dead.cut": "value,timestamp", "dead.bytes": "2200000" },
    ...{ "dead.topic": place.topic, "dead.partition": "0", "dead.offset": "0" },
    "dead.sha256": Bun.CryptoHasher.hash("sha256", value, "hex"),
  });
});

test("headers too large for a letter are left out too", async () => {
  await place.put([{ value: "junk", key: Buffer.from("k"), headers: { huge: "h".repeat(2_200_000) } }]);
  await using consumer = startTestConsumer(place.env);
  await consumer.reaches("orders_dead_total", 1);
  const [stub] = await place.letters();
  expect(stub).toMatchObject({ value: null, key: null });
  expect(stub?.headers).toMatchObject({ "dead.cut": "key,value,headers,timestamp", "dead.bytes": "4" });
});

test.each([
  ["too large", 10, "value,timestamp"],
  ["a list too large", 18, "value,timestamp"],
])("what the brokers find %p is tried once more as it is, then as a stub", async (_, code, cut) => {
  const letters = lettersOn(kafkaConfig(kafkaEnv()));
  cluster.pushRequestErrors(produce, [code]);
  await letters.bury(delivered(0, garbage), cause, never);
  cluster.pushRequestErrors(produce, [code, code]);
  await letters.bury(delivered(1, garbage), cause, never);
  await letters.close();
  const [whole, stub] = await place.letters();
  expect(whole?.value).toEqual(garbage);
  expect(stub?.value).toBeNull();
  expect(stub?.headers["dead.cut"]).toBe(cut);
});

test("a letter refused for its own sake keeps its value if it goes without its timestamp", async () => {
  const letters = lettersOn(kafkaConfig(kafkaEnv()));
  const invalidTimestamp = 32;
  cluster.pushRequestErrors(produce, [invalidTimestamp, invalidTimestamp]);
  await letters.bury(delivered(0, garbage), cause, never);
  expect(letters.unready()).toBeUndefined();
  await letters.close();
  const [letter] = await place.letters();
  expect(letter).toMatchObject({ value: garbage, headers: { "dead.timestamp": "-1" } });
  expect(letter?.headers["dead.cut"]).toBe("timestamp");
});

test("without permission letters are held, and go when there is one; the reason is told meanwhile", async () => {
  const letters = lettersOn(kafkaConfig(kafkaEnv()));
  const denied = 29;
  cluster.setTopicError(place.deadTopic, denied);
  let buried = false;
  const burial = letters.bury(delivered(0, garbage), cause, never).then(() => {
    buried = true;
  });
  await until("it is said", () => letters.unready());
  expect(letters.unready()).toMatch(/^1 dead letters are held: /);
  expect(buried).toBe(false);
  cluster.setTopicError(place.deadTopic, 0);
  await burial;
  expect(letters.unready()).toBeUndefined();
  await letters.close();
});

test("a topic that has fewer partitions than it had gets its letters all the same", async () => {
  const config = kafkaConfig(kafkaEnv());
  const letters = lettersOn(config);
  await letters.bury(delivered(7, garbage), cause, never);
  // Made anew, as far as can be told.
  config.DEAD_TOPIC = `${place.deadTopic}.small`;
  cluster.createTopic(config.DEAD_TOPIC, { partitions: 3, replicationFactor: 3 });
  await letters.bury(delivered(7, garbage), cause, never);
  await letters.close();
});

test("a topic that becomes too weak gets no more letters, until that is mended", async () => {
  const config = kafkaConfig({ ...kafkaEnv(), TOPIC_CHECK_MS: "1000" });
  const letters = lettersOn(config);
  const ended = new AbortController();
  let buried = 0;
  const burying = (async () => {
    for (; ; buried += 1) await letters.bury(delivered(0, garbage, buried), cause, ended.signal);
  })();
  await until("letters go", () => buried > 0);
  // It has fewer replicas than it should have, as far as can be told.
  config.REPLICATION_FACTOR = 4;
  await until("they are held", () => letters.unready()?.includes("3 of 4 replicas"));
  const before = buried;
  config.REPLICATION_FACTOR = 3;
  await until("they go again", () => buried > before);
  ended.abort();
  await expect(burying).rejects.toThrow("abort");
  await letters.close();
});

test("letters for a partition without a leader hold up none of another", async () => {
  const letters = lettersOn(kafkaConfig(kafkaEnv()));
  cluster.setPartitionLeader(place.deadTopic, 0, -1);
  const ended = new AbortController();
  const held = Array.from({ length: 600 }, (_, n) =>
    letters.bury(delivered(0, garbage, n), cause, ended.signal),
  );
  for (const one of held) one.catch(() => undefined);
  let others = 0;
  for (let n = 0; n < 3_000; n += 1)
    void letters.bury(delivered(1 + (n % 11), garbage, n), cause, never).then(() => {
      others += 1;
    });
  await until("all others are acknowledged", () => others === 3_000);
  ended.abort();
  cluster.setPartitionLeader(place.deadTopic, 0, 2);
  await Promise.allSettled(held);
  await letters.close();
});

const kafkaEnv = () => {
  const { LEDGER_URL, CONSUMER_GROUP, ...env } = place.env;
  return env;
};
