// The demo as a person runs it, on ports of its own: its verdict, and that nothing of it is left, whatever way it ends.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { comesTrue } from "../../kit/until.ts";
import { type Found, processesOf } from "./testing/processes-of.ts";

const RUN_LIMIT_MS = 240_000;
const START_LIMIT_MS = 90_000;
const main = join(import.meta.dir, "main.ts");
/** The mock cluster, the balancer, three producers and three consumers, and the supervisor. */
const everyone = 9;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "coffee-orders-demo-test-"));
});
afterEach(() => {
  for (const { pid } of processesOf(folder)) process.kill(pid, "SIGKILL");
  rmSync(folder, { recursive: true });
});

/** Starts the demo with its temporary files in `folder`. */
function startDemo(env: Record<string, string> = {}) {
  const child = Bun.spawn([process.execPath, main], {
    env: { ...process.env, LB_PORT: "0", LB_STATS_PORT: "0", ...env, TMPDIR: folder },
    detached: true,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  let said = "";
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const bytes of child.stdout) said += decoder.decode(bytes, { stream: true });
  })();
  return {
    child,
    said: () => said,
    says: (text: string | RegExp) => comesTrue(() => said.search(text) >= 0, START_LIMIT_MS),
    /** What Ctrl-C does: the signal goes to everyone in the terminal's foreground. */
    interrupt: () => process.kill(-child.pid, "SIGINT"),
    /** Resolves with the exit code, once all that was said is read. */
    async end(): Promise<number> {
      await reading;
      return child.exited;
    },
  };
}

function killWhere(matches: (found: Found) => boolean): void {
  const victims = processesOf(folder).filter(matches);
  expect(victims).toHaveLength(1);
  for (const { pid } of victims) process.kill(pid, "SIGKILL");
}

async function expectNothingLeft(): Promise<void> {
  expect(await comesTrue(() => processesOf(folder).length === 0)).toBe(true);
  expect(readdirSync(folder)).toEqual([]);
}

test(
  "a consumer and a producer are killed with -9, others take over, nothing is lost and nothing is left",
  async () => {
    const demo = startDemo({ DEMO_SECONDS: "12" });
    expect(await demo.end()).toBe(0);
    const said = demo.said();
    expect(said).toMatch(/consumer-2 is killed with -9; it owned partitions \d/);
    expect(said).toMatch(/took over \d.*, after [\d.]+ s\n/);
    expect(said).toMatch(/producer-2 is killed with -9/);
    expect(said).toMatch(/others take producer-2's orders, \d+ answers failed, after [\d.]+ s\n/);
    const verdict = /\naccepted (\d+), handled (\d+), redelivered \d+, lost 0\n$/.exec(said);
    expect(verdict).not.toBeNull();
    expect(Number(verdict?.[1])).toBeGreaterThan(0);
    expect(verdict?.[2]).toBe(verdict?.[1] as string);
    await expectNothingLeft();
  },
  RUN_LIMIT_MS,
);

test(
  "whoever else is killed is replaced as well, and Ctrl-C ends it with the verdict",
  async () => {
    const demo = startDemo({ DEMO_SECONDS: "3600" });
    expect(await demo.says("all are up")).toBe(true);
    killWhere(({ env }) => env.INSTANCE === "producer-3");
    expect(await demo.says(/producer-3 is back after [\d.]+ s\n/)).toBe(true);
    demo.interrupt();
    expect(await demo.end()).toBe(0);
    expect(demo.said()).not.toContain("ended with");
    expect(demo.said()).toMatch(/\naccepted \d+, handled \d+, redelivered \d+, lost 0\n$/);
    await expectNothingLeft();
  },
  RUN_LIMIT_MS,
);

test(
  "a supervisor killed with -9 takes everyone with it",
  async () => {
    const demo = startDemo();
    expect(await demo.says("all are up")).toBe(true);
    expect(processesOf(folder)).toHaveLength(everyone);
    demo.child.kill("SIGKILL");
    await demo.end();
    expect(await comesTrue(() => processesOf(folder).length === 0)).toBe(true);
  },
  RUN_LIMIT_MS,
);

describe("nothing is left", () => {
  test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "of a start that %s ends",
    async (signal) => {
      const demo = startDemo();
      expect(await comesTrue(() => processesOf(folder).length === everyone, START_LIMIT_MS, 10)).toBe(true);
      demo.child.kill(signal);
      expect(await demo.end()).toBe(130);
      expect(demo.said()).toEndWith(`\nstopped by ${signal}\n`);
      await expectNothingLeft();
    },
    RUN_LIMIT_MS,
  );

  test(
    "of one that is told twice, which ends at once",
    async () => {
      const demo = startDemo();
      expect(await demo.says("all are up")).toBe(true);
      // So that what was accepted stays unhandled.
      for (const { pid } of processesOf(folder).filter(({ env }) => env.INSTANCE?.startsWith("consumer")))
        process.kill(pid, "SIGSTOP");
      demo.child.kill("SIGINT");
      expect(await demo.says("stopped: waiting for what was accepted")).toBe(true);
      expect(await comesTrue(() => demo.child.kill("SIGINT") ?? demo.child.exitCode !== null)).toBe(true);
      expect(await demo.end()).toBe(130);
      await expectNothingLeft();
    },
    RUN_LIMIT_MS,
  );

  test(
    "of one whose balancer does not start, which says why",
    async () => {
      const haproxy = join(folder, "haproxy");
      await Bun.write(haproxy, "#!/bin/sh\necho 'the configuration is sour' >&2\nexit 5\n");
      chmodSync(haproxy, 0o755);
      const demo = startDemo({ PATH: `${folder}:${process.env.PATH}` });
      expect(await demo.end()).toBe(1);
      expect(demo.said()).toEndWith(
        "\nbalancer ended at its start with exit code 5:\n  | the configuration is sour\n",
      );
      rmSync(haproxy);
      await expectNothingLeft();
    },
    RUN_LIMIT_MS,
  );

  test(
    "of one that nobody listens to any more",
    async () => {
      const env = { ...process.env, LB_PORT: "0", LB_STATS_PORT: "0", DEMO_SECONDS: "3600", TMPDIR: folder };
      const piped = ["sh", "-c", '"$0" "$1" | head -n 10', process.execPath, main];
      const child = Bun.spawn(piped, { env, stdin: "ignore", stdout: "pipe" });
      expect(await new Response(child.stdout).text()).toContain("all are up");
      await child.exited;
      await expectNothingLeft();
    },
    RUN_LIMIT_MS,
  );

  test(
    "of one that loses its brokers, which says so",
    async () => {
      const demo = startDemo();
      expect(await demo.says("all are up")).toBe(true);
      killWhere(({ argv }) => argv.some((word) => word.endsWith("mock-server.ts")));
      expect(await demo.end()).toBe(1);
      expect(demo.said()).toContain("\nmock-cluster ended with SIGKILL:\n");
      await expectNothingLeft();
    },
    RUN_LIMIT_MS,
  );
});

test("a port that is taken is named, with the variable that moves it, and nothing is started", async () => {
  const holder = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  try {
    const demo = startDemo({ LB_PORT: String(holder.port) });
    expect(await demo.end()).toBe(1);
    expect(demo.said()).toContain(`Port ${holder.port} of 127.0.0.1 is taken; LB_PORT moves it.`);
    await expectNothingLeft();
  } finally {
    holder.stop();
  }
});

test("wrong settings are refused before anything is started", async () => {
  const demo = startDemo({ DEMO_SECONDS: "soon" });
  expect(await demo.end()).toBe(1);
  expect(demo.said()).toBe("DEMO_SECONDS=soon: a whole number from 1 to 3600 is expected\n");
  await expectNothingLeft();
});
