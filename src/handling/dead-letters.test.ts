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
import { kafkaConfig } from "../config.ts";
import { createLogger } from "../log.ts";
import { type OrdersCluster, type RawRecord, startOrdersCluster } from "../testing/kafka.ts";
import { idOf, newPlace, type Place, recordOf, startTestConsumer } from "../testing/test-consumer.ts";
import { createDeadLetters } from "./dead-letters.ts";

setDefaultTimeout(60_000);

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

const valid = JSON.parse(String(recordOf("valid").value));
const garbage = Buffer.from([0x00, 0xff, 0xfe, 0x0d, 0x0a, 0x80]);

describe("an undecodable record", () => {
  const bad: Record<string, RawRecord> = {
    "an empty value": { value: Buffer.alloc(0), key: Buffer.from("k") },
    "a null value, without a key": { value: null, key: null },
    "garbage in value and key": { value: garbage, key: garbage },
    "an empty key": { value: "{}", key: Buffer.alloc(0) },
    "JSON that is no order": { value: "[1,2,3]", key: Buffer.from("k") },
    "a control character where the reason quotes it": { value: "\u0000", key: Buffer.from("k") },
    "a member whose name is a control character": { value: JSON.stringify({ ...valid, "\u0000\u001b": 1 }) },
    "another schema": { value: JSON.stringify({ ...valid, quantity: "2", sugar: true }) },
    "an order that was never placed": {
      value: '{"customer":"c","coffee":"latte","size":"small","quantity":1}',
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
  const letters = createDeadLetters(config, createLogger("test", { INSTANCE: "test", LOG_LEVEL: "fatal" }));
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
  const letters = createDeadLetters(config, log);
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
  const other = recordOf("same", { quantity: 9, partition: 1 });
  expect(idOf(other)).toBe(idOf(first));
  await place.put([first]);
  const effects: number[] = [];
  await using consumer = startTestConsumer(place.env, async ({ quantity }) => void effects.push(quantity));
  await place.commits(1);
  await place.put([other]);
  await place.commits(2);
  expect(effects).toEqual([2]);
  const [letter, ...more] = await place.letters();
  expect(more).toEqual([]);
  expect(String(letter?.value)).toBe(String(other.value));
  expect(letter?.headers["dead.reason"]).toContain("conflict");
  expect(await consumer.ledger.find(idOf(first))).toMatchObject({ status: "handled" });
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
