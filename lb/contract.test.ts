// The interface keeps to its own description: Schemathesis sends what /openapi.json allows, and what it does not, as
// clients do, through the real balancer to a real producer and consumer; every answer is as documented.
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fixedPort, startBalancer } from "../testing/balancer.ts";
import { startTier } from "../testing/tier-process.ts";
import { startCluster } from "./testing/cluster.ts";

const limitMs = 240_000;
/** For each operation and kind of test: a thousand requests in all. */
const maxExamples = 100;

test(
  "no answer is other than /openapi.json has it",
  async () => {
    using cluster = startCluster();
    const folder = mkdtempSync(join(tmpdir(), "coffee-orders-contract-"));
    const [producerPort, consumerPort] = [fixedPort(), fixedPort()];
    const ledger = { LEDGER_URL: `sqlite:${join(folder, "ledger.sqlite")}` };
    await using producer = startTier("producer", { ...cluster.env, HTTP_PORT: String(producerPort) });
    await using consumer = startTier("consumer", {
      ...cluster.env,
      ...ledger,
      HTTP_PORT: String(consumerPort),
    });
    await Promise.all([producer.ready(), consumer.ready()]);
    await using balancer = await startBalancer({ producers: [producerPort], consumers: [consumerPort] });

    const { exitCode, said } = await schemathesis(balancer.port, folder);

    expect(said).toContain("No issues found");
    expect(exitCode).toBe(0);
    // It did reach all three, and orders were accepted and handled.
    expect(said).toMatch(/Tested: 3\b/);
    expect(Number(/(\d+) generated, \1 passed/.exec(said)?.[1])).toBeGreaterThan(500);
    expect((await cluster.read("orders")).length).toBeGreaterThan(100);
    expect(await consumer.metric("orders_handled_total")).toBeGreaterThan(100);
    rmSync(folder, { recursive: true });
  },
  limitMs + 120_000,
);

/** Runs it to its end; what it says includes its seed. */
async function schemathesis(port: number, cwd: string) {
  const url = `http://127.0.0.1:${port}/openapi.json`;
  const options = ["--max-examples", String(maxExamples), "--generation-database", "none", "--no-color"];
  const child = Bun.spawn(["schemathesis", "run", url, ...options], {
    cwd,
    env: { ...Bun.env, SCHEMATHESIS_HOOKS: join(import.meta.dir, "testing", "by_design.py") },
    stdin: "ignore",
    stderr: "pipe",
    timeout: limitMs,
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { exitCode: await child.exited, said: `${stdout}${stderr}` };
}
