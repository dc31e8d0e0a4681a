/** Producers inside the test's own process: the project's, two that answer too early, one that belies itself, and one that mixes orders up. */
import Kafka from "node-rdkafka";
import { until } from "../../kit/until.ts";
import { type ProducerConfig, producerConfig } from "../../src/config.ts";
import { createIntakeApp } from "../../src/intake/app.ts";
import { createIntake, type Intake } from "../../src/intake/intake.ts";
import { createIntakeMetrics } from "../../src/intake/metrics.ts";
import { partitionForKey } from "../../src/intake/partitioner.ts";
import { called, clientOptions } from "../../src/kafka/client.ts";
import { type Order, partyOf } from "../../src/order.ts";
import { OutcomeError } from "../../src/outcomes.ts";
import { createLogger } from "../../src/runtime/log.ts";
import { createRegistry } from "../../src/runtime/metrics.ts";
import { orderId } from "../../src/wire/order-id.ts";
import { recordOf } from "../../src/wire/record.ts";

export type IntakeMutation = "none" | "answers-first" | "one-ack" | "refuses-written" | "mixes-up";

export type TestProducer = Awaited<ReturnType<typeof startProducer>>;

/** Starts one and waits until it takes orders; with `await using` it is drained at the end. */
export async function startProducer(env: Record<string, string>, mutation: IntakeMutation = "none") {
  const config = producerConfig({ DRAIN_NOTICE_MS: "0", LOG_LEVEL: "fatal", ...env });
  const log = createLogger("producer", config);
  const registry = createRegistry(config.INSTANCE);
  const metrics = createIntakeMetrics(registry);
  const honest = createIntake(config, log, metrics);
  const mutations = {
    none: asItIs,
    "answers-first": answersFirst,
    "one-ack": oneAck,
    "refuses-written": refusesWritten,
    "mixes-up": mixesUp,
  };
  const { intake, settled } = await mutations[mutation](honest, config);
  const { app } = createIntakeApp(config, { intake, metrics, registry, log });
  await until("the producer is ready", async () => (await app.request("/readyz")).ok);
  return {
    request: async (path: string, init: RequestInit): Promise<Response> => app.request(path, init),
    /** Waits until nothing that was handed to Kafka is without its report. */
    settled,
    async [Symbol.asyncDispose]() {
      await intake.drain();
    },
  };
}

type Chosen = { intake: Intake; settled: () => Promise<unknown> };

const asItIs = async (intake: Intake): Promise<Chosen> => ({ intake, settled: async () => undefined });

/** Says that it is accepted before Kafka has said anything. */
async function answersFirst(honest: Intake): Promise<Chosen> {
  const reports: Promise<unknown>[] = [];
  const intake: Intake = {
    ...honest,
    obstacle: () => undefined,
    async submit(order, given) {
      // What becomes of it is nobody's business any more, which is what is wrong here.
      reports.push(Promise.allSettled([honest.submit(order, given)]));
      return { id: orderId(partyOf(order), given.key), partition: 0, offset: null as unknown as number };
    },
  };
  return { intake, settled: () => Promise.all(reports) };
}

/** Says of every fifth order that it is refused when it is written, as what passes on another's answer might. */
async function refusesWritten(honest: Intake): Promise<Chosen> {
  let count = 0;
  const intake: Intake = {
    ...honest,
    async submit(...order) {
      count += 1;
      const isBelied = count % 5 === 0;
      const acceptance = await honest.submit(...order);
      if (isBelied) throw new OutcomeError("overloaded", "it is written all the same");
      return acceptance;
    },
  };
  return { intake, settled: async () => undefined };
}

/** Writes under every fifth order's id what its customer ordered before it, as where two orders of a batch are mixed up. */
async function mixesUp(honest: Intake): Promise<Chosen> {
  let count = 0;
  let before: Order | undefined;
  const intake: Intake = {
    ...honest,
    submit(order, given) {
      count += 1;
      const other = (count % 5 === 0 && before) || order;
      before = order;
      return honest.submit(other, given);
    },
  };
  return { intake, settled: async () => undefined };
}

/** Content with the leader's own acknowledgement (acks=1), as many a producer's default once was. */
async function oneAck(honest: Intake, config: ProducerConfig): Promise<Chosen> {
  const client = new Kafka.Producer(
    { ...clientOptions(config), dr_cb: true },
    { "request.required.acks": 1 },
  );
  await called((done) => client.connect({ topic: config.ORDERS_TOPIC, timeout: 10_000 }, done));
  client.setPollInterval(5);
  const waiting = new Map<string, (error: unknown, offset: number) => void>();
  client.on("delivery-report", (error, { key, offset }) => waiting.get(String(key))?.(error, offset));
  const intake: Intake = {
    ...honest,
    submit: (order, { key }) =>
      new Promise((resolve, reject) => {
        const id = orderId(partyOf(order), key);
        const partition = partitionForKey(partyOf(order), config.TOPIC_PARTITIONS);
        waiting.set(id, (error, offset) => (error ? reject(error) : resolve({ id, partition, offset })));
        const { topic, value, headers } = recordOf(order, id, config.ORDERS_TOPIC);
        client.produce(
          topic,
          partition,
          Buffer.from(value ?? ""),
          id,
          undefined,
          undefined,
          headers as Kafka.MessageHeader[],
        );
      }),
    async drain() {
      await new Promise<void>((resolve) => void client.disconnect(5_000, () => resolve()));
      return honest.drain();
    },
  };
  return { intake, settled: async () => undefined };
}
