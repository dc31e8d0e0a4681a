import { type OrdersCluster, startOrdersCluster } from "../../testing/kafka.ts";

export type Cluster = OrdersCluster & {
  /** Makes every broker's answer take so long. */
  slow(rttMs: number): void;
  [Symbol.dispose](): void;
};

/** A mock cluster that ends with its scope. */
export function startCluster(): Cluster {
  const cluster = startOrdersCluster();
  return {
    ...cluster,
    slow(rttMs) {
      for (const broker of [1, 2, 3]) cluster.setBrokerRttMs(broker, rttMs);
    },
    [Symbol.dispose]: () => cluster.close(),
  };
}
