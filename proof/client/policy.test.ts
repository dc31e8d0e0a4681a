import { expect, test } from "bun:test";
import { outcomes } from "../../src/outcomes.ts";
import { readSetback, waitBeforeRetryMs } from "./policy.ts";

test("a client reads of every answer what the table says, and tries again where a retry may help", () => {
  for (const { status, fate } of Object.values(outcomes)) {
    if (fate === "accepted" || fate === undefined) continue;
    const wrong = fate === "refused" && status < 500 && status !== 408 && status !== 429;
    expect({ status, ...readSetback(status) }).toEqual({ status, fate, again: !wrong });
  }
});

test("an answer that calls itself unknown is believed, one that calls itself refused only where its status allows it", () => {
  expect(readSetback(503, "unknown")).toEqual({ fate: "unknown", again: true });
  expect(readSetback(422, "unknown")).toEqual({ fate: "unknown", again: false });
  expect(readSetback(502, "refused")).toEqual({ fate: "unknown", again: true });
  expect(readSetback(503, "refused")).toEqual({ fate: "refused", again: true });
});

test("no answer at all leaves it unknown", () => {
  expect(readSetback(0)).toEqual({ fate: "unknown", again: true });
});

test("each wait is longer than the one before, and none shorter than the server asks for", () => {
  for (const tries of [1, 2, 3]) {
    const waitMs = waitBeforeRetryMs(tries, undefined);
    expect(waitMs).toBeGreaterThanOrEqual(500 * 3 ** (tries - 1));
    expect(waitMs).toBeLessThan(1_000 * 3 ** (tries - 1));
  }
  expect(waitBeforeRetryMs(1, "5")).toBe(5_000);
  expect(waitBeforeRetryMs(3, "1")).toBeGreaterThanOrEqual(1_000);
  expect(waitBeforeRetryMs(1, "soon")).toBeLessThan(1_000);
});
