import { afterAll, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import Kafka from "node-rdkafka";
import { capture } from "../../kit/capture.ts";
import { until } from "../../kit/until.ts";
import { startOrdersCluster } from "../../testing/kafka.ts";
import { handleOf } from "./client.ts";
import { openWakeUps } from "./wake-ups.ts";

const cluster = startOrdersCluster();
afterAll(() => cluster[Symbol.dispose]());

const openFiles = () => readdirSync("/proc/self/fd").length;

test("reports come though nobody polls by the clock, and nothing stays open", async () => {
  const producer = new Kafka.Producer({ "bootstrap.servers": cluster.bootstrap, dr_cb: true });
  await new Promise((resolve, reject) =>
    producer.connect({ topic: "orders" }, (error) => (error ? reject(error) : resolve(0))),
  );
  let reports = 0;
  let wakeUps = 0;
  producer.on("delivery-report", () => {
    reports += 1;
  });
  const opened = openWakeUps(handleOf(producer), () => {
    wakeUps += 1;
    producer.poll();
  });
  for (let sent = 1; sent <= 5; sent += 1) {
    producer.produce("orders", 0, Buffer.from("{}"));
    await until("it has its report", () => reports === sent);
  }
  const known = wakeUps;
  expect(known).toBeGreaterThanOrEqual(5);
  await opened.close();
  producer.produce("orders", 0, Buffer.from("{}"));
  await until("it is acknowledged", () => {
    producer.poll();
    return reports === 6;
  });
  expect(wakeUps).toBe(known);

  const before = openFiles();
  const times = 100;
  for (let time = 0; time < times; time += 1) await openWakeUps(handleOf(producer), () => undefined).close();
  // The client opens and closes connections meanwhile, and a pipe would be two for each time. Bun closes its duplicate of
  // a pipe's end some time after the reader is done with it.
  await until("the pipes are closed", () => openFiles() < before + times / 10);
  await new Promise((resolve) => producer.disconnect(resolve));
});

test("where no more files can be opened it is closed all the same, and no rejection is left behind", async () => {
  const program = `
    import { closeSync, openSync, readdirSync } from "node:fs";
    import Kafka from "node-rdkafka";
    import { handleOf } from "./client.ts";
    import { openWakeUps } from "./wake-ups.ts";
    const producer = new Kafka.Producer({ "bootstrap.servers": "${cluster.bootstrap}" });
    await new Promise((resolve) => producer.connect({ topic: "orders" }, resolve));
    const taken = [];
    const opens = () => { try { return taken.push(openSync("/dev/null")); } catch { return 0; } };
    while (opens());
    // A pipe, and nothing for who reads from it.
    for (const file of taken.splice(0, 2)) closeSync(file);
    await openWakeUps(handleOf(producer), () => undefined).close();
    taken.push(openSync("/dev/null"), openSync("/dev/null"));
    console.log("closed");
    process.exit();`;
  const argv = ["prlimit", "--nofile=100", process.execPath, "-e", program];
  const { code, stdout } = await capture(argv, { limitMs: 60_000, cwd: import.meta.dir });
  expect([code, stdout.trim()]).toEqual([0, "closed"]);
}, 120_000);
