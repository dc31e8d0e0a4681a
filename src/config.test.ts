import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTier } from "../testing/tier-process.ts";
import { ConfigError, consumerConfig, kafkaConfig, producerConfig } from "./config.ts";

const brokers = { KAFKA_BROKERS: "kafka-1:9092,10.0.0.2:9092,[::1]:9092" };
const ledger = { LEDGER_URL: "sqlite:/tmp/ledger.sqlite" };

/** The lines of the message that lists the faults; none when there are none. */
function faultsOf(read: () => unknown): string[] {
  try {
    read();
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message.split("\n").slice(1);
  }
}

test("what is required suffices, the rest has defaults", () => {
  expect(producerConfig(brokers)).toMatchObject({
    ...brokers,
    HTTP_PORT: 3000,
    PARTITIONER: "batch",
    REPLICATION_FACTOR: 3,
    MIN_INSYNC_REPLICAS: 2,
    KAFKA_SECURITY_PROTOCOL: "plaintext",
  });
  expect(consumerConfig({ ...brokers, ...ledger })).toMatchObject({ HTTP_PORT: 3001, ...ledger });
  expect(kafkaConfig(brokers)).toMatchObject({ ORDERS_TOPIC: "orders", DEAD_TOPIC: "orders.dead" });
});

test("variables of others are left alone", () => {
  expect(producerConfig({ ...brokers, PATH: "/bin", LEDGER_URL: "nonsense" })).not.toContainKey("PATH");
});

test("every fault is in one message, each with what is expected", () => {
  const faults = faultsOf(() =>
    consumerConfig({
      KAFKA_BROKERS: "kafka-1",
      LEDGER_URL: "mysql://x",
      HANDLER_CONCURRENCY: "0",
      KAFKA_SECURITY_PROTOCOL: "tls",
      LOG_LEVEL: "loud",
      HTTP_PORT: "65536",
    }),
  );
  expect(faults).toHaveLength(6);
  for (const [name, expected] of [
    ["KAFKA_BROKERS", "host:port,host:port"],
    ["LEDGER_URL", "postgres://user:password@host:port/database or sqlite:PATH"],
    ["HANDLER_CONCURRENCY", "a whole number from 1 to 256"],
    ["KAFKA_SECURITY_PROTOCOL", "one of plaintext, ssl, sasl_plaintext, sasl_ssl"],
    ["LOG_LEVEL", "one of info, trace, debug, warn, error, fatal"],
    ["HTTP_PORT", "a whole number from 0 to 65535"],
  ])
    expect(faults.filter((line) => line.trim().startsWith(`${name} is malformed`))).toEqual([
      expect.stringContaining(expected as string),
    ]);
});

test("an empty variable is one that is not set", () => {
  expect(producerConfig({ ...brokers, HTTP_PORT: "", INSTANCE: "" })).toEqual(producerConfig(brokers));
  expect(faultsOf(() => producerConfig({ KAFKA_BROKERS: "" }))).toEqual([
    expect.stringContaining("KAFKA_BROKERS is missing"),
  ]);
});

test("secrets are not printed", () => {
  const faults = faultsOf(() =>
    consumerConfig({
      ...brokers,
      LEDGER_URL: "mysql://user:s3cret@db",
      KAFKA_SECURITY_PROTOCOL: "sasl_ssl",
      KAFKA_SASL_PASSWORD: "s3cret",
    }),
  );
  expect(faults).toHaveLength(2); // the ledger, and the user that is missing
  expect(faults.join()).not.toContain("s3cret");
});

test.each(["3000.5", "1e3", "0x10", "true", " 3000 ", "3000abc", "-1", "1000000000000000000000"])(
  "%j is no port",
  (text) => {
    expect(faultsOf(() => producerConfig({ ...brokers, HTTP_PORT: text }))).toHaveLength(1);
  },
);

test.each([
  "kafka-1",
  "kafka-1:",
  ":9092",
  "kafka-1:9092,",
  "a:1 b:2",
  "a:1,,b:2",
  "::1:9092",
  "kafka://a:1",
  "a:0",
  "a:1,b:65536",
  "a:190920",
])("%j names no brokers", (text) => {
  expect(faultsOf(() => kafkaConfig({ KAFKA_BROKERS: text }))).toHaveLength(1);
});

test.each(["orders ", "orders\n", "a b", "orders!", "öl", "a".repeat(250)])("%j is no topic", (text) => {
  for (const name of ["ORDERS_TOPIC", "DEAD_TOPIC"])
    expect(faultsOf(() => kafkaConfig({ ...brokers, [name]: text }))).toHaveLength(1);
});

describe("what only makes sense together", () => {
  const ssl = { KAFKA_SECURITY_PROTOCOL: "ssl" };
  const pem = import.meta.path;
  const user = { KAFKA_SASL_USERNAME: "u", KAFKA_SASL_PASSWORD: "p" };
  test.each<[string, Record<string, string>]>([
    ["KAFKA_SASL_USERNAME", { KAFKA_SECURITY_PROTOCOL: "sasl_plaintext", KAFKA_SASL_PASSWORD: "p" }],
    ["KAFKA_SASL_PASSWORD", { KAFKA_SECURITY_PROTOCOL: "sasl_ssl", KAFKA_SASL_USERNAME: "u" }],
    ["set it to sasl_ssl", user],
    ["set it to sasl_ssl", { ...ssl, KAFKA_SASL_PASSWORD: "p" }],
    ["KAFKA_SSL_KEY_LOCATION is missing", { ...ssl, KAFKA_SSL_CERTIFICATE_LOCATION: pem }],
    ["KAFKA_SSL_CERTIFICATE_LOCATION is missing", { ...ssl, KAFKA_SSL_KEY_LOCATION: pem }],
    ["KAFKA_SSL_CA_LOCATION=/no/ca.pem is no file here", { ...ssl, KAFKA_SSL_CA_LOCATION: "/no/ca.pem" }],
    ["set it to ssl", { KAFKA_SSL_CA_LOCATION: pem }],
    ["set it to ssl", { KAFKA_SECURITY_PROTOCOL: "sasl_plaintext", ...user, KAFKA_SSL_CA_LOCATION: pem }],
    ["set it to ssl", { KAFKA_SSL_CERTIFICATE_LOCATION: pem, KAFKA_SSL_KEY_LOCATION: pem }],
    ["MIN_INSYNC_REPLICAS", { REPLICATION_FACTOR: "1" }],
    ["MIN_INSYNC_REPLICAS", { MIN_INSYNC_REPLICAS: "4" }],
    ["DEAD_TOPIC", { ORDERS_TOPIC: "t", DEAD_TOPIC: "t" }],
    ["DRAIN_NOTICE_MS", { DRAIN_NOTICE_MS: "4000", DRAIN_TIMEOUT_MS: "5000" }],
  ])("%s with %j", (name, env) => {
    expect(faultsOf(() => producerConfig({ ...brokers, ...env }))).toEqual([expect.stringContaining(name)]);
  });
});

test.each([
  // The group whose offsets are asked for would be another one: librdkafka leaves the blank out.
  ["CONSUMER_GROUP is malformed", { CONSUMER_GROUP: " orders" }],
  ["RETRY_BASE_MS=60000 exceeds RETRY_MAX_MS=10000", { RETRY_BASE_MS: "60000" }],
])("%s with %j", (fault, env) => {
  expect(faultsOf(() => consumerConfig({ ...brokers, ...ledger, ...env }))).toEqual([
    expect.stringContaining(fault),
  ]);
});

test("a secret may lie in a file; what can't be read, or is malformed there, is told without its text", () => {
  const folder = mkdtempSync(join(tmpdir(), "coffee-orders-config-"));
  const file = join(folder, "url");
  const env = { ...brokers, LEDGER_URL_FILE: file };
  try {
    expect(() => consumerConfig(env)).toThrow(/LEDGER_URL_FILE can not be read: ENOENT/);
    writeFileSync(file, "postgres://u:secret@h/d\n");
    expect(consumerConfig(env).LEDGER_URL).toBe("postgres://u:secret@h/d");
    expect(consumerConfig({ ...env, LEDGER_URL: "sqlite:x" }).LEDGER_URL).toBe("sqlite:x");
    // Each restart would forget what is done, and do it again.
    for (const url of ["sqlite::memory:", "sqlite: ", "sqlite: :memory:", "sqlite:/ledger.sqlite "])
      expect(faultsOf(() => consumerConfig({ ...env, LEDGER_URL: url }))).toEqual([
        expect.stringMatching(/LEDGER_URL is malformed; .* or sqlite:PATH, a file/),
      ]);
    writeFileSync(file, "secret");
    expect(faultsOf(() => consumerConfig(env))).toEqual([
      expect.stringMatching(/^ {2}LEDGER_URL is malformed; /),
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.each([
  ["producer", ["KAFKA_BROKERS"]],
  ["consumer", ["KAFKA_BROKERS", "LEDGER_URL"]],
] as const)("a %s with nothing set ends with exit 1 and one message", async (entry, missing) => {
  await using tier = startTier(entry, {});
  expect(await tier.exited).toBe(1);
  expect(tier.stderr().trim().split("\n")).toEqual([
    expect.stringContaining("the environment is faulty"),
    ...missing.map((name) => expect.stringContaining(`${name} is missing`)),
  ]);
});
