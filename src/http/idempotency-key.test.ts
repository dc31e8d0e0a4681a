import { expect, test } from "bun:test";
import fc from "fast-check";
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
  ["a bare word with a semicolon, which is part of it", "k;p=1", undefined],
  ["two bare words in two lines, as Bun joins them", "a, b", undefined],
  ["a parameter", '"k";p=1', "k"],
  ["parameters, some without a value", '"k"; a;  b="x";*c', "k"],
  ["the same parameter twice", '"k";a;a=1', "k"],
  ["a parameter's value with quotes and semicolons inside", '"a;b";c="\\"; d"', "a;b"],
  ["an empty value of a parameter", '"k";a=""', "k"],
  ["an integer", '"k";a=-999999999999999', "k"],
  ["a decimal", '"k";a=123456789012.125', "k"],
  ["a token", '"k";a=*x/y:z', "k"],
  ["bytes", '"k";a=:aGVsbG8=:', "k"],
  ["a boolean", '"k";a=?0', "k"],
  ["a date", '"k";a=@1659578233', "k"],
  ["a display string", '"k";a=%"f%c3%bc"', "k"],
  ["255 characters with a parameter", `"k";${"p".repeat(251)}`, "k"],
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
  ["a blank before the semicolon", '"k" ;a'],
  ["a tab after the semicolon", '"k";\ta'],
  ["no parameter after the semicolon", '"k";'],
  ["two semicolons", '"k";;a'],
  ["an upper-case parameter", '"k";A=1'],
  ["a parameter that starts with a digit", '"k";1=a'],
  ["a parameter without a name", '"k";=1'],
  ["no value after the equals sign", '"k";a='],
  ["blanks around the equals sign", '"k";a = 1'],
  ["an integer of 16 digits", '"k";a=1234567890123456'],
  ["a decimal with four places", '"k";a=1.1234'],
  ["a number with a dot at its end", '"k";a=1.'],
  ["a boolean that is neither", '"k";a=?2'],
  ["an open quote in a parameter", '"k";a="x'],
  ["an unknown escape in a parameter", '"k";a="\\x"'],
  ["bytes without an end", '"k";a=:aGk='],
  ["an upper-case escape in a display string", '"k";a=%"%C3%BC"'],
  ["a list as a parameter", '"k";a=(1 2)'],
  ["something after a parameter", '"k";a=1 x'],
  ["256 characters with a parameter", `"k";${"p".repeat(252)}`],
])("%s is refused as malformed", (_, header) => {
  expect(() => idempotencyKey(header)).toThrow(OutcomeError);
  expect(() => idempotencyKey(header)).toThrow(expect.objectContaining({ outcome: "malformed_key" }));
});

test("parameters tell nothing apart", () => {
  const parameter = fc.constantFrom("a", "b=1", ' c="x;y"', "*=?1", 'd="\\""', "e=:AA==:");
  fc.assert(
    fc.property(fc.stringMatching(/^[!#-~]{1,40}$/), fc.array(parameter, { maxLength: 8 }), (key, list) => {
      const escaped = `"${key.replace(/["\\]/g, "\\$&")}"`;
      expect(idempotencyKey([escaped, ...list].join(";"))).toBe(key);
      expect(idempotencyKey(key)).toBe(key);
    }),
  );
});

test("a request without a key is one of its own", () => {
  const keys = new Set(Array.from({ length: 100 }, () => idempotencyKey(null)));
  expect(keys.size).toBe(100);
});
