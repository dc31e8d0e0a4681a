// What a user of Kafka was not given it may not do, and a tier that lacks a right says which: on the secured topology's real
// brokers, with the rights that it gives (infra/secure/rights.txt), each taken away from a user that has all others. And what
// it gives suffices: in normal operation nothing is denied.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { thisMachine } from "../kit/machine.ts";
import { freePorts } from "../kit/ports.ts";
import { until } from "../kit/until.ts";
import { array, ask, type Door, int32, string } from "../ops/protocol.ts";
import { openTopicReader } from "../ops/read-topic.ts";
import {
  beyond,
  findController,
  grant,
  type Right,
  readRights,
  revoke,
  setPasswords,
} from "../ops/rights.ts";
import { kafkaConfig } from "../src/config.ts";
import { openProducer } from "../src/kafka/producer.ts";
import { anOrder } from "../src/sample.ts";
import { newCredentials } from "../testing/credentials.ts";
import { startIntake } from "../testing/intake.ts";
import { startTestConsumer, temporaryLedger } from "../testing/test-consumer.ts";
import { ensureImages } from "./images.ts";
import { kafkaAdmission, kafkaVariables } from "./secure/access.ts";
import { type KafkaUser, secretPath } from "./secure/names.ts";
import { e2eProject } from "./test/suites.ts";
import { openTopology, type Topology } from "./topology.ts";

const IMAGES_LIMIT_MS = 1_200_000;
const NOTICED_MS = 10_000;
const fetch4 = [1, 4] as const;
const topicAuthorizationFailed = 29;
const brokers = ["kafka1", "kafka2", "kafka3"];
const given = readRights(readFileSync(join(import.meta.dir, "secure", "rights.txt"), "utf8"));

setDefaultTimeout(60_000);

const credentials = newCredentials();
const clientsCa = credentials.newCa("clients");
let topology: Topology;
let bootstrap: string;
let knownDoors: string;
let doors: Door[];
let controller: Door;

beforeAll(async () => {
  await ensureImages(thisMachine(new AbortController().signal));
  const secured = { project: e2eProject, env: { SECURE: "1" } };
  const names = Object.keys(await openTopology(secured).ports());
  await openTopology(secured).down({ volumes: true, atOnce: true });
  const overrides = ["quick-checks.yaml", "client-certificates.yaml"].map((file) =>
    join(import.meta.dir, "secure", "testing", file),
  );
  const known = await freePorts(["KNOWN_PORT_1", "KNOWN_PORT_2", "KNOWN_PORT_3"]);
  const env = { ...secured.env, ...(await freePorts(names)), ...known, CLIENTS_CA: clientsCa.path };
  knownDoors = Object.values(known)
    .map((port) => `127.0.0.1:${port}`)
    .join(",");
  topology = openTopology({ ...secured, overrides, env });
  await topology.up([...brokers, "topics"]);
  const ports = Object.entries(await topology.ports()).filter(([name]) => name.startsWith("KAFKA_PORT"));
  bootstrap = ports.map(([, port]) => `127.0.0.1:${port}`).join(",");
  doors = ports.map(([, port]) => ({ port, admission: kafkaAdmission("broker") }));
  controller = await findController(doors[0] as Door);
}, IMAGES_LIMIT_MS + 300_000);

afterAll(async () => {
  await topology?.down({ volumes: true, atOnce: true });
  credentials[Symbol.dispose]();
}, 300_000);

/** Variables of a tier as that user, made for a test with the password of another. */
const envOf = (user: string, passwordOf: KafkaUser) => ({
  ...kafkaVariables(passwordOf),
  KAFKA_SASL_USERNAME: user,
  KAFKA_BROKERS: bootstrap,
  TOPIC_CHECK_MS: "1000",
});
/** What a user of that name has in a tier's place, with a group of its own. */
const rightsAs = (tier: string, user: string): Right[] =>
  given
    .filter((right) => right.user === tier)
    .map((right) => ({ ...right, user, name: right.kind === "group" ? user : right.name }));
const words = ({ kind, name, operation }: Right) => {
  if (kind === "group") return `no right to READ the group ${name}`;
  const implied = operation === "DESCRIBE_CONFIGS" ? "" : " or DESCRIBE";
  return `no right to ${operation}${implied} the topic ${name}:`;
};

/** What was denied so far, by the authorizers' own logs. */
async function denials(): Promise<string[]> {
  const log = await topology.compose(["logs", "--no-color", ...brokers]);
  return log.split("\n").filter((line) => line.includes(" is Denied "));
}

/** A tier: whether it is ready, or why not. */
function start(tier: string, env: Record<string, string>) {
  if (tier === "producer") {
    const intake = startIntake(env);
    const unready = async () => {
      const answer = await intake.request("/readyz");
      return answer.ok ? undefined : answer.text();
    };
    return { unready, [Symbol.asyncDispose]: () => intake[Symbol.asyncDispose]() };
  }
  const ledger = temporaryLedger();
  const consumer = startTestConsumer({ ...env, LEDGER_URL: ledger.url });
  return {
    unready: async () => consumer.unready(),
    async [Symbol.asyncDispose]() {
      await consumer[Symbol.asyncDispose]();
      ledger[Symbol.dispose]();
    },
  };
}

test("what is given suffices: orders are placed, handled and read, and nothing is denied", async () => {
  using ledger = temporaryLedger();
  await using intake = startIntake(envOf("producer", "producer"));
  await using consumer = startTestConsumer({ ...envOf("consumer", "consumer"), LEDGER_URL: ledger.url });
  await intake.ready();
  expect((await intake.post(anOrder)).status).toBe(202);
  await consumer.reaches("orders_handled_total", 1);
  for (const [user, topic, records] of [
    ["prove", "orders", 1],
    ["dead", "orders.dead", 0],
  ] as const) {
    const reader = await openTopicReader(kafkaConfig(envOf(user, user)), topic);
    let found = 0;
    await reader.read(reader.ranges, () => {
      found += 1;
      return undefined;
    });
    await reader.close();
    expect(found).toBe(records);
  }
  expect(await denials()).toEqual([]);
});

test("a producer may not read orders, nor a consumer write them", async () => {
  expect(await fetched("consumer")).toContain(0);
  expect(await fetched("producer")).toEqual(doors.map(() => topicAuthorizationFailed));
  await expect(written("producer")).resolves.toBeUndefined();
  await expect(written("consumer")).resolves.toMatch(/authorization failed/i);
  expect(await denials()).toContainEqual(expect.stringContaining("User:producer is Denied Operation = Read"));
  expect(await denials()).toContainEqual(
    expect.stringContaining("User:consumer is Denied Operation = Write"),
  );
});

/** The error code that each broker answers a fetch from partition 0 with (Fetch 4): who does not lead it, with another one. */
function fetched(user: KafkaUser): Promise<number[]> {
  const offset = Buffer.alloc(8);
  const partition = Buffer.concat([int32(0), offset, int32(1_000)]);
  const wanted = array([Buffer.concat([string("orders"), array([partition])])]);
  const body = Buffer.concat([int32(-1), int32(0), int32(0), int32(1_000), Buffer.of(0), wanted]);
  return Promise.all(
    doors.map(async (one) => {
      const reader = await ask({ ...one, admission: kafkaAdmission(user) }, fetch4, body, NOTICED_MS);
      // The throttle; how many topics, the name; how many partitions, the number.
      reader.int32();
      reader.int32();
      reader.string();
      reader.int32();
      reader.int32();
      return reader.int16();
    }),
  );
}

/** Why a record was not written; undefined: it was. */
async function written(user: KafkaUser): Promise<string | undefined> {
  const producer = await openProducer(kafkaConfig(envOf(user, user)), { deliveryTimeoutMs: 5_000 });
  try {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const record = { topic: "orders", partition: 0, key: null, value: Buffer.from("{}"), headers: [] };
    producer.produce(record, ({ error }) => resolve(error));
    return await promise;
  } finally {
    await producer.close(0);
  }
}

test("what a user has beyond the file is found; one that is taken away is not let in", async () => {
  expect(await beyond(controller, given)).toEqual([]);
  const more: Right = { user: "dead", kind: "group", name: "coffee-orders*", operation: "READ" };
  await grant(controller, [more, { ...more, user: "somebody else" }]);
  await until("it is found", async () => (await beyond(controller, given)).length > 0);
  expect(await beyond(controller, given)).toEqual([more]);
  await revoke(controller, [more]);
  await until("it is gone", async () => (await beyond(controller, given)).length === 0);

  const admission = { ...kafkaAdmission("producer"), username: "short-lived" };
  await setPasswords(controller, { "short-lived": admission.password });
  const admitted = () =>
    Promise.all(doors.map((door) => findController({ ...door, admission }))).then(String, String);
  await until("it is let in", async () => !(await admitted()).includes("not admitted"));
  await setPasswords(controller, {}, ["short-lived"]);
  await until("it is not", async () => (await admitted()).includes("short-lived is not admitted"));
});

test("by a certificate a tier is known and may work; without one, or with another CA's, it is not, and says why", async () => {
  const known = clientsCa.certificate("known");
  const user = "CN=known";
  await grant(controller, [...rightsAs("producer", user), ...rightsAs("consumer", user)]);
  const showing = (certificate?: string) => ({
    KAFKA_BROKERS: knownDoors,
    KAFKA_SECURITY_PROTOCOL: "ssl",
    KAFKA_SSL_CA_LOCATION: secretPath("ca.crt"),
    CONSUMER_GROUP: user,
    ...(certificate && { KAFKA_SSL_CERTIFICATE_LOCATION: certificate, KAFKA_SSL_KEY_LOCATION: certificate }),
  });
  using ledger = temporaryLedger();
  const handled = new Set<string>();
  await using consumer = startTestConsumer(
    { ...showing(known.path), LEDGER_URL: ledger.url },
    async ({ id }) => {
      handled.add(id);
    },
  );
  await using intake = startIntake(showing(known.path));
  await intake.ready();
  const { id } = (await (await intake.post(anOrder)).json()) as { id: string };
  await until("it is handled", () => handled.has(id));
  expect(consumer.unready()).toBeUndefined();

  const foreign = credentials.newCa("strangers").certificate("known");
  const required = "alert (certificate required|bad certificate)";
  await Promise.all(
    (
      [
        ["producer", showing(), required],
        ["consumer", showing(foreign.path), `${required}.*: No matching issuer found`],
      ] as const
    ).map(async ([tier, env, words]) => {
      await using one = start(tier, env);
      let told: string | undefined;
      const says = async () => {
        told = await one.unready();
        return new RegExp(words).test(told ?? "");
      };
      await until(`the ${tier} says ${words}`, says).catch((error) => {
        throw new Error(`it says «${told}»`, { cause: error });
      });
    }),
  );
});

const cases = given
  .filter(({ user }) => user === "producer" || user === "consumer")
  .map(({ user: tier }, n) => ({ tier, user: `${tier}-${n}` }));

test("each right that is taken away is missed by name, and what is there again is used", async () => {
  const { password } = kafkaAdmission("producer");
  await setPasswords(controller, Object.fromEntries(cases.map(({ user }) => [user, password])));
  const left: string[] = [];
  await Promise.all(
    cases.map(async ({ tier, user }, n) => {
      const rights = rightsAs(tier, user);
      const first = cases.findIndex((one) => one.tier === tier);
      const right = rights[n - first] as Right;
      await grant(controller, rights);
      await using one = start(tier, { ...envOf(user, "producer"), CONSUMER_GROUP: user });
      await until(`${user} is ready`, async () => (await one.unready()) === undefined);
      await revoke(controller, [right]);
      let told: string | undefined;
      await until(
        `${user} misses ${right.operation}`,
        async () => {
          told = await one.unready();
          return told?.includes(words(right));
        },
        NOTICED_MS,
      ).catch(() => left.push(`${right.user} ${right.kind} ${right.name} ${right.operation}: ${told}`));
      await grant(controller, [right]);
      await until(`${user} is ready again`, async () => (await one.unready()) === undefined);
    }),
  );
  expect(left).toEqual([]);
});
