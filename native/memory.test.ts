import { heapStats } from "bun:jsc";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { KafkaConsumer } from "node-rdkafka";

const LIMIT_MS = 600_000;
const WARM_UP = 400_000;
const MEASURED = 2_000_000;
/** A handle that is not given back costs 24 bytes at the least; what a machine's noise came to was below 3. */
const MOST_GROWTH_BYTES = 8;

const script = (name: string) => [process.execPath, join(import.meta.dir, name)];
// The mock cluster keeps messages: it is another process, whose memory does not count.
const server = Bun.spawn(script("mock-server.ts"), { stdout: "pipe", stderr: "inherit" });
let bootstrap: string;
beforeAll(async () => {
  const { value } = await server.stdout.getReader().read();
  bootstrap = new TextDecoder().decode(value).trim();
});
afterAll(async () => {
  server.kill();
  await server.exited;
});

type Sample = { read: number; rssBytes: number };

/** By how many bytes it grows with each message: the line through all samples, so that no single one decides. */
function growthBytes(samples: Sample[]): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(samples.map(({ read }) => read)), mean(samples.map(({ rssBytes }) => rssBytes))];
  const covariance = mean(samples.map(({ read, rssBytes }) => (read - x) * (rssBytes - y)));
  return covariance / mean(samples.map(({ read }) => (read - x) ** 2));
}

test(
  "two million messages, sent with delivery reports and read back, leave the memory as it is",
  async () => {
    const child = Bun.spawn([...script("testing/endless.ts"), bootstrap, "orders", `${WARM_UP + MEASURED}`], {
      stdout: "pipe",
      stderr: "inherit",
      timeout: LIMIT_MS,
      killSignal: "SIGKILL",
    });
    const lines = (await child.stdout.text()).trim().split("\n");
    expect(await child.exited).toBe(0);
    const samples: Sample[] = lines.map((line) => JSON.parse(line));
    expect(samples.at(-1)?.read).toBe(WARM_UP + MEASURED);
    const measured = samples.filter(({ read }) => read >= WARM_UP);
    expect(measured.length).toBeGreaterThan(30);
    expect(growthBytes(measured)).toBeLessThan(MOST_GROWTH_BYTES);
  },
  LIMIT_MS,
);

test(
  "a consumer that waits for messages leaves nothing behind with each call",
  async () => {
    const consumer = new KafkaConsumer({ "bootstrap.servers": bootstrap, "group.id": "idle" }, {});
    consumer.setDefaultConsumeTimeout(1);
    await new Promise<void>((ok, fail) =>
      consumer.connect({}, (error: unknown) => (error ? fail(error) : ok())),
    );
    const objectsAfter = async (calls: number) => {
      for (let n = 0; n < calls; n++) await new Promise((ok) => consumer.consume(1, ok));
      Bun.gc(true);
      return heapStats().objectCount;
    };
    const before = await objectsAfter(200);
    expect((await objectsAfter(2_000)) - before).toBeLessThan(1_000);
    await new Promise((ok) => consumer.disconnect(ok));
  },
  LIMIT_MS,
);

test("librdkafka's threads make no arenas of their own: each would keep what it once grew to", async () => {
  const child = Bun.spawn([...script("testing/arenas.ts"), bootstrap], {
    stdout: "pipe",
    stderr: "inherit",
    timeout: 20_000,
    killSignal: "SIGKILL",
  });
  const { before, working } = await child.stdout.json();
  expect(await child.exited).toBe(0);
  expect(before).toBeGreaterThan(0);
  expect(working).toBe(before);
});

test("the growth is that of the line through the samples", () => {
  const line = (bytes: number) =>
    [0, 1, 2, 3].map((i) => ({ read: i * 1000, rssBytes: 5e7 + i * 1000 * bytes }));
  expect(growthBytes(line(24))).toBeCloseTo(24);
  expect(growthBytes(line(0))).toBeCloseTo(0);
});
