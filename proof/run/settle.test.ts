import { expect, test } from "bun:test";
import type { Cluster, PartitionReplicas } from "../system/cluster.ts";
import { missingIn } from "./settle.ts";

const partition = (changes: Partial<PartitionReplicas> = {}): PartitionReplicas => ({
  ...{ topic: "orders", partition: 0, leader: 1, epoch: 1, replicas: [1, 2, 3], inSync: [1, 2, 3] },
  ...changes,
});

const view = (changes: Partial<Cluster> = {}): Cluster => ({
  ...{ controller: 1, coordinator: 2, groupState: "Stable", members: 3 },
  partitions: [partition(), partition({ partition: 1, leader: 2 })],
  ...changes,
});

test("a cluster is whole when every broker sees the same, and nothing missing", () => {
  const reversed = view({ partitions: view().partitions.toReversed() });
  expect(missingIn([view(), view(), reversed], 3)).toEqual([]);
});

test.each([
  ["a replica is behind", { partitions: [partition({ inSync: [1, 2] })] }, "1 partitions with replicas"],
  ["nobody leads", { partitions: [partition({ leader: -1 })] }, "1 partitions without a leader"],
  ["a consumer is missing", { members: 2 }, "group: Stable, 2 members"],
  ["the group is not at rest", { groupState: "PreparingRebalance" }, "group: PreparingRebalance"],
  ["nobody is the controller", { controller: -1 }, "no controller"],
  ["there are no partitions", { partitions: [] }, "no partitions"],
] as const)("it is not when %s by what the last one sees", (_, changes, words) => {
  const found = missingIn([view(), view(), view(changes as Partial<Cluster>)], 3);
  expect(found.join("; ")).toContain(words);
});

test.each([
  ["controller", { controller: 3 }],
  ["coordinator", { coordinator: 3 }],
  ["leader", { partitions: [partition({ leader: 3 }), partition({ partition: 1, leader: 2 })] }],
])("it is not when a broker that has just woken up sees another %s", (_, changes) => {
  expect(missingIn([view(), view(changes), view()], 3)).toEqual(["the brokers do not agree on who leads"]);
});

test("it is not when nobody was asked", () => {
  expect(missingIn([], 3)).not.toEqual([]);
});
