import { describe, expect, test } from "bun:test";
import {
  inPiecesOf,
  type MixedRequest,
  ordersPerPieces,
  ordersPerRequest,
  requestOf,
} from "../client/mix.ts";
import { orderLimitMs } from "../client/policy.ts";
import { readLoadArguments } from "./arguments.ts";
import { inPiecesDue, k6Options, profileDefaults, profiles, stepsOf } from "./profiles.ts";

describe.each([...profiles])("profile %s", (profile) => {
  const steps = stepsOf(profile, 1_000, 60);

  test("lasts as long as it is told to, and never goes above the rate", () => {
    expect(steps.reduce((sum, { seconds }) => sum + seconds, 0)).toBeCloseTo(60);
    expect(Math.max(...steps.map(({ rate }) => rate))).toBe(1_000);
  });

  test("is an arrival rate for k6 whose users suffice, and interrupts no order", () => {
    const { orders } = k6Options(profile, 1_000, 60).scenarios;
    expect(orders.executor).toEndWith("-arrival-rate");
    expect(orders.maxVUs).toBeGreaterThanOrEqual(orders.preAllocatedVUs);
    expect(Number.parseInt(orders.gracefulStop, 10) * 1_000).toBeGreaterThan(orderLimitMs);
  });

  test("has a duration of its own, and leaves the rate to the machine unless it is told", () => {
    const { durationSeconds } = profileDefaults[profile];
    expect(readLoadArguments(["--profile", profile])).toMatchObject({
      profile,
      rate: undefined,
      durationSeconds,
    });
  });
});

test("a ramp goes up in even steps, a spike up and down again", () => {
  expect(stepsOf("ramp", 1_000, 60).map(({ rate }) => rate)).toEqual([
    100, 200, 300, 400, 500, 600, 700, 800, 900, 1_000,
  ]);
  expect(stepsOf("spike", 1_000, 60).map(({ rate, seconds }) => [rate, seconds])).toEqual([
    [100, 24],
    [1_000, 12],
    [100, 24],
  ]);
});

test("the rate is that of the orders, whoever sends them and in whatever they come", () => {
  const counted = (of: (run: string, n: number) => MixedRequest, perRequest: number) => {
    const count = 1_200;
    const orders = Array.from({ length: count }, (_, n) => of("run", n).orders.length);
    expect(orders.reduce((sum, one) => sum + one, 0)).toBeCloseTo(count * perRequest);
  };
  counted(requestOf, ordersPerRequest());
  counted((run, n) => requestOf(run, n, 10), ordersPerRequest(10));
  counted(inPiecesOf, ordersPerPieces);
  const { orders } = k6Options("steady", 1_000, 60).scenarios;
  const perSecond = ("rate" in orders ? orders.rate : 0) / Number.parseInt(orders.timeUnit, 10);
  const inPieces = inPiecesDue(stepsOf("steady", 1_000, 60), 60) / 60;
  expect(perSecond * ordersPerRequest() + inPieces * ordersPerPieces).toBeCloseTo(1_000, 0);
});

test("what comes in pieces follows the steps, and ends with them", () => {
  const steps = stepsOf("spike", 1_000, 50);
  const due = (atSeconds: number) => inPiecesDue(steps, atSeconds) * ordersPerPieces;
  expect(due(20)).toBeCloseTo(0.05 * 2_000);
  expect(due(30) - due(20)).toBeCloseTo(0.05 * 10_000);
  expect(due(1_000)).toBeCloseTo(due(50));
});

test("fewer connections are had where they are asked for", () => {
  const { orders } = k6Options("steady", 4_000, 60, { users: 1_500 }).scenarios;
  expect([orders.preAllocatedVUs, orders.maxVUs]).toEqual([1_500, 1_500]);
});

describe("the command line", () => {
  test("is a steady load unless told otherwise", () => {
    expect(readLoadArguments(["--rate", "1000", "--duration", "2m"])).toMatchObject({
      profile: "steady",
      rate: 1_000,
      durationSeconds: 120,
      url: "http://127.0.0.1:8080",
    });
    expect(readLoadArguments(["--help"])).toBeUndefined();
  });

  test.each([
    [["--profile", "wild"], '"wild" is no profile. There are: smoke, steady, ramp, spike, soak'],
    [["--rate", "0"], "--rate 0"],
    [["--rate", "many"], "--rate many"],
    [["--duration", "0s"], "--duration 0s"],
    [["--duration", "1d"], "--duration 1d"],
    [["--duration", "1000h"], "--duration 1000h"],
    [["--speed", "9"], "--speed"],
    [["--vus", "9"], "--vus"],
    [["steady"], "steady"],
    [["--url", "127.0.0.1:8080"], "--url 127.0.0.1:8080: http://host:port is expected"],
    [["--url", "http://127.0.0.1:8080/orders"], "http://host:port is expected"],
    [["--record", ""], "--record is empty"],
    [["--ledger", "127.0.0.1:5432"], "--ledger 127.0.0.1:5432: postgres://"],
  ])("%j is not understood, and says so", (args, words) => {
    expect(() => readLoadArguments(args)).toThrow(words);
  });
});
