import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type ScenarioName, scenarioNames, scenarios } from "./scenarios.ts";
import { keepsMajority, plan } from "./schedule.ts";
import { scenarioSuites } from "./suites.ts";

const seeds = fc.string({ minLength: 1 });
const durations = fc.integer({ min: 90_000, max: 3_600_000 });
const names = fc.constantFrom(...scenarioNames);
const rounds = fc.array(fc.array(names, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 10 });

const namesIn = ({ rounds }: ReturnType<typeof plan>) =>
  rounds.map(({ steps }) => steps.map(({ scenario }) => scenario));

test("the same seed gives the same plan, and another one another", () => {
  fc.assert(
    fc.property(seeds, durations, (seed, durationMs) => {
      expect(plan({ seed, durationMs })).toEqual(plan({ seed, durationMs }));
    }),
  );
  const drawn = ["a", "b", "c", "d"].map((seed) =>
    JSON.stringify(namesIn(plan({ seed, durationMs: 900_000 }))),
  );
  expect(new Set(drawn).size).toBe(4);
});

test("what is named comes once, in its order, whatever the seed and whatever it takes down", () => {
  fc.assert(
    fc.property(seeds, rounds, (seed, wanted) => {
      expect(namesIn(plan({ seed, wanted }))).toEqual(wanted);
    }),
  );
});

test("what was held back for long has its time to be handled before the next fault", () => {
  const wanted = [["consumer-kill", "effect-away"] as const, ["effect-away"] as const];
  const least = scenarios["effect-away"].restMs as number;
  for (const { restMs } of plan({ seed: "a", wanted }).rounds) expect(restMs).toBe(least);
});

test("what is named is repeated in its order while it fits", () => {
  fc.assert(
    fc.property(seeds, rounds, fc.integer({ min: 600_000, max: 3_600_000 }), (seed, wanted, durationMs) => {
      const schedule = plan({ seed, wanted, durationMs });
      for (const [index, round] of namesIn(schedule).entries())
        expect(round).toEqual(wanted[index % wanted.length] as ScenarioName[]);
      expect(schedule.expectedMs).toBeLessThanOrEqual(durationMs);
    }),
  );
});

describe("what is drawn", () => {
  test("leaves a majority in every round, unless asked not to", () => {
    fc.assert(
      fc.property(seeds, durations, (seed, durationMs) => {
        for (const round of namesIn(plan({ seed, durationMs }))) expect(keepsMajority(round)).toBe(true);
      }),
    );
    const without = namesIn(plan({ seed: "x", durationMs: 36_000_000, withoutMajority: true }));
    expect(without.some((round) => !keepsMajority(round))).toBe(true);
  });

  test("fits the duration, does something, and never hits a tier twice in a round", () => {
    fc.assert(
      fc.property(seeds, durations, (seed, durationMs) => {
        const schedule = plan({ seed, durationMs });
        expect(schedule.expectedMs).toBeLessThanOrEqual(durationMs);
        expect(schedule.rounds.length).toBeGreaterThan(0);
        for (const { steps } of schedule.rounds) {
          const hit = steps.flatMap(({ scenario }) => scenarios[scenario].targets.map(({ tier }) => tier));
          expect(new Set(hit).size).toBe(hit.length);
        }
      }),
    );
  });

  test("is in time everything that can be drawn", () => {
    const drawn = new Set(namesIn(plan({ seed: "x", durationMs: 36_000_000 })).flat());
    const never = scenarioNames.filter((name) => !drawn.has(name));
    expect(never.filter(keepsAlone)).toEqual([
      "none",
      "tiers-restart",
      "broker-disk-full",
      "topic-anew",
      "rotate-kafka-users",
      "rotate-ledger-user",
      "rotate-edge-certificate",
      "rotate-api-keys",
      "rotate-issuer",
      "everything-restart",
      "overload",
    ]);
  });
});

const keepsAlone = (name: ScenarioName) => keepsMajority([name]);

test("each step has a seed of its own", () => {
  fc.assert(
    fc.property(seeds, durations, (seed, durationMs) => {
      const steps = plan({ seed, durationMs }).rounds.flatMap(({ steps }) => steps.map((step) => step.seed));
      expect(new Set(steps).size).toBe(steps.length);
    }),
  );
});

test("a majority is a majority: one of three brokers, never two; and not the whole of a tier", () => {
  const kept = scenarioNames.filter(keepsAlone);
  expect(scenarioNames.filter((name) => !kept.includes(name))).toEqual([
    "consumers-stop",
    "brokers-stop-two",
    "brokers-kill-all",
    "zookeepers-stop",
    "log-cut",
  ]);
  expect(keepsMajority(["broker-kill-leader", "broker-pause"])).toBe(false);
  expect(keepsMajority(["zookeeper-kill", "broker-pause"])).toBe(true);
});

test("without a name and a duration, or in too short a time, there is no plan", () => {
  expect(() => plan({ seed: "x" })).toThrow(RangeError);
  expect(() => plan({ seed: "x", durationMs: 20_000 })).toThrow(RangeError);
});

test("the suites: quick is short, full has every row of the table", () => {
  const once = (suite: keyof typeof scenarioSuites) => plan({ seed: "x", wanted: scenarioSuites[suite] });
  expect(once("quick").expectedMs).toBeLessThan(300_000);
  expect(scenarioSuites.full).toHaveLength(27);
  expect(scenarioSuites.full).toContainEqual(["slow-bodies", "broker-kill-leader"]);
});
