/**
 * What every Kafka client of the project has in common: where the brokers are, how to be admitted, and the time
 * limits that make recovery quick. Each is explicit, with its reason.
 */
import type { KafkaConfig } from "../config.ts";

/** librdkafka's configuration shared by producers, consumers and administration. Times are in milliseconds. */
export function clientOptions(config: KafkaConfig): Record<string, string | number | boolean> {
  const options: Record<string, string | number | boolean | undefined> = {
    "bootstrap.servers": config.KAFKA_BROKERS,
    "client.id": "coffee-orders",
    "security.protocol": config.KAFKA_SECURITY_PROTOCOL,
    "ssl.ca.location": config.KAFKA_SSL_CA_LOCATION,
    // A request to a paused or vanished broker is given up before the order's own time limit is over.
    "socket.timeout.ms": 10_000,
    "socket.connection.setup.timeout.ms": 5_000,
    "socket.keepalive.enable": true,
    // Small requests must not wait for Nagle's algorithm.
    "socket.nagle.disable": true,
    // A broker that comes back is used within a second or so.
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 1_000,
    // A new leader is looked for often while a partition has none, and otherwise every 10 s.
    "topic.metadata.refresh.fast.interval.ms": 100,
    "topic.metadata.refresh.interval.ms": 10_000,
    // Brokers that have all just started may not know the topic for a moment. The client believes it when it has known
    // the topic for so long, and as long it goes on believing it: by default 30 s. The tiers have made sure that the topic
    // is there, so it need only last for a broker that is told of a new topic a little later than the others.
    "topic.metadata.propagation.max.ms": 1_000,
    // Topics are made by the project, with their replication, never by being mentioned.
    "allow.auto.create.topics": false,
  };
  if (config.KAFKA_SECURITY_PROTOCOL.startsWith("sasl")) {
    options["sasl.mechanisms"] = config.KAFKA_SASL_MECHANISM;
    options["sasl.username"] = config.KAFKA_SASL_USERNAME;
    options["sasl.password"] = config.KAFKA_SASL_PASSWORD;
  }
  return Object.fromEntries(
    Object.entries(options).filter(
      (entry): entry is [string, string | number | boolean] => entry[1] !== undefined,
    ),
  );
}
