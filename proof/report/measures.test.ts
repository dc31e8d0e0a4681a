import { describe, expect, test } from "bun:test";
import type { ClientAnswer, LedgerRow } from "../history/history.ts";
import { history, row, told } from "../testing/histories.ts";
import type { RunEvent } from "./events.ts";
import { measuresOf } from "./measures.ts";

const second = 1_000;
const event = (kind: RunEvent["kind"], atMs: number, fault = "broker-kill", round?: number): RunEvent => ({
  ...{ atMs, kind, text: kind, fault },
  ...(round !== undefined && { round }),
});

/** Orders by when they were sent, each accepted after 10 ms and handled 20 ms later unless it is told otherwise. */
function run(
  timesMs: readonly number[],
  changed: (startedMs: number) => Partial<ClientAnswer> & { handledAtMs?: number | null } = () => ({}),
  events: RunEvent[] = [],
) {
  const ledger: LedgerRow[] = [];
  const client = timesMs.map((startedMs, n) => {
    const { handledAtMs, ...changes } = changed(startedMs);
    const answer = told(`k${n}`, { startedMs, endedMs: startedMs + 10, ...changes });
    if (handledAtMs !== null && answer.fate === "accepted")
      ledger.push(row(`k${n}`, n, { handledAtMs: handledAtMs ?? answer.endedMs + 20 }));
    return answer;
  });
  return measuresOf(history({ client, ledger }), events);
}

/** Every 100 ms, from one time up to another. */
const steadily = (fromMs: number, toMs: number) =>
  Array.from({ length: (toMs - fromMs) / 100 }, (_, n) => fromMs + n * 100);

describe("by second", () => {
  test("orders count when they were sent, handling when it happened, and what is not handled stays unseen", () => {
    const { startMs, endMs, seconds } = run([0, 500, 1_000, 1_500], (startedMs) => {
      if (startedMs === 500) return { endedMs: 1_200, handledAtMs: 2_500 };
      if (startedMs === 1_000) return { fate: "refused" };
      if (startedMs === 1_500) return { handledAtMs: null };
      return {};
    });
    expect([startMs, endMs]).toEqual([0, 2_500]);
    expect(seconds).toEqual([
      { atMs: 0, sent: 2, accepted: 2, firstTryFailed: 0, p50Ms: 10, p99Ms: 700, handled: 1, unseen: 0 },
      { atMs: 1_000, sent: 2, accepted: 1, firstTryFailed: 1, p50Ms: 10, p99Ms: 10, handled: 0, unseen: 2 },
      { atMs: 2_000, sent: 0, accepted: 0, firstTryFailed: 0, p50Ms: 0, p99Ms: 0, handled: 1, unseen: 1 },
    ]);
  });

  test("an order that is handled before its client hears of it is not unseen", () => {
    expect(run([0], () => ({ endedMs: 900, handledAtMs: 500 })).seconds.map(({ unseen }) => unseen)).toEqual([
      0,
    ]);
  });

  test("orders whose answer the client did not live to hear have failed", () => {
    const unheard = { attempts: 0, firstStatus: 0, status: 0, fate: "unknown" } as const;
    const { seconds, recoveries } = run([0, 500], (at) => (at ? unheard : {}), [event("fault", 0)]);
    expect(seconds[0]?.sent).toBe(2);
    expect(recoveries[0]).toMatchObject({ sent: 2, failed: 1, firstTryFailed: 1 });
  });

  test("a run in which nothing was sent has no more than its events", () => {
    expect(measuresOf(history({}), [])).toMatchObject({ startMs: 0, endMs: 0, recoveries: [] });
  });
});

describe("a fault's recovery", () => {
  const faultMs = 20 * second;
  const times = steadily(0, 60 * second);
  const broken = (startedMs: number) => startedMs >= faultMs && startedMs < faultMs + 1_500;
  const of = (
    changed: Parameters<typeof run>[1],
    events = [event("fault", faultMs), event("heal", faultMs + 10 * second)],
  ) => run(times, changed, events).recoveries;

  test("is nothing when nobody notices", () => {
    expect(of(() => ({}))).toEqual([
      {
        fault: "broker-kill",
        round: 0,
        atMs: faultMs,
        healedAfterMs: 10 * second,
        sent: 400,
        ...{ firstTryFailed: 0, firstStatuses: "" },
        unreplayed: 0,
        failed: 0,
        recoveryMs: 0,
        steadyAfterMs: 0,
        longestMs: 10,
        longestUnseenMs: 20,
        drainedAfterMs: 0,
      },
    ]);
  });

  test("lasts from the first order that fails or is late to the last", () => {
    const [recovery] = of((at) => {
      if (!broken(at)) return {};
      return at < faultMs + 700
        ? { endedMs: at + 3_000 }
        : { firstStatus: 503, attempts: 2, endedMs: at + 500 };
    });
    expect(recovery).toMatchObject({
      firstStatuses: `${recovery?.firstTryFailed} × 503`,
      recoveryMs: 1_400,
      steadyAfterMs: 1_400,
      longestMs: 3_000,
      firstTryFailed: 8,
      failed: 0,
    });
  });

  test("counts what was not accepted in the end", () => {
    expect(of((at) => (broken(at) ? { fate: "unknown", attempts: 4 } : {}))[0]).toMatchObject({
      failed: 15,
      firstTryFailed: 15,
    });
  });

  test("tells batches that can't be replayed, and lost their answer, from whatever else failed at first", () => {
    const lost = { firstStatus: 502, attempts: 2 };
    const [recovery] = of((at) => {
      if (!broken(at)) return {};
      if (at < faultMs + 400) return { ...lost, sent: "streamed" };
      if (at < faultMs + 700) return { ...lost, sent: "streamed-slow" };
      return at < faultMs + 1_000 ? { ...lost, sent: "batch" } : { firstStatus: 503, sent: "streamed" };
    });
    expect(recovery).toMatchObject({ firstTryFailed: 15, unreplayed: 7, failed: 0 });
  });

  test("begins with the fault for orders that were under way then", () => {
    const [recovery] = of((at) => (at === faultMs - 100 ? { endedMs: faultMs + 5_000 } : {}));
    expect(recovery).toMatchObject({ sent: 401, recoveryMs: 0, longestMs: 5_100 });
  });

  test("is the longest of several stretches, and steady is what comes after the last", () => {
    const [recovery] = of((at) => {
      const back = at >= faultMs + 10 * second && at < faultMs + 10 * second + 300;
      return broken(at) || back ? { firstStatus: 503 } : {};
    });
    expect(recovery).toMatchObject({ recoveryMs: 1_400, steadyAfterMs: 10_200 });
  });

  test("is not prolonged by one slow order among hundreds", () => {
    const many = Array.from({ length: 3_000 }, (_, n) => n);
    const { recoveries } = run(many, (at) => (at === 1_500 ? { endedMs: at + 1_500 } : {}), [
      event("fault", 1_000),
    ]);
    expect(recoveries[0]).toMatchObject({ recoveryMs: 0, steadyAfterMs: 0, longestMs: 1_500 });
  });

  test("goes on until the next fault", () => {
    const events = [event("fault", faultMs), event("fault", faultMs + 20 * second, "consumer-kill")];
    const found = of((at) => (at >= faultMs + 20 * second ? { fate: "refused" } : {}), events);
    expect(
      found.map(({ fault, sent, failed, healedAfterMs }) => ({ fault, sent, failed, healedAfterMs })),
    ).toEqual([
      { fault: "broker-kill", sent: 200, failed: 0, healedAfterMs: undefined },
      { fault: "consumer-kill", sent: 200, failed: 200, healedAfterMs: undefined },
    ]);
  });

  test("is charged with every order of its round, and the other fault of the round as well", () => {
    const found = of(
      (at) => (at >= faultMs && at < faultMs + 300 ? { fate: "refused" } : {}),
      [
        event("fault", faultMs, "broker-kill", 3),
        event("fault", faultMs + second, "consumer-kill", 3),
        event("heal", faultMs + 10 * second, "broker-kill", 3),
        event("heal", faultMs + 11 * second, "consumer-kill", 3),
        event("fault", faultMs + 20 * second, "ledger-stop", 4),
      ],
    );
    expect(
      found.map(({ round, sent, failed, healedAfterMs }) => [round, sent, failed, healedAfterMs]),
    ).toEqual([
      [0, 200, 3, 10 * second],
      [0, 200, 3, 10 * second],
      [1, 200, 0, undefined],
    ]);
  });

  test("has an order that fails when the next fault has struck, if it was sent long before that", () => {
    const late = { fate: "unknown", endedMs: faultMs + 25 * second } as const;
    const events = [event("fault", faultMs), event("fault", faultMs + 20 * second, "consumer-kill")];
    const failed = (sentMs: number) =>
      of((at) => (at === sentMs ? late : {}), events).map((one) => one.failed);
    expect(failed(faultMs + second)).toEqual([1, 0]);
    expect(failed(faultMs + 19 * second)).toEqual([0, 1]);
  });

  test("tells how long orders waited to be handled, and when the backlog was gone after the heal", () => {
    const doneMs = faultMs + 16 * second;
    const [recovery] = of((at) => (at >= faultMs && at < doneMs ? { handledAtMs: doneMs } : {}));
    expect(recovery).toMatchObject({ longestUnseenMs: 15_990, drainedAfterMs: 6_000 });
  });

  test("is not prolonged by a backlog that comes long after the first was gone", () => {
    const [recovery] = of((at) => {
      if (at >= faultMs && at < faultMs + 4_000) return { handledAtMs: faultMs + 12_000 };
      const later = at >= faultMs + 25_000 && at < faultMs + 28_000;
      return later ? { handledAtMs: faultMs + 30_000 } : {};
    });
    expect(recovery?.drainedAfterMs).toBe(2_000);
  });

  test("tells no such time when the backlog stays", () => {
    const [recovery] = of((at) => (at >= faultMs ? { handledAtMs: null } : {}));
    expect(recovery?.drainedAfterMs).toBeUndefined();
  });
});

describe("a tier is unavailable", () => {
  const times = steadily(0, 20 * second);
  const within = (at: number) => at >= 5_000 && at < 7_000;
  const tiers = (changed: Parameters<typeof run>[1]) =>
    Object.fromEntries(
      run(times, changed).unavailability.map(({ tier, totalMs, longestMs }) => [tier, [totalMs, longestMs]]),
    );
  const none = { balancer: [0, 0], producers: [0, 0], brokers: [0, 0], consumers: [0, 0] };

  test.each([
    ["none of them, when all is well", {}, {}],
    ["the balancer, when it gives no answer", { firstStatus: 0 }, { balancer: [1_900, 1_900] }],
    ["the producers, when they refuse", { firstStatus: 503 }, { producers: [1_900, 1_900] }],
    ["the brokers, when they acknowledge nothing", { firstStatus: 504 }, { brokers: [1_900, 1_900] }],
  ] as [string, Partial<ClientAnswer>, Record<string, number[]>][])("%s", (_, changes, expected) => {
    expect(tiers((at) => (within(at) ? changes : {}))).toEqual({ ...none, ...expected });
  });

  test("the brokers, when they acknowledge late", () => {
    expect(tiers((at) => (within(at) ? { endedMs: at + 1_100 } : {}))).toMatchObject({
      brokers: [1_900, 1_900],
    });
  });

  test("the consumers, when nothing is handled while orders wait", () => {
    const found = tiers((at) =>
      within(at) ? { handledAtMs: 9_000 } : at >= 7_000 ? { handledAtMs: at + 2_030 } : {},
    );
    // The last one before it was handled at 4,930, the first that waited was accepted at 5,010.
    expect(found).toEqual({ ...none, consumers: [3_990, 3_990] });
  });

  test("none of them, when there is nothing to do", () => {
    const { unavailability } = run([0, 10 * second, 20 * second]);
    expect(unavailability.every(({ totalMs }) => totalMs === 0)).toBe(true);
  });
});
