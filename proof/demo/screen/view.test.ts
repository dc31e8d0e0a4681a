import { expect, test } from "bun:test";
import { type Picture, stamp, tableOf } from "./view.ts";

const picture: Picture = {
  flowingS: 18.7,
  durationS: 60,
  rows: [
    {
      name: "producer-1",
      tier: "producer",
      pid: 4711,
      running: true,
      status: { ratePerS: 66.6, inFlightOrders: 2, partitions: [], lagRecords: 0, inService: true },
    },
    { name: "producer-2", tier: "producer", pid: 4712, running: true, status: undefined },
    {
      name: "consumer-1",
      tier: "consumer",
      pid: 4713,
      running: true,
      status: { ratePerS: 99, inFlightOrders: 0, partitions: [0, 3, 11], lagRecords: 12, inService: true },
    },
    { name: "consumer-2", tier: "consumer", pid: 4714, running: false, status: undefined },
  ],
  accepted: 3600,
  open: 3,
  failures: 1,
  handled: 3590,
  redelivered: 4,
  dead: 0,
};

test("the table has a line for each instance and one for each end of the way", () => {
  expect(tableOf(picture).join("\n")).toBe(`
             state         pid  orders/s   18 of 60 s
producer-1   up           4711        67   in flight 2
producer-2   starting
consumer-1   up           4713        99   lag 12   partitions 0 3 11
consumer-2   dead
client       accepted 3600, in flight 3, failed answers 1
ledger       handled 3590, waiting 10, redelivered 4`);
});

test("the clock stops when the time is over, and nobody waits for what the client has yet to hear of", () => {
  const lines = tableOf({ ...picture, flowingS: 61.2, handled: 3602 }).join("\n");
  expect(lines).toContain("60 of 60 s");
  expect(lines).toContain("waiting 0");
});

test("who was given up is not waited for, and told", () => {
  const lines = tableOf({ ...picture, handled: 3580, dead: 7 }).join("\n");
  expect(lines).toContain("handled 3580, waiting 13, redelivered 4, dead letters 7");
});

test("an event stands after its time", () => {
  expect(stamp(7.04, "it begins")).toBe("   7.0 s  it begins");
});
