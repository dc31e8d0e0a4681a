/** The only reader of the environment. A tier starts with all of it valid or not at all. A setting keeps its variable's name. */
import { existsSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { type SchemaOptions, type Static, type TObject, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { expectedOf, oneOf } from "./wire/words.ts";

const text = (description: string, options = {}) => Type.String({ minLength: 1, description, ...options });

/** One of some words, the first by default. */
const choice = <const T extends readonly string[]>(description: string, ...words: T) =>
  oneOf(words, { default: words[0], description });

const between = (description: string, minimum: number, maximum: number, options = {}) =>
  Type.Integer({ description, minimum, maximum, ...options });
const whole = (description: string, fallback: number, minimum: number, maximum: number) =>
  between(description, minimum, maximum, { default: fallback });

const minuteMs = 60_000;
export const dayMs = 1_440 * minuteMs;

/** Part of the HTTP interface, and so the same everywhere: most orders in one POST /orders/batch, and its longest body in bytes. */
export const maxBatchOrders = 1_000;
export const maxBatchBytes = 1_048_576;

/** The last part of a producer's drain: whoever waits for an order is answered, be it that its fate is unknown. */
export const drainAnswerMs = 1_000;

const port = "([1-9]\\d{0,3}|[1-5]\\d{4}|6[0-4]\\d{3}|65[0-4]\\d\\d|655[0-2]\\d|6553[0-5])";
/** Each a name or an IPv4 address, or an IPv6 address in brackets. */
const brokers = { pattern: `^(([^\\s,:\\[\\]]+|\\[[0-9a-fA-F:.]+\\]):${port}(,(?!$)|$))+$` };
const topic = { pattern: "^[\\w.-]{1,249}$" };
/** SQLite's client takes blanks off a path: what is left may be none, or no file. */
const ledger = { pattern: "^(postgres(ql)?://.+|sqlite:(?!:memory:)\\S(.*\\S)?)$" };

const kafkaSchema = Type.Object({
  KAFKA_BROKERS: text("the brokers to start from, host:port,host:port", brokers),
  KAFKA_SECURITY_PROTOCOL: choice("security.protocol", "plaintext", "ssl", "sasl_plaintext", "sasl_ssl"),
  KAFKA_SASL_MECHANISM: choice("SASL mechanism", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
  KAFKA_SASL_USERNAME: Type.Optional(text("SASL user")),
  KAFKA_SASL_PASSWORD: Type.Optional(text("SASL password")),
  KAFKA_SSL_CA_LOCATION: Type.Optional(text("file of the CA that signed the brokers' certificates")),
  KAFKA_SSL_CERTIFICATE_LOCATION: Type.Optional(text("PEM file of the certificate that brokers are shown")),
  KAFKA_SSL_KEY_LOCATION: Type.Optional(text("PEM file of the key of KAFKA_SSL_CERTIFICATE_LOCATION")),
  KAFKA_SSL_KEY_PASSWORD: Type.Optional(text("password of KAFKA_SSL_KEY_LOCATION, where it has one")),
  ORDERS_TOPIC: text("topic of accepted orders", { default: "orders", ...topic }),
  DEAD_TOPIC: text("topic of dead letters", { default: "orders.dead", ...topic }),
  TOPIC_PARTITIONS: whole("partitions of a topic that is created", 12, 1, 1_000),
  REPLICATION_FACTOR: whole("replicas that each partition must have", 3, 1, 10),
  // 1 is the least that Kafka allows: then nothing is asked of the topics' configuration.
  MIN_INSYNC_REPLICAS: whole("min.insync.replicas that the topics must have", 2, 1, 10),
  // What is not handled by then is gone: it must outlast the longest time that the consumers may be down.
  MIN_RETENTION_MS: whole("retention.ms that the topics must have, unless it is -1", dayMs, 0, 3_650 * dayMs),
  TOPIC_CHECK_MS: whole("time between two checks of a topic and of the rights there", 5_000, 1_000, 600_000),
  MAX_BODY_BYTES: whole("longest body of one order, which the topic must take", 8_192, 256, 1_048_576),
  LOG_LEVEL: choice("least severe level that is logged", "info", "trace", "debug", "warn", "error", "fatal"),
});

const tier = {
  ...kafkaSchema.properties,
  INSTANCE: text("name of this instance in logs and metrics", { default: hostname() }),
  HTTP_HOST: text("address to listen on", { default: "127.0.0.1" }),
  DRAIN_TIMEOUT_MS: whole("longest shutdown; after it exit 1", 30_000, 1_000, 10 * minuteMs),
};

const producerSchema = Type.Object({
  ...tier,
  HTTP_PORT: whole("port to listen on, 0 for any", 3000, 0, 65_535),
  PARTITIONER: choice("how a partition is chosen", "batch", "customer"),
  BATCH_WINDOW_MS: whole("longest that an order is held back to be sent with others", 100, 0, 1_000),
  DELIVERY_TIMEOUT_MS: whole("message.timeout.ms, and longest until an answer", 20_000, 1_000, 5 * minuteMs),
  DRAIN_NOTICE_MS: whole("time for the balancer to notice, before refusing", 3_000, 0, minuteMs),
  // For a stall; in overload OVERLOAD_AFTER_MS limits to less. The balancer refuses before this bound is reached
  // (lb/haproxy.cfg): it is what that lets through one by one, and half of it for batches.
  MAX_IN_FLIGHT_ORDERS: whole("most orders waiting for their acknowledgement", 4_000, 1, 1_000_000),
  // Batches may have half of it, so no less than two of the longest.
  MAX_IN_FLIGHT_BYTES: whole("bytes of them and of bodies being read", 2 ** 25, 2 * maxBatchBytes, 2 ** 30),
  OVERLOAD_AFTER_MS: whole("longest that an acknowledgement should take", 2_000, 10, 10 * minuteMs),
});

const consumerSchema = Type.Object({
  ...tier,
  HTTP_PORT: whole("port to listen on, 0 for any", 3001, 0, 65_535),
  LEDGER_URL: text("the ledger, postgres://user:password@host:port/database or sqlite:PATH, a file", ledger),
  CONSUMER_GROUP: text("Kafka's group.id, no blank first", { default: "coffee-orders", pattern: "^\\S" }),
  SESSION_TIMEOUT_MS: whole("Kafka's session.timeout.ms", 10_000, 6_000, 5 * minuteMs),
  HANDLER_CONCURRENCY: whole("ledger transactions under way at once", 4, 1, 256),
  EFFECT_CONCURRENCY: whole("effects outside the ledger under way at once", 64, 1, 10_000),
  HANDLER_TIMEOUT_MS: whole("deadline of one attempt to handle an order", 10_000, 10, 10 * minuteMs),
  HANDLER_ATTEMPTS: whole("attempts before an order becomes a dead letter", 10, 1, 100),
  RETRY_BASE_MS: whole("wait after the first failed attempt; doubles with each", 100, 1, minuteMs),
  RETRY_MAX_MS: whole("longest wait between attempts", 10_000, 1, 10 * minuteMs),
  RETRY_TIMEOUT_MS: whole("time from the first failed attempt to the last", 2 * minuteMs, 0, 60 * minuteMs),
  // Without it, 30 days beyond what can come again from the topics.
  LEDGER_RETENTION_DAYS: Type.Optional(between("time that the ledger keeps an order's row", 1, 36_500)),
  LEDGER_BATCH_ORDERS: whole("most orders in one ledger transaction", 500, 1, 5_000),
  BACKLOG_RECORDS: whole("records held for a partition before it is paused", 4_000, 1, 1_000_000),
  BACKLOG_BYTES: whole("bytes of records held, shared by the partitions", 2 ** 26, 1, 2 ** 40),
});

export type ProducerConfig = Static<typeof producerSchema>;
export type ConsumerConfig = Static<typeof consumerSchema>;
export type KafkaConfig = Static<typeof kafkaSchema>;

/** Every fault of the environment in one message, one line each, with what is expected. */
export class ConfigError extends Error {}

function read<T extends TObject>(schema: T, env: NodeJS.ProcessEnv): Static<T> {
  const given = Object.entries(schema.properties).flatMap(([name, { type }]) => {
    const text = textOf(name, env);
    return text ? [[name, type === "integer" && decimal.test(text) ? Number(text) : text]] : [];
  });
  const value = Value.Default(schema, Object.fromEntries(given)) as Record<string, unknown>;
  const faulty = new Set([...Value.Errors(schema, value)].map(({ path }) => path.slice(1)));
  const { KAFKA_SECURITY_PROTOCOL: protocol, KAFKA_SSL_CERTIFICATE_LOCATION: certificate } = value;
  const needed = [
    ...(String(protocol).startsWith("sasl") ? ["KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"] : []),
    ...(value.KAFKA_SSL_KEY_LOCATION ? ["KAFKA_SSL_CERTIFICATE_LOCATION"] : []),
    ...(certificate || value.KAFKA_SSL_KEY_PASSWORD ? ["KAFKA_SSL_KEY_LOCATION"] : []),
  ];
  for (const name of needed) if (value[name] === undefined) faulty.add(name);
  const faults = [...faulty].map((name) => faultOf(name, schema.properties[name] ?? {}, textOf(name, env)));
  for (const [name, path] of Object.entries(value))
    if (name.endsWith("_LOCATION") && !existsSync(`${path}`)) faults.push(`${name}=${path} is no file here`);
  if ((certificate || value.KAFKA_SSL_CA_LOCATION) && !String(protocol).endsWith("ssl"))
    faults.push(`KAFKA_SECURITY_PROTOCOL=${protocol} has no certificates: set it to ssl or sasl_ssl`);
  if ((value.KAFKA_SASL_USERNAME || value.KAFKA_SASL_PASSWORD) && !String(protocol).startsWith("sasl"))
    faults.push(`KAFKA_SECURITY_PROTOCOL=${protocol} names no user: set it to sasl_ssl or sasl_plaintext`);
  for (const [less, more] of Object.entries(notAbove))
    if (Number(value[less]) > Number(value[more]))
      faults.push(`${less}=${value[less]} exceeds ${more}=${value[more]}`);
  if (value.ORDERS_TOPIC === value.DEAD_TOPIC)
    faults.push(`DEAD_TOPIC=${value.DEAD_TOPIC} is ORDERS_TOPIC too: dead letters would come back`);
  if (Number(value.DRAIN_NOTICE_MS) + drainAnswerMs >= Number(value.DRAIN_TIMEOUT_MS))
    faults.push("DRAIN_NOTICE_MS leaves nothing of DRAIN_TIMEOUT_MS to drain in");
  if (faults.length > 0)
    throw new ConfigError(`cannot start, the environment is faulty:\n  ${faults.join("\n  ")}`);
  return value as Static<T>;
}

const notAbove = { MIN_INSYNC_REPLICAS: "REPLICATION_FACTOR", RETRY_BASE_MS: "RETRY_MAX_MS" };
/** What a number is written as: 1e3 or a word is none. */
const decimal = /^-?\d+(\.\d+)?$/;
const isSecret = (name: string) => name.endsWith("PASSWORD") || name.endsWith("URL");

/** A secret may lie in a file, which NAME_FILE names: what is in the environment many can see. */
function textOf(name: string, env: NodeJS.ProcessEnv): string | undefined {
  const path = (isSecret(name) || name.endsWith("USERNAME")) && env[`${name}_FILE`];
  if (!path || env[name]) return env[name];
  try {
    return readFileSync(path, "utf8").trimEnd();
  } catch (error) {
    throw new ConfigError(`cannot start, ${name}_FILE can not be read: ${(error as Error).message}`);
  }
}

function faultOf(name: string, schema: SchemaOptions, given: string | undefined): string {
  const state = given ? `is malformed${isSecret(name) ? "" : `: ${JSON.stringify(given)}`}` : "is missing";
  const isNumber = schema.type === "integer";
  const values = isNumber ? `a whole number from ${schema.minimum} to ${schema.maximum}` : expectedOf(schema);
  return `${name} ${state}; expected: ${schema.description}${values ? ` (${values})` : ""}`;
}

/** The settings of a tier, or of whatever only talks to Kafka. @throws ConfigError listing every fault. */
export const producerConfig = (env = process.env): ProducerConfig => read(producerSchema, env);
export const consumerConfig = (env = process.env): ConsumerConfig => read(consumerSchema, env);
export const kafkaConfig = (env = process.env): KafkaConfig => read(kafkaSchema, env);
