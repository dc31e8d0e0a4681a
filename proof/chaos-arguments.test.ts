import { expect, test } from "bun:test";
import { parse, usage } from "./chaos-arguments.ts";
import { faultNames } from "./faults/registry.ts";
import { tiers } from "./system/system.ts";

const of = (line: string) => parse(line.split(" ").filter(Boolean));

test.each([
  ["kill consumer", { do: "inject", fault: "kill", target: { tier: "consumer" } }],
  ["kill broker --role leader", { do: "inject", fault: "kill", target: { tier: "broker", role: "leader" } }],
  [
    "kill broker --role leader --partition 0",
    { do: "inject", fault: "kill", target: { tier: "broker", role: "leader", partition: 0 } },
  ],
  ["stop zookeeper --all", { do: "inject", fault: "stop", target: { tier: "zookeeper", count: "all" } }],
  ["stop broker --count 2", { do: "inject", fault: "stop", target: { tier: "broker", count: 2 } }],
  [
    "pause consumer --nth 2 --for 20",
    { do: "inject", fault: "pause", target: { tier: "consumer", nth: 2 }, forMs: 20_000 },
  ],
  [
    "partition producer --from broker:2",
    { do: "inject", fault: "partition", target: { tier: "producer" }, from: { tier: "broker", nth: 2 } },
  ],
  [
    "partition producer --from broker",
    {
      do: "inject",
      fault: "partition",
      target: { tier: "producer" },
      from: { tier: "broker", count: "all" },
    },
  ],
  ["heal --project other", { do: "heal", project: "other" }],
  ["show", { do: "show" }],
  ["", "help"],
  ["kill --help", "help"],
])("%p", (line, command) => {
  expect(of(line)).toEqual(command as ReturnType<typeof parse>);
});

test.each([
  ["kil consumer", `"kil" is no fault. There are: ${faultNames.join(", ")}`],
  ["kill", `On whom? ${tiers.join(", ")}`],
  ["kill kafka", `"kafka" is no tier. There are: ${tiers.join(", ")}`],
  ["kill broker --role boss", '"boss" is no role of a broker. There are: leader, controller, coordinator'],
  ["kill consumer --role leader", "A consumer has no roles."],
  ["kill broker --role leader --all", "One of --role, --nth, --count and --all, not several."],
  ["kill broker --partition 3", "--partition belongs to broker --role leader."],
  ["kill broker --nth two", "--nth two: a whole number from 1 to 1000000."],
  ["kill broker --nth 0", "--nth 0: a whole number from 1 to 1000000."],
  ["kill broker --nth 1 --nth 2", "--nth is given twice."],
  ["kill broker --project=", "--project is empty."],
  ["kill broker --from producer", "--from belongs to partition, not to kill."],
  ["heal broker", "heal is of the whole topology, and takes no broker."],
  ["heal --role leader", "heal is of the whole topology, and takes no --role."],
  ["show --all", "show is of the whole topology, and takes no --all."],
  ["kill broker 2", "More than a fault and a tier: 2"],
  ["partition producer --from kafka:1", `"kafka" is no tier. There are: ${tiers.join(", ")}`],
])("%p is refused, with what there is instead", (line, message) => {
  expect(() => of(line)).toThrow(message);
});

test("an option that is not there is refused with the usage", () => {
  expect(() => of("kill broker --rol leader")).toThrow(usage);
});

test("the usage names every fault and every tier", () => {
  for (const word of [...faultNames, ...tiers]) expect(usage).toContain(word);
});
