// `bun run dev` as a person uses it: an order is handled, and after a change by what is there then.
import { expect, test } from "bun:test";
import { appendFileSync, cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "../../kit/ports.ts";
import { until } from "../../kit/until.ts";
import { anOrder } from "../../src/sample.ts";

const root = join(import.meta.dir, "..", "..");

test("a change starts both tiers anew; what was handled stays handled once, and nothing is left behind", async () => {
  const folder = mkdtempSync(join(tmpdir(), "coffee-orders-dev-test-"));
  const tree = join(folder, "tree");
  for (const part of ["src", "kit", "native", "proof/demo", "producer.ts", "consumer.ts", "package.json"])
    cpSync(join(root, part), join(tree, part), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(tree, "node_modules"));
  const { HTTP_PORT = "" } = await freePorts(["HTTP_PORT"]);
  const child = Bun.spawn([process.execPath, join(tree, "proof/demo/dev.ts")], {
    env: { ...process.env, HTTP_PORT, TMPDIR: folder },
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
    const answer = await fetch(`http://127.0.0.1:${HTTP_PORT}/orders`, {
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
