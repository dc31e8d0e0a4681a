// Producers die, drain and hang under load, and the balancer itself is reloaded: no client sees any of it. The client
// never tries again, so that every success is the balancer's; its record is compared with what lies on the topic.
import { expect, test } from "bun:test";
import { until } from "../kit/until.ts";
import { startBalancer } from "../testing/balancer.ts";
import { type Load, startLoad, type Told } from "../testing/load.ts";
import { type Cluster, startCluster } from "./testing/cluster.ts";
import { startProducers } from "./testing/producers.ts";

const ratePerS = 300;

/** Brokers whose acknowledgements take a while, so that whoever dies has orders in its hands. */
function startSlowCluster(): Cluster {
  const cluster = startCluster();
  cluster.slow(40);
  return cluster;
}

const recorded = (load: Load, more: number) => {
  const wanted = load.record.length + more;
  return until(`${more} more orders are answered`, () => load.record.length >= wanted);
};

/** Every request was accepted, and each id that was told is on the topic, in so many copies. */
async function expectAllAccepted(
  record: readonly Told[],
  cluster: Cluster,
): Promise<{ orders: number; copies: number }> {
  expect(record.filter(({ status }) => status !== 202)).toEqual([]);
  cluster.slow(0);
  const keys = (await cluster.read("orders")).map(({ key }) => String(key));
  expect([...new Set(keys)].sort()).toEqual(record.map(({ id }) => String(id)).sort());
  return { orders: record.length, copies: keys.length };
}

// How soon that is follows from the configuration: haproxy.cfg.test.ts.
test("kill -9 of one: no failed request, and it gets no more once that is noticed", async () => {
  using cluster = startSlowCluster();
  await using producers = await startProducers(cluster.env);
  await using balancer = await startBalancer({ producers: producers.ports });
  await using load = startLoad(balancer.port, ratePerS);
  await recorded(load, 300);

  producers.number(2).signal("SIGKILL");
  await balancer.producerIs(2, "DOWN");
  await recorded(load, 300);

  const { orders, copies } = await expectAllAccepted(await load.stop(), cluster);
  // It did have orders in its hands, and they were sent to another one.
  const { wretr, wredis } = await balancer.row("producers", "BACKEND");
  expect(Number(wretr) + Number(wredis)).toBeGreaterThan(0);
  // Those alone may be there twice, under the same id.
  expect(copies - orders).toBeLessThanOrEqual(Number(wretr));
});

test("SIGTERM of one: no failed request, nothing doubled", async () => {
  using cluster = startSlowCluster();
  await using producers = await startProducers(cluster.env);
  await using balancer = await startBalancer({ producers: producers.ports });
  await using load = startLoad(balancer.port, ratePerS);
  await recorded(load, 300);

  producers.number(1).signal("SIGTERM");
  expect(await producers.number(1).exited).toBe(0);
  await recorded(load, 300);

  const { orders, copies } = await expectAllAccepted(await load.stop(), cluster);
  expect(copies).toBe(orders);
});

test("SIGTERM of all three in turn, each started again: no failed request, nothing doubled", async () => {
  using cluster = startSlowCluster();
  await using producers = await startProducers(cluster.env);
  await using balancer = await startBalancer({ producers: producers.ports });
  await using load = startLoad(balancer.port, ratePerS);
  await recorded(load, 300);

  for (const n of [1, 2, 3]) {
    producers.number(n).signal("SIGTERM");
    expect(await producers.number(n).exited).toBe(0);
    await balancer.producerIs(n, "DOWN");
    producers.restart(n);
    await balancer.producerIs(n, "UP");
  }
  await recorded(load, 300);

  const { orders, copies } = await expectAllAccepted(await load.stop(), cluster);
  expect(copies).toBe(orders);
});

test("one that hangs is ejected, and what it had is sent to another one", async () => {
  using cluster = startSlowCluster();
  await using producers = await startProducers(cluster.env);
  await using balancer = await startBalancer({
    producers: producers.ports,
    replace: { "timeout server 7500ms": "timeout server 2s" },
  });
  await using load = startLoad(balancer.port, ratePerS);
  await recorded(load, 300);

  producers.number(3).signal("SIGSTOP");
  await balancer.producerIs(3, "DOWN");
  await recorded(load, 300);

  const record = await load.stop();
  producers.number(3).signal("SIGCONT");
  await expectAllAccepted(record, cluster);
  expect(record.some(({ latencyMs }) => latencyMs > 2_000)).toBe(true);
});

test("the configuration is reloaded: no failed request", async () => {
  using cluster = startSlowCluster();
  await using producers = await startProducers(cluster.env);
  await using balancer = await startBalancer({ producers: producers.ports });
  await using load = startLoad(balancer.port, ratePerS);
  await recorded(load, 300);

  for (const workers of [2, 3]) {
    balancer.signal("SIGUSR2");
    await until("another worker runs", () => balancer.log().match(/Loading success/g)?.length === workers);
    await recorded(load, 300);
  }

  const { orders, copies } = await expectAllAccepted(await load.stop(), cluster);
  expect(copies).toBe(orders);
});
