/** Sends hostile inputs through the real balancer to real producers, and tells what came back and what became of it. */
import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../kit/until.ts";
import { sampleOrder } from "../../src/sample.ts";
import { fixedPort, startBalancer } from "../../testing/balancer.ts";
import { jsonBody } from "../../testing/load.ts";
import { startTier } from "../../testing/tier-process.ts";
import { startCluster } from "./cluster.ts";
import { type Case, halfClose, later } from "./hostile/bytes.ts";
import { type Exchange, exchange } from "./hostile-client.ts";
import { startProducers } from "./producers.ts";

/** What became of the cases: the exchange of each, and how often each customer is in the ledger. */
export type Aftermath = {
  exchanges: readonly Exchange[];
  ledger: ReadonlyMap<string, number>;
  /** Orders that were accepted and can not be handled. */
  dead: number;
  /** What the balancer's access log has of all of them. */
  accessLog: readonly string[];
};

/** The digits that stand for `CASE` in the case with this place. */
export const digits = (at: number): string => String(at).padStart(4, "0");

/** The bytes with the case's digits, also where the end of a chunk divides their place. */
function numbered(bytes: string, at: number): string {
  const [a, b, c, d] = digits(at);
  const end = "(\\r\\n[^\\r]+\\r\\n)?";
  return bytes.replace(
    new RegExp(`C${end}A${end}S${end}E`, "g"),
    (_, one = "", two = "", three = "") => `${a}${one}${b}${two}${c}${three}${d}`,
  );
}

/** Sends a case from one of a hundred addresses, each of which may have so many batches under way. */
function send(port: number, [, bytes, ...expected]: Case, at: number): Promise<Exchange> {
  const parts = numbered(bytes, at)
    .replace(halfClose, "")
    .split(later)
    .map((part) => Buffer.from(part, "latin1"));
  const awaited = expected.filter((answer) => answer !== "closed").length;
  const halfClosed = bytes.endsWith(halfClose);
  return exchange(port, parts, awaited, { halfClosed, localAddress: `127.0.1.${at % 100}` });
}

/** Sends all of them side by side, and waits until everything that was accepted is handled. */
export async function runAll(cases: readonly Case[]): Promise<Aftermath> {
  using cluster = startCluster();
  const folder = mkdtempSync(join(tmpdir(), "coffee-orders-hostile-"));
  const path = join(folder, "ledger.sqlite");
  const consumerPort = fixedPort();
  await using consumer = startTier("consumer", {
    ...cluster.env,
    LEDGER_URL: `sqlite:${path}`,
    HTTP_PORT: String(consumerPort),
  });
  await using producers = await startProducers(cluster.env);
  await consumer.ready();
  await using balancer = await startBalancer({
    producers: producers.ports,
    consumers: [consumerPort],
  });

  const exchanges = await Promise.all(cases.map((input, at) => send(balancer.port, input, at)));
  await until("no request is under way", async () => {
    const backends = await Promise.all(
      ["producers", "batches"].map((backend) => balancer.row(backend, "BACKEND")),
    );
    return backends.every(({ scur, qcur }) => scur === "0" && qcur === "0");
  });
  const last = await fetch(`http://127.0.0.1:${balancer.port}/orders`, {
    method: "POST",
    headers: jsonBody,
    body: JSON.stringify(sampleOrder(0, "last")),
  });
  if (last.status !== 202) throw new Error(`the last order was answered ${last.status}`);
  const written = (await cluster.read("orders")).length;
  await until(
    "every order is handled",
    async () => (await cluster.committed("coffee-orders", "orders")) === written,
  );
  using database = new Database(path, { readonly: true });
  const rows = database
    .query<{ customer: string; count: number }, []>(
      "SELECT customer, count(*) AS count FROM ledger GROUP BY customer",
    )
    .all();
  const dead = (await cluster.read("orders.dead")).length;
  rmSync(folder, { recursive: true });
  const ledger = new Map(rows.map(({ customer, count }) => [customer, count]));
  return { exchanges, ledger, dead, accessLog: balancer.accessLog() };
}
