/** How records come to the logs: orders, what is no order, holes, and letters that are sent back. */
import type { PlacedOrder } from "../../src/wire/validation.ts";
import { outside, type Random, type Time } from "./clock.ts";
import type { Habits } from "./habits.ts";
import type { Kafka } from "./kafka/kafka.ts";
import type { Log, Stored } from "./kafka/log.ts";
import type { Letters } from "./letters.ts";
import type { Orders } from "./orders.ts";

const goodEveryMs = 5_000;
/** How long ago producers that wait, or whose clocks differ, say that they wrote what is appended now. */
const mostLateMs = { usual: 300, late: 60_000, "very late": 900_000 };

export function createArrivals(options: {
  random: Random;
  time: Time;
  habits: Habits;
  kafka: Kafka;
  letters: Letters;
  orders: Orders;
  say: (what: string) => void;
}) {
  const { random, time, habits, kafka, letters, orders, say } = options;
  const { epochMs, timer } = time.clockOf(outside);
  let placed = 0;

  /** Appends to a log, or to one of those that are there. Producers' clocks differ, and some wait: none is in order. */
  function append(
    order: PlacedOrder | undefined,
    value: Buffer,
    log = someLog(),
    waitedMs = 0,
  ): Stored | undefined {
    const stored = log?.append(order, value, dated(waitedMs));
    if (stored) letters.expect(stored);
    return stored;
  }
  function dated(waitedMs: number): number {
    const { dates } = habits;
    if (dates === "none") return -1;
    if (dates === "nanoseconds") return (epochMs() - random.int(0, mostLateMs.usual)) * 1_000_000;
    if (dates === "ahead") return epochMs() + random.pick([0, random.int(0, 3_600_000)]);
    return epochMs() - waitedMs - random.int(0, mostLateMs[dates]);
  }
  function someLog(): Log | undefined {
    const there = kafka.isAway() ? [] : kafka.logs().filter((log) => !log.isDown());
    return there.length > 0 ? random.pick(there) : undefined;
  }

  /** Orders go on coming: what is left may be no more than those that fail, and then it looks as if all failed. */
  function goOn(): void {
    const order = orders.nextGood();
    append(order, Buffer.from(JSON.stringify(order)));
    timer(goodEveryMs, goOn);
  }

  return {
    append,
    goOn,
    placed: () => placed,
    /** New records, now and then one that is no order, or a hole. */
    place(records: number): void {
      for (let n = 0; n < records; n += 1) {
        const log = someLog();
        // Where no id tells a log from the one before it, timestamps must, and they can't tell below a gap.
        if (random.chance(0.05) && habits.tellsIds) log?.gap(random.int(1, 3));
        const order = random.chance(0.02) ? undefined : orders.next();
        if (append(order, Buffer.from(order ? JSON.stringify(order) : "{}"), log)) placed += 1;
      }
    },
    /** An operator sends a few letters back, what was wrong with them mended or not. */
    redrive(): void {
      for (const { order, value } of [...letters.all()].slice(-random.int(1, 3))) {
        if (order && random.chance(0.5)) orders.mend(order.id);
        const again = append(order, value);
        if (again) say(`${again.key} is redriven`);
      }
    },
  };
}
