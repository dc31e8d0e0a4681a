// A topic is trusted only while all of its promises hold, on real brokers: each setting that breaks one is told, at the
// start and while a producer runs; partitions that come and go are used and avoided. Three brokers alone, no topology.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { type Brokers, startBrokers } from "../bench/rig/brokers.ts";
import { composeWith } from "../infra/brokers/compose.ts";
import { capture } from "../kit/capture.ts";
import { answered, until } from "../kit/until.ts";
import { consumerConfig, producerConfig } from "../src/config.ts";
import { ledgerRetentionMs } from "../src/handling/tier.ts";
import { partitionForKey } from "../src/intake/partitioner.ts";
import Kafka from "../src/kafka/addon.ts";
import { askOnce } from "../src/kafka/topics.ts";
import { anOrder } from "../src/sample.ts";
import { startIntake, type TestIntake } from "../testing/intake.ts";
import { createTopic } from "./create-topic.ts";

setDefaultTimeout(120_000);
const IMAGE_LIMIT_MS = 1_200_000;
const CALL_LIMIT_MS = 30_000;

/** For each setting a value that breaks a promise. */
const weaker = {
  "min.insync.replicas": "1",
  "unclean.leader.election.enable": "true",
  "max.message.bytes": "100000",
  "cleanup.policy": "compact,delete",
  "retention.ms": "3600000",
  "retention.bytes": "1000000000",
  "message.timestamp.before.max.ms": "60000",
  "message.timestamp.after.max.ms": "60000",
};

let brokers: Brokers;
let down: () => Promise<void>;
let admin: Kafka.IAdminClient;

beforeAll(async () => {
  ({ brokers, down } = await startBrokers(new AbortController().signal));
  admin = Kafka.AdminClient.create({ "bootstrap.servers": brokers.env.KAFKA_BROKERS });
}, IMAGE_LIMIT_MS);

afterAll(async () => {
  admin?.disconnect();
  await down?.();
}, IMAGE_LIMIT_MS);

const envOf = (topic: string) => ({ ...brokers.env, ORDERS_TOPIC: topic, TOPIC_CHECK_MS: "1000" });
const configOf = (topic: string) => producerConfig(envOf(topic));

test("brokers are warmed through a topic that is gone afterwards, as they are acknowledged and read", async () => {
  const { code, stdout, stderr } = await capture([process.execPath, join(import.meta.dir, "warm-up.ts")], {
    limitMs: 2 * CALL_LIMIT_MS,
    env: { KAFKA_BROKERS: brokers.env.KAFKA_BROKERS },
  });
  // A topic that could not be removed would be an error.
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/p99 \d+ ms, [1-9]\d* records read/);
});

describe("what a topic must be like", () => {
  test("is what it is created with, whether of orders or of dead letters", async () => {
    const config = { ...configOf("explicit"), DEAD_TOPIC: "explicit.dead" };
    for (const topic of [config.ORDERS_TOPIC, config.DEAD_TOPIC]) {
      expect(await createTopic(config, topic)).toBe("created");
      expect(await faultOf(topic, config)).toBeUndefined();
    }
    // A dead letter is longer than an order.
    expect(await faultOf("explicit", { ...config, DEAD_TOPIC: "explicit", ORDERS_TOPIC: "other" })).toBe(
      "the topic explicit is too weak: it has max.message.bytes=1048588: raise it to 2097152",
    );
  });

  for (const [name, value] of Object.entries(weaker))
    test(`is told where ${name}=${value}`, async () => {
      const topic = `weak-${name}`;
      await create(topic, 1, { [name]: value });
      const fault = await faultOf(topic);
      expect(fault).toStartWith(`the topic ${topic} is too weak: it has ${name}=`);
      expect(fault?.split(";")).toHaveLength(1);
    });

  test("is told all at once by the command that creates topics", async () => {
    await create("weak", 1, weaker);
    const { code, stderr } = await capture([process.execPath, join(import.meta.dir, "topics.ts")], {
      limitMs: CALL_LIMIT_MS,
      env: envOf("weak"),
    });
    expect(code).toBe(1);
    for (const name of Object.keys(weaker)) expect(stderr).toContain(`${name}=`);
  });
});

describe("how long the ledger keeps an order", () => {
  const day = 86_400_000;
  const topics = { ORDERS_TOPIC: "kept", DEAD_TOPIC: "kept.dead" };
  const envOfBoth = () => ({ ...brokers.env, ...topics, LEDGER_URL: "sqlite:unused" });
  const retentionMs = (days?: string) =>
    untilKnown(() => ledgerRetentionMs(consumerConfig({ ...envOfBoth(), LEDGER_RETENTION_DAYS: days })));

  test("is longer than all that its records, dead letters and what is put back of them can come again", async () => {
    await create("kept", 1, { "retention.ms": String(2 * day), "segment.ms": String(day) });
    const long = { "max.message.bytes": "2097152" };
    await create("kept.dead", 1, { "retention.ms": String(3 * day), "segment.ms": String(day), ...long });
    expect(await retentionMs()).toBe(38 * day);
    expect(await retentionMs("8")).toBe(8 * day);
    await expect(retentionMs("7")).rejects.toThrow("LEDGER_RETENTION_DAYS=7 is less than the 8 days");
    await alter("kept.dead", "--add-config", "retention.ms=-1");
    // A broker that has not heard of it yet refuses the seven days.
    await until("it is kept for ever", () =>
      retentionMs("7").then(
        (ms) => ms === Infinity,
        () => false,
      ),
    );
  });
});

test("a topic that becomes weaker makes the producer unready, which takes orders again once it is mended", async () => {
  await createTopic(configOf("mended"), "mended");
  await using intake = startIntake(envOf("mended"));
  await intake.ready();
  expect((await intake.post(anOrder)).status).toBe(202);

  await alter("mended", "--add-config", "min.insync.replicas=1,cleanup.policy=[compact,delete]");
  await until("it is unready for both", async () => {
    const answer = await intake.request("/readyz");
    const reason = await answer.text();
    return answer.status === 503 && reason.includes("replicas=1") && reason.includes("cleanup.policy=");
  });
  const refused = await intake.post(anOrder);
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({
    type: "urn:problem-type:coffee-orders:not_ready",
    fate: "refused",
    // What is wrong with the topic is no client's business.
    detail: expect.not.stringContaining("replicas"),
  });

  await alter("mended", "--add-config", "min.insync.replicas=2,cleanup.policy=delete");
  await intake.ready();
  expect((await intake.post(anOrder)).status).toBe(202);
});

describe("partitions that are added while it runs", () => {
  test("are used", async () => {
    await create("grown", 2);
    await using intake = startIntake(envOf("grown"));
    await intake.ready();
    await grow("grown", 5);
    const used = new Set<number>();
    await until("each has an order", async () => used.add(await placed(intake, "c1")).size === 5);
  });

  test("are used for every customer alike", async () => {
    await create("grown-customer", 2);
    await using intake = startIntake({ ...envOf("grown-customer"), PARTITIONER: "customer" });
    await intake.ready();
    await grow("grown-customer", 5);
    const customers = ["c1", "c2", "c3", "c4", "c5", "c6"];
    await until("each has its partition of five", async () => {
      const found = await Promise.all(customers.map((customer) => placed(intake, customer)));
      return found.every((partition, n) => partition === partitionForKey(customers[n] as string, 5));
    });
  });
});

test("a topic that is made anew with fewer partitions gets orders again, none for a partition that is no more", async () => {
  await create("anew", 6);
  await using intake = startIntake({ ...envOf("anew"), DELIVERY_TIMEOUT_MS: "3000" });
  await intake.ready();
  const stop = new AbortController();
  const answers = [202];
  const load = (async () => {
    while (!stop.signal.aborted) {
      intake.post(anOrder).then(({ status }) => answers.push(status));
      await Bun.sleep(5);
    }
  })();
  await remove("anew");
  await until("it is missed", async () => (await intake.request("/readyz")).status === 503);
  await create("anew", 2);
  await intake.ready();
  await until("orders are accepted again", () => answers.slice(-50).every((status) => status === 202));
  stop.abort();
  await load;
  for (let n = 0; n < 12; n += 1) expect(await placed(intake, "c1")).toBeLessThan(2);
  for (const status of answers) expect([202, 503, 504]).toContain(status);
});

test("a topic that is made anew and weaker gets no order, long before its next check is due", async () => {
  await create("anew-weak", 2);
  await using intake = startIntake({ ...envOf("anew-weak"), TOPIC_CHECK_MS: "600000" });
  await intake.ready();
  await remove("anew-weak");
  await until("it is missed", async () => (await intake.request("/readyz")).status === 503);
  await create("anew-weak", 2, { "min.insync.replicas": "1" });
  await until("it is unready for that", async () => {
    expect(await placed(intake, "c1")).toBe(-1);
    return (await (await intake.request("/readyz")).text()).includes("min.insync.replicas=1");
  });
});

test("a topic that demands more replicas in sync than there are gets no order, refused at once, until it has enough", async () => {
  await create("stricter", 2, { "min.insync.replicas": "3" });
  await using intake = startIntake({ ...envOf("stricter"), DELIVERY_TIMEOUT_MS: "3000" });
  await intake.ready();
  expect((await intake.post(anOrder)).status).toBe(202);
  await composeWith({})(["stop", "kafka3"], CALL_LIMIT_MS);
  // What is sent before it is known has no acknowledgement in time.
  const refused = await until("it is refused", async () => {
    const answer = await intake.post(anOrder);
    return answer.status === 503 ? answer : undefined;
  });
  expect(await refused.json()).toMatchObject({ type: "urn:problem-type:coffee-orders:too_few_replicas" });
  await composeWith({})(["start", "kafka3"], CALL_LIMIT_MS);
  await until("it is accepted", async () => (await intake.post(anOrder)).status === 202);
});

/** Places an order. @returns its partition; -1 where it is not accepted just now */
async function placed(intake: TestIntake, customer: string): Promise<number> {
  const answer = await intake.post({ ...anOrder, customer });
  return answer.status === 202 ? ((await answer.json()) as { partition: number }).partition : -1;
}

/** What is wrong with a topic that was created. */
const faultOf = (topic: string, config = configOf(topic)): Promise<string | undefined> =>
  untilKnown(async () => {
    const { fault } = await askOnce(config, topic);
    if (fault?.includes("not exist")) throw new Error(fault);
    return fault;
  });

/** Brokers hear of a new topic one after the other: one that has not yet is asked again. */
const untilKnown = <T>(ask: () => Promise<T>): Promise<T> =>
  answered(ask, ({ message }) => message.includes("not exist"));

/** Creates a topic with the brokers' defaults but for what is given, and waits until one of them tells of it. */
async function create(topic: string, partitions: number, config: Record<string, string> = {}): Promise<void> {
  const spec = { topic, num_partitions: partitions, replication_factor: 3, config };
  await done((callback) => admin.createTopic(spec as unknown as Kafka.NewTopic, CALL_LIMIT_MS, callback));
  await faultOf(topic);
}

const grow = (topic: string, partitions: number) =>
  done((callback) => admin.createPartitions(topic, partitions, CALL_LIMIT_MS, callback));

const remove = (topic: string) => done((callback) => admin.deleteTopic(topic, CALL_LIMIT_MS, callback));

function done(act: (callback: (error: Kafka.LibrdKafkaError) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => act((error) => (error ? reject(error) : resolve())));
}

/** Changes a topic's settings with Kafka's own command. */
async function alter(topic: string, ...change: string[]): Promise<void> {
  const [bootstrap = ""] = brokers.env.KAFKA_BROKERS.split(",");
  const java = ["java", "-Xmx128m", "-cp", "/opt/kafka/libs/*", "kafka.admin.ConfigCommand"];
  const where = ["--bootstrap-server", bootstrap, "--entity-type", "topics", "--entity-name", topic];
  await composeWith({})(["exec", "-T", "kafka1", ...java, ...where, "--alter", ...change], CALL_LIMIT_MS);
}
