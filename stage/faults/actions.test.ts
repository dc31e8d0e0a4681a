// What is done from the page, where several things come at once or one goes wrong halfway: on a system that is only described.
import { beforeEach, expect, test } from "bun:test";
import type { Container } from "../../infra/topology.ts";
import type { Instance } from "../../page/state.ts";
import type { System } from "../../proof/system/system.ts";
import type { Source } from "../sources/source.ts";
import { createFeed } from "../testing/feed.ts";
import { createActions } from "./actions.ts";

const names = ["kafka1", "kafka2", "kafka3"];
let states: Map<string, Container["state"]>;
/** What the next call of each kind waits for, or fails with. */
let gates: Partial<Record<"list" | "pause" | "unpause", () => Promise<void>>>;
let actions: ReturnType<typeof createActions>;

const containerOf = (name: string): Container => ({
  ...{ id: name, name, service: name, health: "", exitCode: 0, ports: [] },
  state: states.get(name) ?? "running",
});
const set = (kind: keyof typeof gates, state: Container["state"]) => async (one: Container) => {
  await gates[kind]?.();
  states.set(one.name, state);
};
beforeEach(() => {
  [states, gates] = [new Map(), {}];
  const topology = { pause: set("pause", "paused"), unpause: set("unpause", "running") };
  const system = { topology, again: async (some: Container[]) => some.map(({ name }) => containerOf(name)) };
  const source: Source = {
    ...createFeed(0).source,
    system: system as unknown as System,
    containers: async () => {
      await gates.list?.();
      return new Map(names.map((name) => [name, containerOf(name)]));
    },
    faults: { producer: [], consumer: [], broker: ["pause"], zookeeper: [], balancer: [], ledger: [] },
    ...{ rolling: ["broker"], scalable: ["broker"] },
  };
  const instances = (): Record<string, Instance> =>
    Object.fromEntries(
      names.map((name) => [
        name,
        {
          ...{ tier: "broker" as const, why: "", role: "", struck: actions.struck(name) },
          state: states.get(name) === "paused" ? "paused" : "up",
        },
      ]),
    );
  actions = createActions({ source, instances, note: () => undefined });
});

const pause = (target: string) => actions.act({ do: "strike", fault: "pause", target });
const endings = async (...of: Promise<unknown>[]) =>
  (await Promise.allSettled(of)).map((one) => (one.status === "rejected" ? one.reason.message : "done"));

test("of two that come at once, and would take the majority together, the second is refused", async () => {
  gates.list = () => Bun.sleep(1);
  const [first, second] = await endings(pause("kafka1"), pause("kafka2"));
  expect([first, second]).toEqual(["done", expect.stringContaining("The guard keeps 2 of tier broker up")]);
  expect([...states]).toEqual([["kafka1", "paused"]]);
});

test("a tier is not restarted, nor made smaller, while one of it is away", async () => {
  await pause("kafka1");
  const restart = actions.act({ do: "restart", tier: "broker" });
  const fewer = actions.act({ do: "scale", tier: "broker", count: 2 });
  const refused = "kafka1 is struck by pause: heal it first";
  expect(await endings(restart, fewer)).toEqual([refused, refused]);
  expect(await endings(actions.act({ do: "scale", tier: "broker", count: 4 }))).toEqual(["done"]);
});

test("the same twice at once is done once", async () => {
  gates.list = () => Bun.sleep(1);
  expect(await endings(pause("kafka1"), pause("kafka1"))).toEqual([
    "done",
    "kafka1 has that already: heal it first",
  ]);
  expect(Object.keys(actions.bands())).toHaveLength(1);
});

test.each([
  ["struck while everything is healed", "unpause"],
  ["still being struck when everything is healed", "pause"],
] as const)("what is %s is not called healed, and is the next time", async (_, gate) => {
  const { promise: passed, resolve } = Promise.withResolvers<void>();
  if (gate === "unpause") {
    // Something to heal that somebody else struck, so that it takes its time.
    states.set("kafka3", "paused");
    gates.unpause = () => passed;
    const healing = actions.act({ do: "heal-all" });
    await actions.act({ do: "strike", fault: "pause", target: "kafka1", unguarded: true });
    resolve();
    await healing;
  } else {
    gates.pause = () => passed;
    const striking = pause("kafka1");
    await actions.act({ do: "heal-all" });
    resolve();
    await striking;
  }
  expect(states.get("kafka1")).toBe("paused");
  expect(actions.struck("kafka1")).toEqual(["pause"]);
  expect(actions.isAnything()).toBe(true);
  gates = {};
  await actions.act({ do: "heal-all" });
  expect(states.get("kafka1")).toBe("running");
  expect(actions.isAnything()).toBe(false);
});

test("who leaves has healed what was struck here, and nothing that others struck", async () => {
  await pause("kafka1");
  states.set("kafka3", "paused");
  await actions.healStruck();
  expect([...states]).toEqual([
    ["kafka1", "running"],
    ["kafka3", "paused"],
  ]);
  expect(actions.isAnything()).toBe(false);
});

test("a strike that fails halfway is undone; where it can't be it stays struck until it is healed", async () => {
  gates.pause = async () => {
    states.set("kafka1", "paused");
    throw new Error("no answer");
  };
  expect(await endings(pause("kafka1"))).toEqual([expect.stringContaining("no answer")]);
  expect(states.get("kafka1")).toBe("running");
  expect(actions.isAnything()).toBe(false);
  gates.unpause = () => Promise.reject(new Error("nor now"));
  expect(await endings(pause("kafka1"))).toEqual([expect.stringContaining("no answer")]);
  expect(actions.struck("kafka1")).toEqual(["pause"]);
  delete gates.unpause;
  await actions.act({ do: "heal", target: "kafka1" });
  expect([states.get("kafka1"), actions.isAnything()]).toEqual(["running", false]);
});
