// What happened between two looks, as the timeline tells it.
import { expect, test } from "bun:test";
import type { Instance, Partition, StageState } from "../page/state.ts";
import { changesOf } from "./changes.ts";

const up: Instance = { tier: "broker", state: "up", why: "", struck: [], role: "" };
const partition = (leader: number, owner?: string): Partition => ({
  ...{ leader, epoch: 4 + leader, replicas: [1, 2, 3], inSync: [1, 2, 3], owner },
  ...{ lag: 0, oldestS: 0, ratePerS: 0, polledPerS: 0 },
});
const look = (changes: Partial<StageState>) =>
  ({
    instances: { kafka1: up, kafka2: up },
    partitions: { 0: partition(1, "consumer-1"), 1: partition(2, "consumer-1") },
    ...{ controller: 1, group: { state: "Stable", members: 1 }, verdict: { status: "good" } },
    ...changes,
  }) as StageState;

test("nothing happened", () => {
  expect(changesOf(look({}), look({}))).toEqual([]);
});

test("an instance is down, gone, or well again", () => {
  const down = look({ instances: { kafka1: { ...up, state: "down", why: "killed" }, kafka2: up } });
  expect(changesOf(look({}), down)).toEqual([["change", "kafka1 is down: killed"]]);
  expect(changesOf(down, look({}))).toEqual([["change", "kafka1 is up"]]);
  expect(changesOf(look({}), look({ instances: { kafka2: up } }))).toEqual([["change", "kafka1 is gone"]]);
});

test("leaders, the controller and owners move", () => {
  const partitions = { 0: partition(-1, "consumer-2"), 1: partition(3, "consumer-1") };
  expect(changesOf(look({}), look({ partitions, controller: 2 }))).toEqual([
    ["change", "partitions 0 have no leader"],
    ["change", "partitions 1 are led by kafka3, epoch 7"],
    ["change", "kafka2 is the controller"],
    ["change", "consumer-2 takes partitions 0"],
  ]);
});

test("the verdict changes", () => {
  const blind = look({ verdict: { status: "blind" } as StageState["verdict"] });
  expect(changesOf(look({}), blind)).toEqual([["change", "it can't be known whether anything is lost"]]);
  expect(changesOf(blind, look({}))).toEqual([["verdict", "everything accepted is accounted for"]]);
  const broken = look({ verdict: { status: "broken" } as StageState["verdict"] });
  // As what went wrong: not in the colour of what is well.
  expect(changesOf(blind, broken)).toEqual([["error", "the promise is broken"]]);
});
