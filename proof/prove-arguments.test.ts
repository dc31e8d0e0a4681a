import { expect, test } from "bun:test";
import { scenarioNames } from "./plan/scenarios.ts";
import { scenarioSuites } from "./plan/suites.ts";
import { settingsOf, usage } from "./prove-arguments.ts";

const of = (line: string) => {
  const settings = settingsOf(line.split(" ").filter(Boolean));
  if (settings === "help") throw new Error("help");
  return settings;
};

test("without an option it is the quick suite with a new seed", () => {
  expect(of("").wanted).toEqual(scenarioSuites.quick);
  expect(of("").seed).not.toBe(of("").seed);
});

test("faults are rounds, joined ones at once; a duration alone has them drawn", () => {
  expect(of("--faults consumer-kill,broker-pause+zookeeper-kill").wanted).toEqual([
    ["consumer-kill"],
    ["broker-pause", "zookeeper-kill"],
  ]);
  const drawn = of("--duration 600 --without-majority --seed s --rate 50");
  expect(drawn.wanted).toBeUndefined();
  expect(drawn).toMatchObject({ durationMs: 600_000, withoutMajority: true, seed: "s", ratePerS: 50 });
});

test.each([
  ["--faults consumer-kil", `"consumer-kil" is no fault. There are: ${scenarioNames.join(", ")}`],
  ["--suite big", '"big" is no suite. There are: quick, full'],
  ["--suite quick --faults none", "--suite or --faults, not both."],
  ["--duration soon", "--duration soon: a whole number from 1 to 1000000."],
  ["--rate 0", "--rate 0: a whole number from 1 to 1000000."],
  ["--sed 1", usage],
])("%p is refused, with what there is instead", (line, message) => {
  expect(() => of(line)).toThrow(message);
});
