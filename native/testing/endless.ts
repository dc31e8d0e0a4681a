// Sends messages and reads them back, as many as it is told, in one process with nothing else in it; on the way it
// prints JSON lines: how many it has read, and the bytes then resident, collected garbage apart.
// `bun native/testing/endless.ts BOOTSTRAP TOPIC MESSAGES`
import { KafkaConsumer, type Message, Producer } from "node-rdkafka";

const [, , bootstrap = "", topic = "", messages = ""] = Bun.argv;
const total = Number(messages);
const samples = 50;
/** The mock cluster keeps only the newest messages: reading must not fall behind by more than this. */
const mostAhead = 20_000;
const sendAtOnce = 2_000;

const common = { "bootstrap.servers": bootstrap };
const producer = new Producer({ ...common, dr_cb: true, "linger.ms": 5 });
const consumer = new KafkaConsumer(
  { ...common, "group.id": "endless", "enable.auto.commit": false },
  { "auto.offset.reset": "earliest" },
);
consumer.setDefaultConsumeTimeout(50);
for (const client of [producer, consumer])
  await new Promise<void>((ok, fail) => client.connect({}, (error: unknown) => (error ? fail(error) : ok())));
producer.setPollInterval(1);
consumer.subscribe([topic]);

let [sent, delivered, read] = [0, 0, 0];
producer.on("delivery-report", (error, { key }) => {
  if (error || !key) throw error ?? new Error("a delivery report without its key");
  delivered++;
});

const value = Buffer.alloc(100, "x");
const maySend = () => sent < total && sent - Math.min(read, delivered) < mostAhead;
/** A promise for each batch, as a consumer has them: what a callback's leak would hold on to. */
const nextBatch = () =>
  new Promise<Message[]>((ok, fail) =>
    consumer.consume(1_000, (error, batch) => (error ? fail(error) : ok(batch))),
  );

while (delivered < total || read < total) {
  for (let n = 0; n < sendAtOnce && maySend(); n++) producer.produce(topic, null, value, `order-${sent++}`);
  const before = Math.floor((read * samples) / total);
  read += (await nextBatch()).length;
  if (Math.floor((read * samples) / total) === before) continue;
  Bun.gc(true);
  console.log(JSON.stringify({ read, rssBytes: process.memoryUsage.rss() }));
}
for (const client of [consumer, producer]) await new Promise((ok) => client.disconnect(ok));
