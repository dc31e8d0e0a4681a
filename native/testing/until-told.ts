// A producer and a consumer in a group, at work until SIGTERM: then both disconnect, and the process ends by itself.
import { KafkaConsumer, Producer } from "node-rdkafka";

const common = { "bootstrap.servers": Bun.argv[2] ?? "" };
const producer = new Producer({ ...common, dr_cb: true });
const consumer = new KafkaConsumer({ ...common, "group.id": "until-told", rebalance_cb: true }, {});
consumer.setDefaultConsumeTimeout(100);
const clients = [producer, consumer];

let told = false;
process.once("SIGTERM", () => {
  told = true;
});

const connected = Promise.all(
  clients.map(
    (client) =>
      new Promise<void>((ok, fail) => client.connect({}, (error: unknown) => (error ? fail(error) : ok()))),
  ),
);
console.log("connecting");
await connected;
console.log("connected");
producer.setPollInterval(10);
consumer.subscribe(["orders"]);
for (let sent = 0; !told; sent++) {
  producer.produce("orders", 3, Buffer.from(String(sent)));
  await new Promise((ok) => consumer.consume(100, ok));
}
await Promise.all(clients.map((client) => new Promise((ok) => client.disconnect(ok))));
