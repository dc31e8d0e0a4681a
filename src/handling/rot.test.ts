/** Records that do not come as they were written, as from a disk that rots: they are waited for, and nobody else waits. */
import { expect, test } from "bun:test";
import { until } from "../../kit/until.ts";
import { startDoor } from "../../testing/brokers/door.ts";
import { startOrdersCluster } from "../../testing/kafka.ts";
import { idOf, recordOf, startTestConsumer, temporaryLedger } from "../../testing/test-consumer.ts";

const rotten = "rotten";
const sound = "sound";

/** What becomes of a batch; at: where a customer stands in it that is called rotten. */
type Damage = (answer: Buffer, at: number) => void;

/** Of a batch (Kafka protocol, RecordBatch): from its first byte to its version. */
const magicAt = 16;

const damages: Record<string, Damage> = {
  "another word in an order": (answer, at) => void answer.write("wooden", at),
  "a batch of a version that there is not": (answer, at) => {
    // It is the last one whose length reaches beyond the order.
    const reaches = (from: number) =>
      answer[from + magicAt] === 2 && from + 12 + answer.readInt32BE(from + 8) > at;
    let from = at - magicAt;
    while (!reaches(from) || answer.readInt32BE(from) !== 0) from -= 1;
    answer[from + magicAt] = 9;
  },
};

test.each(Object.entries(damages))(
  "%s: it is neither handled nor passed over, and handled once it comes as it was written",
  async (_, damaged) => {
    using cluster = startOrdersCluster(1);
    let damage: Damage | undefined = damaged;
    using door = await startDoor(cluster.bootstrap, {
      answer(answer) {
        const at = answer.indexOf(rotten);
        if (at >= 0) damage?.(answer, at);
      },
    });
    using ledger = temporaryLedger();
    const env = { ...cluster.env, KAFKA_BROKERS: door.bootstrap, LEDGER_URL: ledger.url };
    // Each a batch of its own.
    const records = [sound, rotten, sound].map((customer, n) => recordOf(`${n}`, { customer }));
    for (const record of records) await cluster.put("orders", [record]);
    await cluster.put("orders", [recordOf("elsewhere", { customer: sound, partition: 1 })]);
    const seen: string[] = [];
    await using consumer = startTestConsumer(env, async ({ id }) => void seen.push(id));
    await until("the others are handled", () => seen.length === 2);
    await until("it says what it can't read", () => consumer.unready()?.startsWith("partition 0: "));
    const committed = () => cluster.committed("coffee-orders", "orders");
    await until("what is before it is committed", async () => (await committed()) === 2);
    damage = undefined;
    await until("it is ready", () => consumer.unready() === undefined);
    await until("all are committed", async () => (await committed()) === 4);
    expect(seen.slice(2)).toEqual(records.slice(1).map(idOf));
    expect(await consumer.metric("orders_redelivered_total")).toBe(0);
    expect(await cluster.read("orders.dead")).toEqual([]);
  },
  120_000,
);
