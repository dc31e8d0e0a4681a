/** A client that connects and then can't be used is not left behind: it would be once more with each try. */
import { dlopen, FFIType } from "bun:ffi";
import { afterAll, expect, test } from "bun:test";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { consumerConfig } from "../config.ts";
import { startOrdersCluster } from "../testing/kafka.ts";
import { until } from "../testing/until.ts";
import { openConsumer } from "./consumer.ts";
import { openProducer } from "./producer.ts";

const cluster = startOrdersCluster();
afterAll(() => cluster[Symbol.dispose]());

const config = consumerConfig({ ...cluster.env, LEDGER_URL: "sqlite::memory:" });
const libc = dlopen("libc.so.6", {
  getrlimit: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
  setrlimit: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
}).symbols;
/** RLIMIT_NOFILE */
const openFilesLimit = 7;

const openFiles = () => readdirSync("/proc/self/fd").length;

/** librdkafka's threads: it has one for each client, and more for the client's brokers. */
const threads = () =>
  readdirSync("/proc/self/task").filter((id) => {
    try {
      return readFileSync(`/proc/self/task/${id}/comm`, "utf8").startsWith("rdk:");
    } catch (error) {
      // It has ended meanwhile.
      if (
        (error as NodeJS.ErrnoException).code === "ENOENT" ||
        (error as NodeJS.ErrnoException).code === "ESRCH"
      )
        return false;
      throw error;
    }
  }).length;

/** Leaves no file to be opened until it is undone. @returns how to undo it */
function exhaustFiles(): () => void {
  const limit = new BigUint64Array(2);
  libc.getrlimit(openFilesLimit, limit);
  libc.setrlimit(openFilesLimit, new BigUint64Array([BigInt(openFiles() + 50), limit[1] as bigint]));
  const taken: number[] = [];
  for (;;)
    try {
      taken.push(openSync("/dev/null", "r"));
    } catch (error) {
      expect(error).toMatchObject({ code: "EMFILE" });
      break;
    }
  return () => {
    for (const file of taken) closeSync(file);
    libc.setrlimit(openFilesLimit, limit);
  };
}

const open = {
  producer: () => openProducer(config, { lingerMs: 0, deliveryTimeoutMs: 5_000 }),
  member: () => openConsumer(config, { onRebalance: () => undefined, onError: () => undefined }),
};

for (const [what, connect] of Object.entries(open))
  test(`a ${what} that connected when no pipe could be made is disconnected`, async () => {
    const before = threads();
    // What is loaded once is loaded.
    await (await connect()).close(0);
    await until("the first is gone", () => threads() === before);
    cluster.eachBroker((id) => cluster.setBrokerRttMs(id, 300));
    const connected = connect();
    const sockets = openFiles();
    await until("it is connecting", () => threads() > before && openFiles() > sockets);
    const undo = exhaustFiles();
    try {
      await expect(connected).rejects.toThrow("no pipe can be made");
    } finally {
      undo();
      cluster.eachBroker((id) => cluster.setBrokerRttMs(id, 0));
    }
    await until("its threads have ended", () => threads() === before);
  });
