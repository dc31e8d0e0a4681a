/** Peer: Fastify and node-rdkafka, its delivery reports told apart by opaque; idempotent, acks=all, linger 2 ms. */
import Kafka from "node-rdkafka";
import { brokers, serve, topic } from "./gateway.mjs";

const producer = new Kafka.Producer({
  "bootstrap.servers": brokers.join(","),
  "enable.idempotence": true,
  "linger.ms": 2,
  "compression.type": "lz4",
  "socket.nagle.disable": true,
  dr_cb: true,
});
producer.on("delivery-report", (error, { opaque, partition, offset }) => {
  if (error) opaque.reject(error);
  else opaque.resolve({ partition, offset });
});
producer.setPollInterval(1);
await new Promise((resolve, reject) =>
  producer.connect({ topic, timeout: 5_000 }, (error) => (error ? reject(error) : resolve())),
);

await serve(
  (key, value) =>
    new Promise((resolve, reject) => {
      producer.produce(topic, null, Buffer.from(value), key, undefined, { resolve, reject });
    }),
);
