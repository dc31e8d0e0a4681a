import { expect, test } from "bun:test";
import fc from "fast-check";
import { canonicalJson, contentOf } from "./canonical.ts";

/** The same value with the members of every object in reverse. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, item]) => [name, reversed(item)]),
  );
}

const document = fc.dictionary(fc.string(), fc.jsonValue());
const plain = (value: object) => JSON.parse(JSON.stringify(value)) as object;

test("the order of members does not matter", () => {
  fc.assert(
    fc.property(document, (value) => {
      const received = plain(value);
      expect(canonicalJson(reversed(received) as object)).toBe(canonicalJson(received));
    }),
  );
});

test("nothing is lost: it is JSON of the same value", () => {
  fc.assert(
    fc.property(document, (value) => {
      expect(JSON.parse(canonicalJson(plain(value)))).toEqual(plain(value));
    }),
  );
});

test("different values have different texts", () => {
  fc.assert(
    fc.property(document, document, (one, other) => {
      const same = Bun.deepEquals(plain(one), plain(other), true);
      expect(canonicalJson(plain(one)) === canonicalJson(plain(other))).toBe(same);
    }),
  );
  expect(canonicalJson(["b", "a"])).not.toBe(canonicalJson(["a", "b"]));
});

test("what the producer added is left out, at the top and nowhere else", () => {
  expect(contentOf({ id: 1, b: { id: 2 }, placedAt: 4, a: [{ id: 3 }] })).toBe(
    '{"a":[{"id":3}],"b":{"id":2}}',
  );
});

test("a member named __proto__ is one like any other", () => {
  const received = JSON.parse('{"b":1,"__proto__":{"a":1}}');
  for (const text of [canonicalJson(received), contentOf(received)])
    expect(text).toBe('{"__proto__":{"a":1},"b":1}');
});
