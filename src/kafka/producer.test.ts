/** A client that connects and then can't be used is not left behind: it would be once more with each try. */
import { dlopen, FFIType } from "bun:ffi";
import { afterAll, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../../kit/until.ts";
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
  LEDGER_URL: "sqlite::memory:",
});
const libc = dlopen("libc.so.6", {
  getrlimit: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
  setrlimit: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
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
  [
    "producer",
    Kafka.Producer.prototype,
    () => openProducer(config, { lingerMs: 0, deliveryTimeoutMs: 5_000 }),
  ],
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
