import { expect, test } from "bun:test";
import { readSettings } from "./settings.ts";

test("there is a default for everything", () => {
  expect(readSettings({ DEMO_RATE: "" })).toEqual({
    durationS: 60,
    ratePerS: 200,
    lbPort: 8080,
    lbStatsPort: 8404,
  });
});

test("each can be set", () => {
  const env = { DEMO_SECONDS: "30", DEMO_RATE: "50", LB_PORT: "0", LB_STATS_PORT: "9000" };
  expect(readSettings(env)).toEqual({ durationS: 30, ratePerS: 50, lbPort: 0, lbStatsPort: 9_000 });
});

test("clients and operators are not listened to on one port, unless each has any", () => {
  expect(() => readSettings({ LB_PORT: "8404" })).toThrow("LB_PORT and LB_STATS_PORT are 8404");
  expect(readSettings({ LB_PORT: "0", LB_STATS_PORT: "0" })).toMatchObject({ lbPort: 0, lbStatsPort: 0 });
});

test("every fault is listed", () => {
  const env = { DEMO_SECONDS: "soon", DEMO_RATE: "501", LB_PORT: "-1", LB_STATS_PORT: "1.5" };
  expect(() => readSettings(env)).toThrow(
    [
      "DEMO_SECONDS=soon: a whole number from 1 to 3600 is expected",
      "DEMO_RATE=501: a whole number from 1 to 500 is expected",
      "LB_PORT=-1: a whole number from 0 to 65535 is expected",
      "LB_STATS_PORT=1.5: a whole number from 0 to 65535 is expected",
    ].join("\n"),
  );
});
