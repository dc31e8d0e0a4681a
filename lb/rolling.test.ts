// Producers of a version whose orders have one member more, before consumers of it, and back again, one instance after
// another under load: every order is accepted and handled, and none becomes a dead letter.
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../kit/until.ts";
import { anOrder } from "../src/sample.ts";
import { fixedPort, startBalancer } from "../testing/balancer.ts";
import { startOrdersCluster } from "../testing/kafka.ts";
import { jsonBody, startLoad } from "../testing/load.ts";
import { startTier, type TierProcess } from "../testing/tier-process.ts";

const root = join(import.meta.dir, "..");

/** A copy of the tree whose orders may have sugar. */
function laterVersion() {
  const tree = mkdtempSync(join(tmpdir(), "coffee-orders-later-"));
  for (const part of ["src", "producer.ts", "consumer.ts", "package.json"])
    cpSync(join(root, part), join(tree, part), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(tree, "node_modules"));
  const path = join(tree, "src", "order.ts");
  const changes = [
    ["schemaVersion = 1", "schemaVersion = 2"],
    ["    milk: Type.Optional(", "    sugar: Type.Optional(Type.Integer()),\n    milk: Type.Optional("],
  ] as const;
  let text = readFileSync(path, "utf8");
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`an order has no «${from}»`);
    text = text.replace(from, to);
  }
  writeFileSync(path, text);
  return { tree, [Symbol.dispose]: () => rmSync(tree, { recursive: true }) };
}

test("producers before consumers, and back: nothing is refused, lost or given up", async () => {
  await using stack = new AsyncDisposableStack();
  const { tree: later } = stack.use(laterVersion());
  const cluster = stack.use(startOrdersCluster());
  const ledger = join(later, "ledger.sqlite");
  const ports = { producer: [fixedPort(), fixedPort()], consumer: [fixedPort(), fixedPort()] };
  const balancer = stack.use(await startBalancer({ producers: ports.producer, consumers: ports.consumer }));
  const running = new Map<number, TierProcess>();

  async function run(tier: "producer" | "consumer", n: 0 | 1, tree: string): Promise<void> {
    const port = ports[tier][n] as number;
    const old = running.get(port);
    old?.signal("SIGTERM");
    if (old) expect(await old.exited).toBe(0);
    const env = { LEDGER_URL: `sqlite:${ledger}`, SESSION_TIMEOUT_MS: "6000", DRAIN_NOTICE_MS: "1500" };
    const started = stack.use(startTier(tier, { ...cluster.env, ...env, HTTP_PORT: String(port) }, tree));
    running.set(port, started);
    await started.ready();
    // The next one is replaced when the balancer knows of this one.
    if (tier === "producer") await balancer.producerIs(n === 0 ? 1 : 2, "UP");
  }
  for (const tier of ["producer", "consumer"] as const)
    for (const n of [0, 1] as const) await run(tier, n, root);
  const url = `http://127.0.0.1:${balancer.port}`;
  const place = (order: object) =>
    fetch(`${url}/orders`, { method: "POST", headers: jsonBody, body: JSON.stringify(order) });
  const sweet = { ...anOrder, sugar: 2 };
  async function handled(answer: Response): Promise<void> {
    expect(answer.status).toBe(202);
    const location = new URL(answer.headers.get("location") as string, url);
    const prefer = { headers: { prefer: "wait=20" } };
    expect(await (await fetch(location, prefer)).json()).toMatchObject({ status: "handled" });
  }

  await using load = startLoad(balancer.port, 40);
  expect((await place(sweet)).status).toBe(422);
  for (const n of [0, 1] as const) await run("producer", n, later);
  for (let n = 0; n < 10; n += 1) await handled(await place(sweet));
  for (const n of [0, 1] as const) await run("consumer", n, later);
  for (let n = 0; n < 10; n += 1) await handled(await place(sweet));
  // What is still to be handled of it when all are back is handled too.
  const left = await place(sweet);
  for (const tier of ["consumer", "producer"] as const)
    for (const n of [0, 1] as const) await run(tier, n, root);
  await handled(left);
  expect((await place(sweet)).status).toBe(422);
  const record = await load.stop();
  expect(record.filter(({ status }) => status !== 202)).toEqual([]);

  using database = new Database(ledger, { readonly: true });
  const count = () => database.query<{ n: number }, []>("SELECT count(*) AS n FROM ledger").get()?.n;
  await until("all are handled", () => count() === record.length + 21);
  expect(await cluster.read("orders.dead")).toEqual([]);
  const schemas = new Set((await cluster.read("orders")).map(({ headers }) => headers.ce_dataschema));
  expect([...schemas].sort()).toEqual(["urn:coffee-orders:order:1", "urn:coffee-orders:order:2"]);
}, 300_000);
