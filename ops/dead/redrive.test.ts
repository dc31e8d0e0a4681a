/** What keeps records of dead letters from going back, and how the command ends then. */
import { expect, test } from "bun:test";
import { capture } from "../../kit/capture.ts";
import { kafkaConfig } from "../../src/config.ts";
import { openProducer } from "../../src/kafka/producer.ts";
import { createLedger } from "../../src/ledger/open.ts";
import { startOrdersCluster } from "../../testing/kafka.ts";
import { temporaryLedger } from "../../testing/test-consumer.ts";
import { openTopicReader } from "../read-topic.ts";
import { foresee, redrive } from "./redrive.ts";

const all = { which: {}, limit: Number.POSITIVE_INFINITY };

test("a time that the topic does not take any more keeps no record from going back", async () => {
  using cluster = startOrdersCluster();
  const config = kafkaConfig(cluster.env);
  const headers = { "dead.headers": "0", "dead.timestamp": String(Date.now() - 7_200_000) };
  await cluster.put("orders.dead", [{ partition: 1, value: "of two hours ago", headers }]);
  const reader = await openTopicReader(config, "orders.dead");
  // Kafka's INVALID_TIMESTAMP, as with message.timestamp.before.max.ms of an hour.
  cluster.pushRequestErrors(0, [32]);
  expect(await redrive(config, reader, all)).toMatchObject({ meant: 1, acknowledged: 1, failed: 0 });
  await reader.close();
  expect((await cluster.read("orders")).map(({ value }) => String(value))).toEqual(["of two hours ago"]);
}, 60_000);

test("letters that are larger together than the client's queue wait for room", async () => {
  using cluster = startOrdersCluster();
  const config = kafkaConfig(cluster.env);
  const producer = await openProducer(config, { deliveryTimeoutMs: 20_000 });
  const count = 180;
  for (let n = 0; n < count; n += 1) {
    const letter = { topic: "orders.dead", partition: 1, key: String(n), headers: [{ "dead.headers": "0" }] };
    producer.produce({ ...letter, value: Buffer.alloc(1_000_000, `${n} `) }, () => undefined);
    if (n % 50 === 0) await producer.flush(20_000);
  }
  await producer.close(20_000);
  // So that they come faster than they go.
  for (let partition = 0; partition < 12; partition += 1) cluster.setPartitionLeader("orders", partition, 1);
  cluster.setBrokerRttMs(1, 300);
  const reader = await openTopicReader(config, "orders.dead");
  expect(await redrive(config, reader, all)).toMatchObject({ acknowledged: count, failed: 0 });
  await reader.close();
}, 120_000);

test("it ends where the brokers go before anything is sent", async () => {
  const script = `
    import { kafkaConfig } from "./src/config.ts";
    import { startOrdersCluster } from "./testing/kafka.ts";
    import { openTopicReader } from "./ops/read-topic.ts";
    import { redrive } from "./ops/dead/redrive.ts";
    const cluster = startOrdersCluster();
    const config = kafkaConfig(cluster.env);
    const reader = await openTopicReader(config, "orders.dead");
    cluster.eachBroker((id) => cluster.brokerDown(id));
    await redrive(config, reader, { which: {}, limit: 1 }).catch(({ message }) => console.log(message));
    await reader.close();
    cluster.close();`;
  const ended = await capture([process.execPath, "-e", script], { limitMs: 40_000 });
  expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining("Connection refused") });
}, 60_000);

test("a dry run tells of a stub whose record is gone that it can't be sent, as the command does", async () => {
  using cluster = startOrdersCluster();
  using file = temporaryLedger();
  const config = kafkaConfig(cluster.env);
  const ledger = createLedger(file.url, { connections: 1, handlerTimeoutMs: 1_000 });
  await ledger.open([]);
  const place = { "dead.topic": "orders", "dead.partition": "3", "dead.offset": "7" };
  const headers = { "dead.headers": "0", ...place, "dead.cut": "value,timestamp", "dead.sha256": "aa" };
  await cluster.put("orders.dead", [{ value: null, headers }]);
  const reader = await openTopicReader(config, "orders.dead");
  const gone = "the record at 3/7 of orders is gone, its letter is a stub";
  expect(await foresee(config, ledger, reader, all)).toMatchObject({ letters: [{ handled: false, gone }] });
  expect(await redrive(config, reader, all)).toMatchObject({ failed: 1, error: gone });
  await reader.close();
  await ledger.close();
}, 60_000);
