import { afterAll, beforeAll, expect, test } from "bun:test";
import { SQL } from "bun";
import { freePorts } from "../../kit/ports.ts";
import { until } from "../../kit/until.ts";
import { UserError } from "../../kit/user-error.ts";
import { consumerConfig } from "../../src/config.ts";
import { handler, migrations } from "../../src/handle.ts";
import Kafka from "../../src/kafka/addon.ts";
import { called, clientOptions, disconnect } from "../../src/kafka/client.ts";
import { createLedger } from "../../src/ledger/open.ts";
import { partyOf } from "../../src/order.ts";
import { type OrdersCluster, startOrdersCluster } from "../../testing/kafka.ts";
import { type PostgresServer, startPostgres } from "../../testing/postgres.ts";
import { recordOf, startTestConsumer } from "../../testing/test-consumer.ts";
import { sampleDigest, sampleId, told } from "../testing/histories.ts";
import { reconcile } from "../verdict/reconcile.ts";
import { collectFrom } from "./collect.ts";
import { committedAt, startSampler } from "./collect-commits.ts";

let cluster: OrdersCluster;
let server: PostgresServer;
let env: Record<string, string>;
beforeAll(async () => {
  cluster = startOrdersCluster();
  server = startPostgres();
  env = { ...cluster.env, LEDGER_URL: server.url, HANDLER_ATTEMPTS: "1" };
  const ledger = createLedger(server.url, { connections: 1, handlerTimeoutMs: 10_000 });
  await ledger.open(migrations);
  await ledger.close();
}, 120_000);
afterAll(() => {
  cluster[Symbol.dispose]();
  server[Symbol.dispose]();
});

const order = (key: string, customer = "c1") => recordOf(key, { customer });

test("everything of this run is found wherever it lies, and nothing of others", async () => {
  const config = consumerConfig(env);
  await using _consumer = startTestConsumer(env, async (placed, context) => {
    if (partyOf(placed) === "unlucky") throw new Error("no milk");
    if ("apply" in handler) await handler.apply(placed, context);
  });
  const committed = (count: number) =>
    until(
      `${count} records are committed`,
      async () => (await cluster.committed("coffee-orders", "orders")) === count,
    );
  await cluster.put("orders", [order("before"), order("before, unlucky", "unlucky")]);
  await committed(2);

  const sampler = await startSampler(config, { everyMs: 20 });
  await until("the first sample is there", () => sampler.commits.length > 0);
  const startedMs = Date.now() + 1;
  await cluster.put("orders", [
    order("a"),
    order("a"),
    order("b", "unlucky"),
    { key: Buffer.from(sampleId("c")), value: "no order" },
    order("somebody else's"),
  ]);
  await committed(7);
  await sampler.stop();
  await sampler.stop();

  const client = [
    told("a", { startedMs }),
    told("b", { customer: "unlucky", startedMs }),
    told("c", { startedMs }),
    told("d", { startedMs, fate: "refused" }),
  ];
  await using ledger = new SQL({ url: server.url, max: 1 });
  const history = await collectFrom({ consumer: config, ledger }, client, sampler.commits);

  const unlucky = sampleId("b", "unlucky");
  const ofAnotherGroup = collectFrom({ consumer: config, ledger }, client, []);
  await expect(ofAnotherGroup).rejects.toThrow("nothing of what coffee-orders has committed was seen");
  expect(history.client).toBe(client);
  expect(history.topic.map(({ id, partition, offset }) => [id, partition, offset])).toEqual([
    [sampleId("a"), 0, 2],
    [sampleId("a"), 0, 3],
    [unlucky, 0, 4],
    [sampleId("c"), 0, 5],
  ]);
  expect(history.ledger).toEqual([
    {
      ...{ id: sampleId("a"), digest: sampleDigest("a"), partition: 0, offset: 2, deliveries: 2 },
      handledAtMs: expect.any(Number),
    },
  ]);
  expect(Math.abs((history.ledger[0]?.handledAtMs ?? 0) - Date.now())).toBeLessThan(60_000);
  expect(history.effects).toEqual([{ id: sampleId("a") }]);
  expect(history.dead.toSorted((a, b) => a.offset - b.offset)).toEqual([
    { id: unlucky, partition: 0, offset: 4, reason: expect.stringContaining("no milk") },
    { id: sampleId("c"), partition: 0, offset: 5, reason: expect.stringContaining("undecodable") },
  ]);
  expect(history.commits[0]).toMatchObject({ partition: 0, offset: 2 });
  expect(history.commits.at(-1)).toMatchObject({ partition: 0, offset: 7 });
  expect(reconcile(history)).toMatchObject({
    held: true,
    accepted: 3,
    handled: 1,
    deadLettered: 2,
    topicDuplicates: 1,
    redeliveries: 0,
    lost: [],
    skipped: [],
    phantoms: [],
    altered: [],
  });
}, 120_000);

test("what can't be sampled to the end is an error, and one that is not there at all as well", async () => {
  const own = startOrdersCluster();
  const sampler = await startSampler(consumerConfig({ ...own.env, LEDGER_URL: server.url }), { everyMs: 20 });
  await sampler.stop();
  expect(sampler.commits).toEqual([]);
  own[Symbol.dispose]();
  const config = consumerConfig({ ...own.env, LEDGER_URL: server.url });
  await expect(startSampler(config)).rejects.toThrow();
}, 120_000);

test("what is not told of one partition is no sample, though the coordinator answers", async () => {
  using own = startOrdersCluster();
  const config = consumerConfig({ ...own.env, LEDGER_URL: server.url });
  const client = new Kafka.KafkaConsumer({ ...clientOptions(config), "group.id": "any" }, {});
  await called((done) => client.connect({ topic: "orders", timeout: 10_000 }, done));
  const [there, unknown] = [0, 1_000].map((partition) => ({ topic: "orders", partition }));
  if (!there || !unknown) throw new Error("two places");
  expect(await committedAt(client, [there])).toMatchObject({ told: [there], isWhole: true });
  expect(await committedAt(client, [there, unknown])).toMatchObject({ told: [there], isWhole: false });
  await disconnect(client);
}, 120_000);

test("what a system so broken left behind that it can't be read is said, and no verdict is given", async () => {
  const gone = startOrdersCluster();
  const config = consumerConfig({ ...gone.env, LEDGER_URL: server.url });
  gone[Symbol.dispose]();
  await using ledger = new SQL({ url: server.url, max: 1 });
  const noTopic = collectFrom({ consumer: config, ledger }, [told("a")]);
  await expect(noTopic).rejects.toThrow(UserError);
  await expect(noTopic).rejects.toThrow("the topic orders can't be read: ");

  const { PORT } = await freePorts(["PORT"]);
  await using nobody = new SQL({ url: `postgres://nobody@127.0.0.1:${PORT}/none`, max: 1 });
  const noLedger = collectFrom({ consumer: consumerConfig(env), ledger: nobody }, [told("a")]);
  await expect(noLedger).rejects.toThrow("the ledger can't be read: ");
}, 120_000);
