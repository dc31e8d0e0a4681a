// A mock cluster as a process of its own, for clients in other processes: prints its bootstrap on one
// line, then stays until SIGTERM or SIGINT. `bun native/mock-server.ts [how long a new group waits, in ms]`
import { startMockCluster } from "./mock-cluster.ts";

const layout = { partitions: 12, replicationFactor: 3 };
const cluster = startMockCluster({
  topics: { orders: layout, "orders.dead": layout },
  // As brokers have it: consumers that start together get their shares at once. A mock group that already has
  // members takes a new one in only after almost a session timeout.
  groupInitialRebalanceDelayMs: Number(Bun.argv[2] ?? 3_000),
});

const stay = setInterval(() => {}, 60_000); // the brokers' threads alone do not hold the process
const end = () => {
  clearInterval(stay);
  cluster.close();
};
process.once("SIGTERM", end);
process.once("SIGINT", end);
console.log(cluster.bootstrap);
