import { expect, test } from "bun:test";
import { told } from "../testing/histories.ts";
import { hungAtTheEnd, withoutCutShort } from "./last-orders.ts";

const stoppedMs = 100_000;
const unheard = { attempts: 0, firstStatus: 0, status: 0, fate: "unknown" } as const;

test("what we cut short before its answer was due is left out, and nothing else", () => {
  const answers = [
    told("cut short", { ...unheard, startedMs: 99_000, endedMs: 100_020 }),
    told("hung", { ...unheard, startedMs: 95_000, endedMs: 100_020 }),
    told("broke off earlier", { ...unheard, startedMs: 99_000, endedMs: 99_900 }),
    told("refused last", { fate: "refused", startedMs: 99_000, endedMs: 100_010 }),
    told("accepted last", { startedMs: 99_900, endedMs: 100_010 }),
  ];
  expect(withoutCutShort(answers, stoppedMs).map(({ key }) => key)).toEqual([
    "hung",
    "broke off earlier",
    "refused last",
    "accepted last",
  ]);
});

test("a system that takes no order any more when the load ends is found, whatever is known of the last ones", () => {
  const accepted = (startedMs: number) => told("a", { startedMs, endedMs: startedMs + 10 });
  expect(hungAtTheEnd([accepted(99_900)], stoppedMs)).toEqual([]);
  const silent = ["no order that was sent in the last 5 s of the load was accepted"];
  expect(hungAtTheEnd([accepted(95_000)], stoppedMs)).toEqual(silent);
  expect(hungAtTheEnd([told("a", { ...unheard, startedMs: 99_900 })], stoppedMs)).toEqual(silent);
  expect(hungAtTheEnd([], stoppedMs)).toEqual(silent);
});
