/** Peer: Fastify and kafkajs, one send an order, as its documentation shows it; idempotent, acks=all. */
import { CompressionTypes, Kafka, logLevel } from "kafkajs";
import { brokers, serve, topic } from "./gateway.mjs";

const producer = new Kafka({ brokers, logLevel: logLevel.ERROR }).producer({
  idempotent: true,
  maxInFlightRequests: 5,
});
await producer.connect();

await serve(async (key, value) => {
  const [{ partition, baseOffset }] = await producer.send({
    topic,
    acks: -1,
    compression: CompressionTypes.None,
    messages: [{ key, value }],
  });
  return { partition, offset: Number(baseOffset) };
});
