/** A producer that may not write says so, takes nothing, and goes on once it may; clients hear nothing of Kafka's words. */
import { expect, test } from "bun:test";
import { until } from "../../kit/until.ts";
import { startIntake } from "../../testing/intake.ts";
import { startOrdersCluster } from "../../testing/kafka.ts";
import { startRefusingBroker } from "../../testing/refusing-broker.ts";
import { anOrder } from "../sample.ts";

const topicAuthorizationFailed = 29;
const invalidTimestamp = 32;
const policyViolation = 44;
const coordinatorLoading = 14;
/** Of a request. */
const produce = 0;
const initProducerId = 22;

type Answered = Awaited<ReturnType<typeof startIntake>>;
const reason = async (intake: Answered) => (await intake.request("/readyz")).text();

async function refusalOf(intake: Answered): Promise<string> {
  const answer = await intake.post(anOrder);
  expect(answer.status).toBe(503);
  return answer.text();
}

test("the missing right is named, the client is told nothing of it, and what is granted again is found out", async () => {
  using cluster = startOrdersCluster();
  await using intake = startIntake(cluster.env);
  await intake.ready();
  cluster.setTopicError("orders", topicAuthorizationFailed);
  await until("it is unready", async () =>
    (await reason(intake)).startsWith("no right to WRITE or DESCRIBE the topic orders"),
  );
  expect(await refusalOf(intake)).not.toMatch(/right|topic|DESCRIBE/);
  cluster.setTopicError("orders", 0);
  await intake.ready();
  expect((await intake.post(anOrder)).status).toBe(202);
}, 120_000);

test("also when it starts without", async () => {
  using cluster = startOrdersCluster();
  cluster.setTopicError("orders", topicAuthorizationFailed);
  await using intake = startIntake(cluster.env);
  await until("it is unready", async () =>
    (await reason(intake)).startsWith("no right to WRITE or DESCRIBE the topic orders"),
  );
  cluster.setTopicError("orders", 0);
  await intake.ready();
}, 120_000);

test("a clock that the brokers take no record of is told, and is tried again", async () => {
  using cluster = startOrdersCluster();
  await using intake = startIntake(cluster.env);
  await intake.ready();
  cluster.pushRequestErrors(produce, [invalidTimestamp]);
  const unknown = await intake.post(anOrder);
  expect([unknown.status, await unknown.json()]).toEqual([504, expect.objectContaining({ fate: "unknown" })]);
  expect(await reason(intake)).toBe("the clock here or at the brokers is wrong: Broker: Invalid timestamp\n");
  expect(await refusalOf(intake)).not.toMatch(/clock|timestamp/i);
  await intake.ready();
  expect((await intake.post(anOrder)).status).toBe(202);
}, 120_000);

/** Each request fails that many times: more than there are until it is healed. */
const lasting = (...errors: number[]): number[] => Array(10_000).fill(errors).flat();

test("brokers that refuse whatever comes are told, and are tried again", async () => {
  using cluster = startOrdersCluster();
  await using intake = startIntake(cluster.env);
  await intake.ready();
  cluster.pushRequestErrors(produce, lasting(policyViolation));
  await until("it is unready", async () => {
    if ((await reason(intake)) === "the brokers refuse every order: Broker: Policy violation\n") return true;
    expect((await intake.post(anOrder)).status).toBe(504);
    return false;
  });
  expect(await refusalOf(intake)).not.toMatch(/policy|broker/i);
  cluster.clearRequestErrors(produce);
  await intake.ready();
  expect((await intake.post(anOrder)).status).toBe(202);
}, 120_000);

test("an order that brokers refuse keeps nobody else's from them, however often it comes", async () => {
  using cluster = startOrdersCluster();
  await using intake = startIntake(cluster.env);
  await intake.ready();
  cluster.eachBroker((id) => cluster.setBrokerRttMs(id, 100));
  cluster.pushRequestErrors(produce, lasting(policyViolation, 0));
  for (let n = 0; n < 20; n += 1) expect((await intake.post(anOrder)).status).toBe(n % 2 === 0 ? 504 : 202);
}, 120_000);

test("who gets no producer id can send nothing, and says so", async () => {
  using cluster = startOrdersCluster();
  cluster.pushRequestErrors(initProducerId, lasting(coordinatorLoading));
  await using intake = startIntake(cluster.env);
  await until("it is unready", async () =>
    (await reason(intake)).startsWith("the brokers give no producer id"),
  );
  expect(await refusalOf(intake)).not.toMatch(/producer id|InitProducerId/);
  cluster.clearRequestErrors(initProducerId);
  await intake.ready();
  expect((await intake.post(anOrder)).status).toBe(202);
}, 120_000);

test("a password that is not taken is told by /readyz, and to no client", async () => {
  using broker = startRefusingBroker("PLAIN");
  await using intake = startIntake({
    KAFKA_BROKERS: broker.bootstrap,
    KAFKA_SECURITY_PROTOCOL: "sasl_plaintext",
    KAFKA_SASL_USERNAME: "producer",
    KAFKA_SASL_PASSWORD: "secret",
  });
  const words = /Invalid username or password/;
  await until("it says why", async () => words.test(await reason(intake)));
  expect(await reason(intake)).not.toContain("secret");
  expect(await refusalOf(intake)).not.toMatch(/password|SASL|Kafka client|connection/);
}, 120_000);

test("brokers that are gone, likewise", async () => {
  using cluster = startOrdersCluster();
  await using intake = startIntake(cluster.env);
  await intake.ready();
  cluster.eachBroker((id) => cluster.brokerDown(id));
  await until("it is unready, with librdkafka's words", async () =>
    /^no Kafka broker is reachable: .*(refused|Disconnected)/.test(await reason(intake)),
  );
  expect(await refusalOf(intake)).not.toMatch(/refused:|Disconnected|127\.0\.0\.1/);
}, 120_000);
