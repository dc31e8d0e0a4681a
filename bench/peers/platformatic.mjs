/**
 * Peer: Fastify and @platformatic/kafka, which sends what it is given at once. The batcher is made by hand: while one
 * send is under way, orders gather for the next. Idempotent, acks=all.
 */
import { ProduceAcks, Producer, stringSerializers } from "@platformatic/kafka";
import { brokers, serve, topic } from "./gateway.mjs";

const producer = new Producer({
  clientId: "peer",
  bootstrapBrokers: brokers,
  idempotent: true,
  serializers: stringSerializers,
});

let gathered = [];
let sending = false;

async function sendGathered() {
  sending = true;
  while (gathered.length > 0) {
    const batch = gathered;
    gathered = [];
    try {
      await producer.send({ messages: batch.map(({ message }) => message), acks: ProduceAcks.ALL });
      // It tells the first offset of each partition, and not which of the messages went where.
      for (const { resolve } of batch) resolve({ partition: -1, offset: -1 });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
  sending = false;
}

await serve(
  (key, value) =>
    new Promise((resolve, reject) => {
      gathered.push({ message: { topic, key, value }, resolve, reject });
      if (!sending) void sendGathered();
    }),
);
