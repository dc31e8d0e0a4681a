// What a customer says, be it an order's or not, is in no log of any tier, however it fails: refused at the door, in a batch,
// as no JSON, by the database, which quotes what it does not take, by a handler's own words, or as a record that is no order.
// All is logged that can be.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { SQL } from "bun";
import { until } from "../kit/until.ts";
import { sampleOrder } from "../src/sample.ts";
import { type Balancer, fixedPort, startBalancer } from "../testing/balancer.ts";
import { jsonBody } from "../testing/load.ts";
import { type PostgresServer, startPostgres } from "../testing/postgres.ts";
import { startTier, type TierProcess } from "../testing/tier-process.ts";
import { type Cluster, startCluster } from "./testing/cluster.ts";

const canary = "canary-7f3a";
const logs = { LOG_LEVEL: "trace" };
let cluster: Cluster;
let postgres: PostgresServer;
let producer: TierProcess;
let consumer: TierProcess;
let balancer: Balancer;
let database: SQL;

beforeAll(async () => {
  cluster = startCluster();
  postgres = startPostgres({ log_min_messages: "fatal" });
  const url = await postgres.newDatabase();
  const [producerPort, consumerPort] = [fixedPort(), fixedPort()];
  const once = { HANDLER_ATTEMPTS: "2", RETRY_BASE_MS: "10", RETRY_MAX_MS: "20", RETRY_TIMEOUT_MS: "1000" };
  producer = startTier("producer", { ...cluster.env, ...logs, HTTP_PORT: String(producerPort) });
  consumer = startTier("consumer", {
    ...{ ...cluster.env, ...logs, ...once },
    ...{ LEDGER_URL: url, HTTP_PORT: String(consumerPort) },
  });
  await Promise.all([producer.ready(), consumer.ready()]);
  balancer = await startBalancer({ producers: [producerPort], consumers: [consumerPort] });
  database = new SQL({ url, max: 1 });
  // What the shipped handler writes is refused from now on: for its type, by a check, as a duplicate, by a trigger's words.
  await database.unsafe(`
    ALTER TABLE tickets ALTER COLUMN note TYPE integer USING 0, ADD CHECK (customer NOT LIKE 'checked%');
    CREATE UNIQUE INDEX ON tickets (customer);
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN
        IF NEW.size = 'large' THEN RAISE 'not for %', NEW.customer; END IF;
        IF NEW.size = 'medium' THEN
          EXECUTE format('SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(600) -- %s', NEW.customer);
        END IF;
        RETURN NEW;
      END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON tickets FOR EACH ROW EXECUTE FUNCTION refuse()`);
}, 120_000);
afterAll(async () => {
  await database.close();
  await balancer[Symbol.asyncDispose]();
  await Promise.all([producer[Symbol.asyncDispose](), consumer[Symbol.asyncDispose]()]);
  postgres[Symbol.dispose]();
  cluster[Symbol.dispose]();
}, 120_000);

const post = (body: string, path = "/orders", headers: Record<string, string> = {}) =>
  fetch(`http://127.0.0.1:${balancer.port}${path}?q=${canary}`, {
    method: "POST",
    headers: { ...jsonBody, "idempotency-key": `${canary}-${crypto.randomUUID()}`, ...headers },
    body,
  });
const orderOf = (members: object, customer: string = canary) =>
  JSON.stringify({ ...sampleOrder(0, customer), note: undefined, size: "small", ...members });
const deadLetters = (count: number) =>
  until(`${count} dead letters`, async () => {
    const letters = await cluster.read("orders.dead");
    return letters.length === count ? letters : undefined;
  });

/** No tier has said it, and all of them have said something. */
function expectSilence() {
  const tiers = [producer, consumer].map(({ log, stderr }) => JSON.stringify(log) + stderr());
  const all = [...tiers, balancer.accessLog().join(), balancer.log()];
  for (const text of all) expect(text.length).toBeGreaterThan(100);
  for (const text of all) expect(text.replaceAll(/.{0,200}canary.{0,50}/g, "")).toBe(text);
}

test.each<[string, number, () => Promise<Response>]>([
  ["no JSON", 400, () => post(canary)],
  ["half an order", 400, () => post(orderOf({}).slice(0, -1))],
  ["an unknown member", 422, () => post(orderOf({ [canary]: canary }))],
  ["a note that is too long", 422, () => post(orderOf({ note: canary.repeat(50) }))],
  ["no coffee of ours", 422, () => post(orderOf({ coffee: canary }))],
  ["a member twice", 400, () => post(orderOf({}).replace("{", `{"customer":"${canary}",`))],
  ["another media type", 415, () => post(orderOf({}), "/orders", { "content-type": `text/${canary}` })],
  [
    "a malformed key",
    400,
    () => post(orderOf({}), "/orders", { "idempotency-key": `"${canary}" "${canary}"` }),
  ],
  ["a malformed trace", 202, () => post(orderOf({}), "/orders", { traceparent: canary, tracestate: canary })],
  [
    "a batch with a wrong one",
    207,
    () => post(`[${orderOf({}, "c1")},${orderOf({ [canary]: 1 })}]`, "/orders/batch"),
  ],
  ["a batch that is none", 422, () => post(JSON.stringify({ [canary]: 1 }), "/orders/batch")],
  ["another path", 404, () => post(orderOf({}), `/${canary}`)],
  ["a credential", 422, () => post("{}", "/orders", { authorization: `Bearer ${canary}`, cookie: canary })],
])("%s", async (_, status, ask) => {
  const answer = await ask();
  expect(answer.status).toBe(status);
  await answer.text();
  await until("it is in the access log", () => balancer.accessLog().at(-1)?.includes(`"status":${status}`));
  expectSilence();
});

test("orders that the database does not take, and records that are no orders", async () => {
  const before = (await cluster.read("orders.dead")).length;
  const orders = [
    orderOf({ note: canary }, "typed"),
    orderOf({}, `checked ${canary}`),
    orderOf({ size: "large" }, `${canary} of the trigger`),
    orderOf({}, `${canary} twice`),
    orderOf({}, `${canary} twice`),
  ];
  for (const order of orders) expect((await post(order)).status).toBe(202);
  const records = [canary, `{"customer":"${canary}`, JSON.stringify({ [canary]: canary, customer: 1 })];
  cluster.put(
    "orders",
    records.map((value) => ({ key: Buffer.from(canary), value, partition: 0 })),
  );
  const letters = await deadLetters(before + orders.length - 1 + records.length);
  // The letters have what the logs have not.
  expect(JSON.stringify(letters)).toContain(canary);
  await until(
    "they are told of",
    () => consumer.log.filter(({ msg }) => msg === "dead letter").length >= letters.length,
  );
  expect((await post(orderOf({ size: "medium" }))).status).toBe(202);
  await until("the ledger is waited for", () =>
    consumer.log.some(({ msg }) => msg.startsWith("the ledger is")),
  );
  expectSilence();
});
