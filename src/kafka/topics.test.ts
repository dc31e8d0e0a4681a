import { expect, test } from "bun:test";
import { kafkaConfig } from "../config.ts";
import { anOrder } from "../sample.ts";
import { orderId } from "../wire/order-id.ts";
import { recordOf } from "../wire/record.ts";
import { longestBatchBytes } from "./topics.ts";

/** W3C Trace Context: 55 characters of traceparent, 512 of tracestate, and the names. */
const traceBytes = 55 + 512 + "traceparent".length + "tracestate".length;
/** Kafka's record and batch, at their longest (RD_KAFKAP_MSGSET_V2_SIZE, RD_KAFKAP_MESSAGE_V2_MAX_OVERHEAD). */
const kafkaBytes = 61 + 36;
/** Two lengths of at most five bytes for each header. */
const headerBytes = 10;

test("the longest order fits into the longest batch, with all that is added to it", () => {
  const config = kafkaConfig({ KAFKA_BROKERS: "localhost:9092", MAX_BODY_BYTES: "1048576" });
  const { key, value, headers, sharedHeaders = [] } = recordOf(anOrder, orderId("c", "k"), "orders");
  const pairs = [...headers, ...sharedHeaders].flatMap((header) => Object.entries(header));
  const added =
    `${key}${value}`.length -
    JSON.stringify(anOrder).length +
    pairs.reduce((sum, [name, text]) => sum + name.length + (text?.length ?? 0) + headerBytes, 0);
  const longest = config.MAX_BODY_BYTES + added + traceBytes + 2 * headerBytes + kafkaBytes;
  expect(longest).toBeLessThanOrEqual(longestBatchBytes(config, config.ORDERS_TOPIC));
  // Small orders go together, and a topic that takes each may not take them all.
  const usual = kafkaConfig({ KAFKA_BROKERS: "localhost:9092" });
  expect(longestBatchBytes(usual, usual.ORDERS_TOPIC)).toBe(1_000_000);
  expect(longestBatchBytes(usual, usual.DEAD_TOPIC)).toBeGreaterThan(1_000_000);
});
