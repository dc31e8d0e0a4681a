// What two consumers tell of themselves: for every partition one owner, and where it stands, whether or not anything
// was delivered to that owner.
import { expect, setDefaultTimeout, test } from "bun:test";
import { until } from "../../kit/until.ts";
import { startOrdersCluster } from "../../testing/kafka.ts";
import {
  newPlace,
  recordOf,
  recordsOf,
  startTestConsumer,
  type TestConsumer,
} from "../../testing/test-consumer.ts";

setDefaultTimeout(120_000);

type Standing = { owner: string } & Record<"position" | "committed" | "lag_records", number>;

/** Where each partition stands, by what its owners tell; an entry for each owner that tells of it. */
async function standings(consumers: Record<string, TestConsumer>): Promise<Map<number, Standing[]>> {
  const found = new Map<number, Standing[]>();
  for (const [owner, consumer] of Object.entries(consumers)) {
    const own = new Map<number, Standing>();
    const text = await (await consumer.request("/metrics")).text();
    for (const [, what = "", partition, value] of text.matchAll(
      /^kafka_partition_(\w+)\{[^}]*partition="(\d+)"[^}]*\} (\d+)$/gm,
    ))
      own.set(Number(partition), {
        ...(own.get(Number(partition)) ?? { owner }),
        [what]: Number(value),
      } as Standing);
    for (const [partition, standing] of own)
      found.set(partition, [...(found.get(partition) ?? []), standing]);
  }
  return found;
}

test("each partition has one owner and a place, from its assignment on", async () => {
  const cluster = startOrdersCluster();
  using place = newPlace(cluster);
  // Partition p gets p + 1 records.
  const records = recordsOf(144).filter((_, n) => Math.floor(n / 12) <= n % 12);
  await place.put(records);
  const at = (partition: number) => partition + 1;
  {
    await using first = startTestConsumer(place.env);
    await place.commits(records.length);
    await using second = startTestConsumer(place.env);
    // Nothing is delivered to the second: it knows from the group where it stands.
    await until(
      "they share, and tell where they stand",
      async () => {
        const all = [...(await standings({ first, second }))];
        const stands = ([partition, [one, ...more]]: (typeof all)[number]) =>
          more.length === 0 &&
          one?.position === at(partition) &&
          one.committed === at(partition) &&
          one.lag_records === 0;
        return (
          all.length === 12 && all.every(stands) && new Set(all.map(([, [one]]) => one?.owner)).size === 2
        );
      },
      // The mock cluster takes 5 s for each of the two rounds.
      40_000,
    );
    for (const [standing] of (await standings({ first, second })).values())
      expect(standing?.lag_records).toBe(0);
    expect(await second.metric("orders_handled_total")).toBe(0);
    expect(await first.metric("kafka_rebalances_total")).toBeGreaterThanOrEqual(2);
    expect(await first.metric("kafka_revocation_duration_seconds_count")).toBe(1);
  }

  // What nobody has finished is lag.
  await place.put(Array.from({ length: 24 }, (_, n) => recordOf(`new ${n}`, { partition: n % 12 })));
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  await using stuck = startTestConsumer(place.env, () => released);
  await until("the lag is told", async () => {
    const all = [...(await standings({ stuck }))];
    const lags = ([partition, [one]]: (typeof all)[number]) =>
      one?.committed === at(partition) && one.lag_records === 2;
    return all.length === 12 && all.every(lags);
  });
  release();
  await place.commits(records.length + 24);
  cluster.close();
});
