import { expect, test } from "bun:test";
import { OutcomeError } from "../outcomes.ts";
import { idempotencyKey } from "./idempotency-key.ts";

test.each([
  ["a bare word", "k1", "k1"],
  ["a UUID, as the balancer sends it", "0b54bd46-6cc6-4f3b-9f0f-1d1ab7d30a5f", undefined],
  ["a quoted string", '"k1"', "k1"],
  ["a quoted string with blanks at its edges inside", '"a b"', "a b"],
  ["escapes", '"a\\"b\\\\c"', 'a"b\\c'],
  ["a backslash that escapes nothing, bare", "a\\b", undefined],
  ["a quote inside a bare word", 'a"b', undefined],
  ["255 characters", "k".repeat(255), undefined],
  ["253 characters in quotes", `"${"k".repeat(253)}"`, "k".repeat(253)],
])("%s is a key", (_, header, key) => {
  expect(idempotencyKey(header)).toBe(key ?? header);
});

test.each([
  ["nothing", ""],
  ["nothing in quotes", '""'],
  ["blanks", '"   "'],
  ["an open quote", '"k'],
  ["something after the quote", '"k" x'],
  ["an unknown escape", '"a\\b"'],
  ["a quote that is not escaped", '"a"b"'],
  ["a control character", "a\u0001b"],
  ["a tab", '"a\tb"'],
  ["a DEL", "a\u007f"],
  ["a letter beyond ASCII", "clé"],
  ["256 characters", "k".repeat(256)],
  ["254 characters in quotes", `"${"k".repeat(254)}"`],
  ["a blank at the edge, in quotes", '" k"'],
  ["two keys", '"a", "b"'],
])("%s is refused as malformed", (_, header) => {
  expect(() => idempotencyKey(header)).toThrow(OutcomeError);
  expect(() => idempotencyKey(header)).toThrow(expect.objectContaining({ outcome: "malformed_key" }));
});

test("a request without a key is one of its own", () => {
  const keys = new Set(Array.from({ length: 100 }, () => idempotencyKey(null)));
  expect(keys.size).toBe(100);
});
