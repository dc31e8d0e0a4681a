// The command on a real protocol: letters that a consumer made, and letters as they may lie on the topic. Deleting
// needs DeleteRecords, which the mock cluster lacks: that it works is tested on containers (infra/e2e-consumers.test.ts).
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { capture } from "../../kit/capture.ts";
import { until } from "../../kit/until.ts";
import { type KafkaConfig, kafkaConfig } from "../../src/config.ts";
import { openProducer } from "../../src/kafka/producer.ts";
import { sampleOrder } from "../../src/sample.ts";
import { orderId } from "../../src/wire/order-id.ts";
import { type OrdersCluster, partitionCount, startOrdersCluster } from "../../testing/kafka.ts";
import { startTier } from "../../testing/tier-process.ts";
import { openTopicReader, type ReadRecord } from "../read-topic.ts";

let cluster: OrdersCluster;
let directory: string;
beforeAll(() => {
  cluster = startOrdersCluster();
  directory = mkdtempSync(join(tmpdir(), "coffee-orders-dead-"));
});
afterAll(() => {
  cluster.close();
  rmSync(directory, { recursive: true });
});

const dead = (argv: string[], env: Record<string, string> = cluster.env) =>
  capture([process.execPath, join(import.meta.dir, "main.ts"), ...argv], { limitMs: 60_000, env });
const listed = async (...argv: string[]) => JSON.parse((await dead(["list", "--json", ...argv])).stdout);

const customer = "Zoë";
const id = orderId(customer, "key");
const order = { ...sampleOrder(0, customer), id, placedAt: "2026-01-31T09:00:00.000Z" };
const value = JSON.stringify(order);
const garbage = Buffer.from([0xff, 0x00, 0x7b]);
const deadHeaders = (changes: Record<string, string> = {}) => ({
  "dead.reason": "Error: the milk is sour",
  "dead.attempts": "5",
  "dead.topic": "orders",
  "dead.partition": "3",
  "dead.offset": "7",
  "dead.at": "2026-01-31T09:00:05.000Z",
  ...changes,
});

describe("letters", () => {
  beforeAll(async () => {
    await cluster.put("orders.dead", [
      { partition: 3, key: Buffer.from(id), value, headers: { ce_id: id, ...deadHeaders() } },
      { partition: 2, value: "by \u001b[31mstrangers \u202egnp", headers: { colour: "red" } },
    ]);
    // A letter that the consumer itself makes.
    const env = { ...cluster.env, LEDGER_URL: `sqlite:${join(directory, "letters.sqlite")}` };
    await using consumer = startTier("consumer", env);
    await cluster.put("orders", [{ partition: 5, key: garbage, value: garbage, headers: { trace: "t1" } }]);
    await until(
      "the record is given up",
      async () => (await consumer.metric("orders_dead_total")) === 1,
      30_000,
    );
  }, 120_000);

  test("are counted by reason and told with where they come from", async () => {
    const { count, reasons, letters } = await listed();
    expect(count).toBe(3);
    expect(reasons).toContainEqual({ reason: "Error: the milk is sour", count: 1 });
    expect(letters[0]).toEqual({
      ...{ partition: 3, offset: 0, source: { topic: "orders", partition: 3, offset: 7 } },
      ...{ orderId: id, customer, reason: "Error: the milk is sour", attempts: 5 },
      deadAt: "2026-01-31T09:00:05.000Z",
    });
    expect(letters).toContainEqual(
      expect.objectContaining({
        partition: 2,
        source: null,
        orderId: null,
        reason: "(none given)",
        attempts: null,
      }),
    );
    expect(letters).toContainEqual(
      expect.objectContaining({
        source: { topic: "orders", partition: 5, offset: 0 },
        reason: expect.stringContaining("undecodable"),
        attempts: 0,
      }),
    );
    const { stdout, code } = await dead(["list"]);
    expect(code).toBe(0);
    expect(stdout).toStartWith("3 dead letters on orders.dead:\n");
    expect(stdout).toMatch(/3\/0 .* orders 3\/7 .* Zoë .* Error: the milk is sour/);
  });

  test.each<[string[], number]>([
    [["--reason", "milk"], 1],
    [["--reason", "undecodable"], 1],
    [["--order", id], 1],
    [["--order", orderId(customer, "another")], 0],
    [["--customer", customer], 1],
    [["--since", "2026-01-31T09:00:06Z"], 2],
    [["--before", "2026-01-31T09:00:06Z"], 1],
    [["--since", "2026-01-31T09:00:05Z", "--before", "2026-01-31T09:00:05Z"], 0],
    [["--customer", customer, "--reason", "undecodable"], 0],
  ])("are chosen by %p", async (filters, count) => {
    expect(await listed(...filters)).toMatchObject({ count });
  });

  test("beyond the limit are counted, and the newest are told", async () => {
    const { count, letters } = await listed("--limit", "1");
    expect(count).toBe(3);
    expect(letters).toHaveLength(1);
    expect(letters[0].deadAt > "2026-02").toBe(true);
  });

  test("are shown in full, and what strangers wrote does not steer the terminal", async () => {
    const found = (await cluster.read("orders.dead")).find(({ value: bytes }) => bytes?.equals(garbage));
    const json = JSON.parse((await dead(["show", `${found?.partition}/${found?.offset}`, "--json"])).stdout);
    expect(Buffer.from(json.valueBase64, "base64")).toEqual(garbage);
    expect(json.headers).toMatchObject({ trace: "t1", "dead.partition": "5" });
    const { stdout, code } = await dead(["show", "2/0"]);
    expect(code).toBe(0);
    expect(stdout).toContain("by \ufffd[31mstrangers \ufffdgnp");
    expect(await dead(["show", "2/1"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("nothing lies"),
    });
  });

  test("are not deleted unless the question is answered with yes, and a broker's refusal is told", async () => {
    const declined = await dead(["purge", "--all"]);
    expect(declined).toMatchObject({ code: 1, stderr: expect.stringContaining("nothing was deleted") });
    expect(declined.stdout).toContain("Delete 3 dead letters of orders.dead for good?");
    expect(await dead(["purge", "--before", "2026-01-01"])).toMatchObject({
      code: 0,
      stdout: "Nothing to delete.\n",
    });
    expect((await dead(["purge", "--before", "2026-01-31T10:00:00Z"])).stdout).toContain(
      "Delete 1 dead letter of",
    );
    expect(await dead(["purge", "--all", "--yes"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("not supported by broker"),
    });
  });
});

test("redriving sends the record as it was to where it was, and repeating it handles the order once", async () => {
  const env = { ...cluster.env, ORDERS_TOPIC: "again", DEAD_TOPIC: "again.dead" };
  const layout = { partitions: partitionCount, replicationFactor: 3 };
  for (const topic of ["again", "again.dead"]) cluster.createTopic(topic, layout);
  const letter = { key: Buffer.from(id), value, headers: { ce_id: id, ...deadHeaders() } };
  await cluster.put("again.dead", [
    letter,
    // The same once more, as a consumer leaves it behind that died before its commit.
    letter,
    { value: "not meant", headers: deadHeaders({ "dead.reason": "undecodable" }) },
  ]);
  const sent = "1 sent to again and acknowledged";
  const first = await dead(["redrive", "--reason", "milk"], env);
  expect(first).toMatchObject({ code: 0, stderr: "" });
  expect(first.stdout).toBe(`2 dead letters meant: ${sent}, 1 the same record as another, 0 failed.\n`);
  const source = {
    partition: 3,
    offset: 0,
    key: letter.key,
    value: Buffer.from(value),
    headers: { ce_id: id },
  };
  expect(await cluster.read("again")).toEqual([source]);

  const one = (await dead(["redrive", "0/1", "--json"], env)).stdout.trim().split("\n");
  expect(JSON.parse(one.at(-1) ?? "")).toEqual({ meant: 1, repeated: 0, acknowledged: 1, failed: 0 });
  expect((await dead(["redrive", "--customer", customer, "--limit", "1"], env)).stdout).toContain(sent);
  const LEDGER_URL = `sqlite:${join(directory, "again.sqlite")}`;
  await using consumer = startTier("consumer", { ...env, LEDGER_URL, CONSUMER_GROUP: "again" });
  const count = (verdict: string) => consumer.metric(`orders_${verdict}_total`);
  await until(
    "all are taken in",
    async () => (await count("handled")) + (await count("duplicate")) >= 3,
    30_000,
  );
  expect(await count("handled")).toBe(1);
  const dry = await dead(["redrive", "--reason", "milk", "--dry-run"], { ...env, LEDGER_URL });
  expect(dry.stdout).toContain("2 dead letters meant, 2 without a second effect. Dry run: nothing was sent.");
}, 120_000);

test("a burial and a redrive keep headers, their null values, dead.* of its own and the time; a stub leads back", async () => {
  const env = { ...cluster.env, ORDERS_TOPIC: "whole", DEAD_TOPIC: "whole.dead" };
  const layout = { partitions: partitionCount, replicationFactor: 3 };
  for (const topic of ["whole", "whole.dead"]) cluster.createTopic(topic, layout);
  const headers = [
    { a: null },
    { b: Buffer.alloc(0) },
    { "dead.reason": Buffer.from("of old") },
    { a: garbage },
  ];
  const time = 1_700_000_000_123;
  const config = kafkaConfig(env);
  const producer = await openProducer(config, {
    deliveryTimeoutMs: 5_000,
    maxBytes: 10_000_000,
  });
  const common = { topic: "whole", partition: 4, key: garbage, headers, timestampMs: time };
  const values = [garbage, Buffer.alloc(2_200_000, "x")];
  for (const value of values) producer.produce({ ...common, value }, () => undefined);
  await producer.close(5_000);
  const LEDGER_URL = `sqlite:${join(directory, "whole.sqlite")}`;
  await using consumer = startTier("consumer", { ...env, LEDGER_URL, CONSUMER_GROUP: "whole" });
  const dies = (count: number) =>
    until("given up", async () => (await consumer.metric("orders_dead_total")) === count, 30_000);
  await dies(2);
  // It would give up once more what is sent once more.
  await consumer[Symbol.asyncDispose]();
  const letters = await everything(config, "whole.dead");
  expect(letters[0]).toMatchObject({ key: garbage, value: garbage, timestampMs: time });
  expect(letters[0]?.headers.slice(0, 4)).toEqual(headers);
  expect(letters[1]).toMatchObject({ key: garbage, value: null });

  const dry = await dead(["redrive", "--all", "--dry-run", "--limit", "1"], { ...env, LEDGER_URL });
  expect(dry.stdout).toStartWith("4/0  would be handled\n1 dead letter meant, 0 without a second effect.");
  expect(dry.stdout).toContain("--after 4/0\n");
  const { stdout } = await dead(["redrive", "--all"], env);
  expect(stdout).toStartWith("2 dead letters meant: 2 sent to whole and acknowledged");
  const again = (await everything(config, "whole")).slice(2);
  expect(again.map(({ value }) => value)).toEqual(values);
  for (const { key, headers: found, timestampMs } of again)
    expect({ key, found, timestampMs }).toEqual({ key: garbage, found: headers, timestampMs: time });
  const rest = await dead(["redrive", "--all", "--after", "4/0"], env);
  expect(rest.stdout).toContain("1 dead letter meant: 1 sent");
}, 120_000);

async function everything(config: KafkaConfig, topic: string) {
  const reader = await openTopicReader(config, topic);
  const found: ReadRecord[] = [];
  await reader.read(reader.ranges, (record) => {
    found.push(record);
    return undefined;
  });
  await reader.close();
  return found;
}

test("what is missing or out of reach is told, with its exit code", async () => {
  expect(await dead(["redrive"])).toMatchObject({ code: 2, stderr: expect.stringContaining("--all") });
  expect(await dead(["redrive", "11/99"])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("nothing lies"),
  });
  expect((await dead(["--help"])).stdout).toStartWith("Usage: bun run dead");
  expect(await dead(["list"], { KAFKA_BROKERS: "" })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("KAFKA_BROKERS is missing"),
  });
  expect(await dead(["list"], { KAFKA_BROKERS: "127.0.0.1:1" })).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^dead: /),
  });
  expect(await dead(["list"], { ...cluster.env, DEAD_TOPIC: "absent" })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("absent"),
  });
}, 120_000);
