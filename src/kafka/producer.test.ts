/** What a client leaves behind, it leaves behind with each try: who waits for a topic opens thousands in a night. */
import { dlopen, FFIType } from "bun:ffi";
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../kit/until.ts";
import { startMockCluster } from "../../native/mock-cluster.ts";
import { startDoor } from "../../testing/brokers/door.ts";
import { consumerConfig } from "../config.ts";
import Kafka from "./addon.ts";
import { openConsumer } from "./consumer.ts";
import { openProducer } from "./producer.ts";

// In a process of its own, which can still open files when this one can't.
const server = Bun.spawn([process.execPath, join(import.meta.dir, "../../native/mock-server.ts")], {
  stdout: "pipe",
});
afterAll(() => server.kill());
const { value } = await server.stdout.getReader().read();
const config = consumerConfig({
  KAFKA_BROKERS: Buffer.from(value ?? [])
    .toString()
    .trim(),
  LEDGER_URL: "sqlite:ledger.sqlite",
});
const libc = dlopen("libc.so.6", {
  getrlimit: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
  setrlimit: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
  fopen: { args: [FFIType.ptr, FFIType.ptr], returns: FFIType.ptr },
  malloc_info: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
  fclose: { args: [FFIType.ptr], returns: FFIType.i32 },
}).symbols;
/** RLIMIT_NOFILE */
const openFilesLimit = 7;

/** librdkafka's threads: it has one for each client, and more for the client's brokers. */
const threads = () =>
  readdirSync("/proc/self/task").filter((id) => {
    try {
      return readFileSync(`/proc/self/task/${id}/comm`, "utf8").startsWith("rdk:");
    } catch (error) {
      expect(["ENOENT", "ESRCH"]).toContain(String((error as NodeJS.ErrnoException).code));
      return false;
    }
  }).length;

/** Opens a client and lets no file be opened from the moment that it is connected until it is there or not. */
async function whileFilesLast(prototype: Kafka.Client<string>, open: () => Promise<unknown>) {
  const limit = new BigUint64Array(2);
  libc.getrlimit(openFilesLimit, limit);
  const { connect } = prototype;
  prototype.connect = function (options, callback) {
    return connect.call(this, options, (error, metadata) => {
      // Fewer than are open already.
      libc.setrlimit(openFilesLimit, new BigUint64Array([4n, limit[1] as bigint]));
      callback?.(error, metadata);
    });
  };
  try {
    return await open();
  } finally {
    libc.setrlimit(openFilesLimit, limit);
    prototype.connect = connect;
  }
}

test.each([
  ["producer", Kafka.Producer.prototype, () => openProducer(config, { deliveryTimeoutMs: 5_000 })],
  [
    "member",
    Kafka.KafkaConsumer.prototype,
    () => openConsumer(config, { onRebalance: () => undefined, onError: () => undefined }),
  ],
] as const)("a %s that is connected when no pipe can be made is disconnected", async (_, prototype, open) => {
  const before = threads();
  // What is loaded once is loaded.
  await (await open()).close(0);
  await until("the first is gone", () => threads() === before);
  await expect(whileFilesLast(prototype, open)).rejects.toThrow("no pipe can be made");
  await until("its threads have ended", () => threads() === before, 3_000);
});

test("a producer asks for its own topic alone: the others of a large cluster would cost it more than its orders", async () => {
  const producer = await openProducer(config, { deliveryTimeoutMs: 5_000 });
  const { topics } = await producer.metadata(config.ORDERS_TOPIC, 5_000);
  expect(topics.map(({ name, partitions }) => [name, partitions.length])).toEqual([["orders", 12]]);
  await producer.close(0);
});

/** Bytes that C has in use, as glibc counts them: what is mapped, and of its arenas what is not free. */
function bytesInUse(): number {
  const folder = mkdtempSync(join(tmpdir(), "coffee-orders-malloc-"));
  const path = join(folder, "info.xml");
  const file = libc.fopen(Buffer.from(`${path}\0`), Buffer.from("w\0"));
  libc.malloc_info(0, file);
  libc.fclose(file);
  const told = readFileSync(path, "utf8").replace(/<heap[\s\S]*<\/heap>/, "");
  rmSync(folder, { recursive: true });
  const sizes = (what: string) =>
    told
      .matchAll(new RegExp(`<${what} [^>]*size="(\\d+)"`, "g"))
      .reduce((sum, [, size]) => sum + Number(size), 0);
  const free = sizes('total type="(?:fast|rest)"');
  return sizes('system type="current"') + sizes('total type="mmap"') - free;
}

test("a producer that is closed leaves nothing of its topic, which takes 25 KB", async () => {
  const look = async () => {
    const producer = await openProducer(config, { deliveryTimeoutMs: 5_000 });
    await producer.metadata(config.ORDERS_TOPIC, 5_000);
    await producer.close(0);
  };
  const [warmUp, measured] = [50, 100];
  for (let n = 0; n < warmUp; n += 1) await look();
  Bun.gc(true);
  const before = bytesInUse();
  for (let n = 0; n < measured; n += 1) await look();
  Bun.gc(true);
  const left = (bytesInUse() - before) / measured;
  expect(left).toBeLessThan(15_000);
});

test("another cluster that answers at the same address gives a producer an id of its own: there the old one is somebody else's", async () => {
  const start = () =>
    startMockCluster({ brokers: 1, topics: { orders: { partitions: 1, replicationFactor: 1 } } });
  const clusters = [start(), start()] as const;
  /** Kinds of requests since the door leads there: InitProducerId is one (Kafka protocol, «API Keys»). */
  let asked: number[] = [];
  using door = await startDoor(clusters[0].bootstrap, { request: (kind) => void asked.push(kind) });
  const producer = await openProducer(
    { ...config, KAFKA_BROKERS: door.bootstrap },
    { deliveryTimeoutMs: 20_000 },
  );
  const reports: (string | undefined)[] = [];
  const send = async () => {
    const before = reports.length;
    const record = { topic: "orders", partition: 0, key: null, value: "{}", headers: [] };
    producer.produce(record, ({ error }) => void reports.push(error));
    await until("there is a report", () => reports.length > before);
  };
  await send();
  asked = [];
  door.leadTo(clusters[1].bootstrap);
  await until("it has asked for an id", () => asked.includes(22));
  await send();
  expect(reports).toEqual([undefined, undefined]);
  await producer.close(0);
  for (const cluster of clusters) cluster.close();
});
