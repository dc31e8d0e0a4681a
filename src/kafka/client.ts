/** What every Kafka client has in common: options, each with its reason, and how it is connected and disconnected. */
import type { Pointer } from "bun:ffi";
import { promisify } from "node:util";
import type { KafkaConfig } from "../config.ts";
import Kafka from "./addon.ts";
import { cText, present, rdkafka } from "./ffi.ts";
import { listen } from "./words.ts";

export const clientOptions = (config: KafkaConfig): Record<string, string | number | boolean> => ({
  "bootstrap.servers": config.KAFKA_BROKERS,
  "client.id": "coffee-orders",
  // KAFKA_SSL_CA_LOCATION is ssl.ca.location, and so is each of them; librdkafka warns of SASL's where that is off.
  ...Object.fromEntries(
    Object.entries(config)
      .filter(([name]) => /^KAFKA_S(ECURITY|SL|ASL)_/.test(name))
      .filter(([name]) => config.KAFKA_SECURITY_PROTOCOL.startsWith("sasl") || !name.startsWith("KAFKA_SASL"))
      .map(([name, value]) => [name.slice("KAFKA_".length).toLowerCase().replaceAll("_", "."), value]),
  ),
  // A request to a paused or vanished broker is given up before the order's own time limit is over.
  "socket.timeout.ms": 10_000,
  "socket.connection.setup.timeout.ms": 5_000,
  "socket.keepalive.enable": true,
  // Small requests must not wait for Nagle's algorithm.
  "socket.nagle.disable": true,
  // A broker that comes back is used within a second or so.
  "reconnect.backoff.ms": 50,
  "reconnect.backoff.max.ms": 1_000,
  // A new leader is looked for often while a partition has none.
  "topic.metadata.refresh.fast.interval.ms": 100,
  "topic.metadata.refresh.interval.ms": 10_000,
  // How long brokers that have just started are believed not to know a topic; by default 30 s. The tiers know that it is there.
  "topic.metadata.propagation.max.ms": 1_000,
  // Topics are made by the project, with their replication, never by being mentioned.
  "allow.auto.create.topics": false,
});

type Client = Kafka.Producer | Kafka.KafkaConsumer;

/** librdkafka's client behind one that is connected: what is opened with it is closed before that is disconnected. */
export function handleOf(client: Client): Pointer {
  const { name } = client as unknown as { name: string };
  return present(rdkafka.coffee_orders_client(cText(name)), `client ${name}`);
}

/**
 * Connects a client and opens what drives it. @param onError called with librdkafka's errors and words (./words.ts)
 * @throws Error with those words when no broker answers within 5 s; or what `open` throws; nothing is left open
 */
export async function connected<Driver>(
  client: Client,
  config: KafkaConfig,
  open: (handle: Pointer) => Driver,
  onError: (message: string) => void = () => undefined,
): Promise<Driver> {
  const words = listen(client as Kafka.Producer, config, onError);
  await called((done) => client.connect({ allTopics: false, timeout: 5_000 }, done)).catch((cause) => {
    throw new Error([cause.message, words()].filter(Boolean).join(": "), { cause });
  });
  try {
    return open(handleOf(client));
  } catch (error) {
    await disconnect(client);
    throw error;
  }
}

/** A call of node-rdkafka's as a promise. */
export const called = <Answer>(call: (done: (error: unknown, answer: Answer) => void) => void) =>
  promisify(call)();

/** Asks what the brokers know of a topic, and of no other; with its partitions. @throws Error when none answers in time */
export const metadataOf = (client: Client) => async (topic: string, timeoutMs: number) => {
  const asked = { topic, allTopics: false, timeout: timeoutMs };
  const told = await called<Kafka.Metadata>((done) => client.getMetadata(asked, done));
  return { ...told, partitions: told.topics.find(({ name }) => name === topic)?.partitions ?? [] };
};

/** Disconnects: a producer at most within 5 s, without what it has not sent; a consumer within 10 s. */
export function disconnect(client: Client): Promise<void> {
  return new Promise((resolve) => {
    const isProducer = client instanceof Kafka.Producer;
    const giveUp = setTimeout(resolve, isProducer ? 5_000 : 10_000);
    const done = () => resolve(clearTimeout(giveUp));
    if (isProducer) client.disconnect(1, done);
    else client.disconnect(done);
  });
}
