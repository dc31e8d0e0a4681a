/** Records that are there and that no broker gives out yet: those behind another producer's open transaction. */
import { expect, test } from "bun:test";
import { until } from "../../kit/until.ts";
import { startDoor } from "../../testing/brokers/door.ts";
import { startOrdersCluster } from "../../testing/kafka.ts";
import { idOf, recordOf, startTestConsumer, temporaryLedger } from "../../testing/test-consumer.ts";

/** Of partition 0 in an answer (Kafka protocol, Fetch): its number, no error, and where its log ends for writers and readers. */
function endsOf(end: number, stable: number): Buffer {
  const ends = Buffer.alloc(22);
  ends.writeBigInt64BE(BigInt(end), 6);
  ends.writeBigInt64BE(BigInt(stable), 14);
  return ends;
}

test("a consumer says where an open transaction keeps it from reading on, and goes on when that has ended", async () => {
  using cluster = startOrdersCluster(1);
  // The mock knows of no transaction's end: a log that is longer than what is read of it looks the same.
  let isOpen = true;
  using door = await startDoor(cluster.bootstrap, {
    answer(answer) {
      const at = answer.indexOf(endsOf(2, 2));
      if (isOpen && at >= 0) endsOf(3, 2).copy(answer, at);
    },
  });
  using ledger = temporaryLedger();
  const env = { ...cluster.env, KAFKA_BROKERS: door.bootstrap, LEDGER_URL: ledger.url };
  const records = [1, 2].map((n) => recordOf(`${n}`));
  await cluster.put("orders", records);
  const seen: string[] = [];
  await using consumer = startTestConsumer(env, async ({ id }) => void seen.push(id));
  await until("what is before it is handled", () => seen.length === 2);
  await until("it says so", () => consumer.unready()?.startsWith("partition 0: an open transaction hides"));
  isOpen = false;
  const later = recordOf("later");
  await cluster.put("orders", [later]);
  await until("it is ready", () => consumer.unready() === undefined);
  await until("what comes later is handled", () => seen.length === 3);
  expect(seen).toEqual([...records, later].map(idOf));
}, 120_000);
