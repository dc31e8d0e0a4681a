// Whether the addon works: it is the librdkafka that was meant, with everything in it, and a message that
// node-rdkafka sends to a mock cluster comes back. A process of its own, as an addon that does not suit its Bun ends
// the process instead of failing.
import { features, KafkaConsumer, librdkafkaVersion, Producer } from "node-rdkafka";
import { startMockCluster } from "./mock-cluster.ts";
import { versions } from "./versions.ts";

const LIMIT_MS = 30_000;
const topic = "smoke";

if (librdkafkaVersion !== versions.librdkafka)
  throw new Error(`librdkafka is ${librdkafkaVersion}, and not ${versions.librdkafka}`);
const lacking = ["ssl", "sasl_scram", "zstd", "lz4", "snappy", "gzip"].filter((it) => !features.includes(it));
if (lacking.length > 0)
  throw new Error(`librdkafka was built without ${lacking.join(", ")}: see its configure`);

const late = setTimeout(() => {
  console.error(`the message did not come back within ${LIMIT_MS / 1000} s`);
  process.exit(1);
}, LIMIT_MS);
const cluster = startMockCluster({ topics: { [topic]: { partitions: 1, replicationFactor: 3 } } });
const common = { "bootstrap.servers": cluster.bootstrap, "compression.codec": "zstd" } as const;

const sent = `sent by Bun ${Bun.version}`;
const producer = new Producer({ ...common, dr_cb: true });
await new Promise((ok, fail) => producer.connect({}, (error) => (error ? fail(error) : ok(0))));
producer.setPollInterval(10);
await new Promise((ok, fail) => {
  producer.on("delivery-report", (error, report) => (error ? fail(error) : ok(report)));
  producer.produce(topic, 0, Buffer.from(sent), "key");
});

const consumer = new KafkaConsumer({ ...common, "group.id": "smoke" }, { "auto.offset.reset": "earliest" });
await new Promise((ok, fail) => consumer.connect({}, (error) => (error ? fail(error) : ok(0))));
consumer.subscribe([topic]);
const next = () =>
  new Promise<string | undefined>((ok, fail) =>
    consumer.consume(1, (error, [message]) => (error ? fail(error) : ok(message?.value?.toString()))),
  );
let read: string | undefined;
while (read === undefined) read = await next();
if (read !== sent) throw new Error(`sent "${sent}", but read "${read}"`);

await Promise.all([consumer, producer].map((client) => new Promise((ok) => client.disconnect(ok))));
cluster.close();
clearTimeout(late);
