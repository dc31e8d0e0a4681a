/**
 * `bun run dev`: a producer and a consumer on the mock cluster, started anew whenever a file of theirs changes. Orders and
 * ledger last until it ends. A consumer that starts anew reads all orders again: those in the ledger are left alone, and
 * those that failed get the mended handler. HTTP_PORT moves the producer.
 */
import { rmSync, watch } from "node:fs";
import { join } from "node:path";
import { ownCommandLine } from "../../kit/arguments.ts";
import { Stopped, stopWhenTold } from "../../kit/child.ts";
import { freePorts, isTaken, portOf } from "../../kit/ports.ts";
import { until } from "../../kit/until.ts";
import { UserError } from "../../kit/user-error.ts";
import { bootstrapOf } from "./pipeline.ts";
import { type Child, createProcesses, temporaryFolder } from "./processes.ts";

const root = join(import.meta.dir, "..", "..");
/** An editor writes a file more than once. */
const settleMs = 50;
const graceMs = 5_000;
const readyLimitMs = 30_000;

const usage = `bun run dev
A producer and a consumer on the mock cluster, until Ctrl-C, started anew whenever a file of theirs changes. HTTP_PORT moves
the producer from 3000; their other settings come from the same variables as in production.`;
ownCommandLine(usage, {}, () => undefined);

const stop = stopWhenTold();
const folder = temporaryFolder("coffee-orders-dev-");
const processes = createProcesses(folder);
let children: Child[] = [];
process.on("exit", () => {
  processes.kill();
  rmSync(folder, { recursive: true, force: true });
});

try {
  await dev(portOf("HTTP_PORT", process.env.HTTP_PORT || "3000"));
} catch (error) {
  if (!(error instanceof UserError || error instanceof Stopped)) throw error;
  console.error(error.message);
  process.exitCode = error instanceof Stopped ? 0 : 1;
} finally {
  await processes.stop(graceMs, children);
  await processes.stop(graceMs);
}

async function dev(port: number): Promise<void> {
  if (await isTaken(port)) throw new UserError(`Port ${port} is taken; HTTP_PORT moves it.`);
  const argv = [process.execPath, join(root, "native", "mock-server.ts"), "0"];
  const bootstrap = await bootstrapOf(processes.start({ name: "mock-cluster", argv }), stop);
  const free = Object.values(await freePorts(["one", "another", "a third"]));
  const [consumer = "", any = ""] = free.filter((one) => one !== String(port));
  const own = { KAFKA_BROKERS: bootstrap, MIN_INSYNC_REPLICAS: "1", DRAIN_NOTICE_MS: "0" };
  const common = { ...settings(), ...own };
  const tiers = { producer: port === 0 ? any : String(port), consumer } as const;
  const ledger = join(folder, "ledger.sqlite");
  console.log(
    `Orders: http://127.0.0.1:${tiers.producer}/orders   look-ups: http://127.0.0.1:${consumer}/orders/ID`,
  );
  console.log(`Ledger: ${ledger}`);

  for (let start = 1; ; start += 1) {
    const startedMs = performance.now();
    const changed = nextChange();
    children = Object.entries(tiers).map(([name, httpPort]) =>
      processes.start({
        name,
        argv: [process.execPath, join(root, `${name}.ts`)],
        env: {
          ...{ ...common, INSTANCE: name, HTTP_PORT: httpPort, LEDGER_URL: `sqlite:${ledger}` },
          // A mock group that has had a member lets the next one wait for most of a session; a new group doesn't.
          CONSUMER_GROUP: `dev-${start}`,
        },
        shown: true,
      }),
    );
    const started = Promise.all(Object.values(tiers).map((one) => ready(one))).then(
      () => true,
      ({ message }: Error) => console.error(message),
    );
    const isReady = await Promise.race([changed.then(() => false), started]);
    if (isReady) console.log(`Ready after ${Math.round(performance.now() - startedMs)} ms.`);
    console.log(`${await changed} changed.`);
    await processes.stop(graceMs, children);
  }
}

/** What the environment says to the tiers, and to a handler of somebody's own; but not of brokers, which are ours. */
function settings(): Record<string, string> {
  const given = Object.entries(process.env).filter(([name]) => !/^(KAFKA_|PATH$)/.test(name));
  return Object.fromEntries(given.map(([name, value = ""]) => [name, value]));
}

/** Waits until who listens there is ready; where one has ended, a change is waited for instead. */
function ready(port: string): Promise<unknown> {
  const isReady = async () => {
    if (children.some(({ running }) => !running)) return new Promise<never>(() => undefined);
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
    return answer?.ok;
  };
  return until("both tiers are ready", isReady, readyLimitMs);
}

/** The next file of the tiers that changes. @throws Stopped when told to end */
function nextChange(): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const watchers = ["src", "producer.ts", "consumer.ts"].map((path) =>
    watch(join(root, path), { recursive: true }, (_, file) => {
      if (!file?.endsWith(".test.ts")) setTimeout(resolve, settleMs, file ?? path);
    }),
  );
  const end = () => reject(stop.reason);
  if (stop.aborted) end();
  stop.addEventListener("abort", end);
  return promise.finally(() => {
    for (const watcher of watchers) watcher.close();
    stop.removeEventListener("abort", end);
  });
}
