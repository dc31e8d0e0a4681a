// `bun run dev` as a person uses it: an order is handled, and after a change by what is there then.
import { expect, test } from "bun:test";
import { appendFileSync, cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../kit/until.ts";
import { anOrder } from "../../src/sample.ts";

const root = join(import.meta.dir, "..", "..");

test("the tiers' own variables are theirs here too, but for the brokers", async () => {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "dev.ts")], {
    env: {
      ...process.env,
      HTTP_PORT: "0",
      BATCH_WINDOW_MS: "soon",
      KAFKA_BROKERS: "127.0.0.1:1",
      KAFKA_SECURITY_PROTOCOL: "ssl",
    },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  const reading = (async () => {
    for await (const bytes of child.stderr) said += Buffer.from(bytes).toString();
  })();
  try {
    await until("the producer says what is wrong", () => /BATCH_WINDOW_MS is malformed/.test(said), 60_000);
    expect(said).not.toContain("KAFKA_");
  } finally {
    child.kill("SIGINT");
    await Promise.all([child.exited, reading]);
  }
}, 120_000);

test("a change starts both tiers anew; what was handled stays handled once, and nothing is left behind", async () => {
  const folder = mkdtempSync(join(tmpdir(), "coffee-orders-dev-test-"));
  const tree = join(folder, "tree");
  for (const part of ["src", "kit", "native", "proof/demo", "producer.ts", "consumer.ts", "package.json"])
    cpSync(join(root, part), join(tree, part), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(tree, "node_modules"));
  const child = Bun.spawn([process.execPath, join(tree, "proof/demo/dev.ts")], {
    env: { ...process.env, HTTP_PORT: "0", TMPDIR: folder },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  const reading = (async () => {
    for await (const bytes of child.stdout) said += Buffer.from(bytes).toString();
  })();
  const ready = (times: number) =>
    until(`ready ${times} times`, () => said.match(/^Ready after/gm)?.length === times, 60_000);
  const deliveries = async (id: string): Promise<number> => {
    const lookUps = /look-ups: (.*)ID/.exec(said)?.[1];
    return ((await (await fetch(`${lookUps}${id}`)).json()) as { deliveries?: number }).deliveries ?? 0;
  };
  try {
    await ready(1);
    const answer = await fetch(/Orders: (\S+)/.exec(said)?.[1] ?? "", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(anOrder),
    });
    const { id } = (await answer.json()) as { id: string };
    await until("it is handled", async () => (await deliveries(id)) === 1);
    appendFileSync(join(tree, "src/handle.ts"), '\nconsole.log("mended");\n');
    await ready(2);
    expect(said).toContain("\nmended\n");
    await until("it came again, to the same row", async () => (await deliveries(id)) === 2);
  } finally {
    child.kill("SIGINT");
    await Promise.all([child.exited, reading]);
  }
  expect(child.exitCode).toBe(0);
  expect(readdirSync(folder)).toEqual(["tree"]);
  rmSync(folder, { recursive: true });
}, 120_000);
