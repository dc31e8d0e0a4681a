import { expect, test } from "bun:test";
import fc from "fast-check";
import { idempotencyKey } from "../http/idempotency-key.ts";
import { isUuid, orderId, orderKey } from "./order-id.ts";

test("an id never changes: a replay through another version or producer is the same order", () => {
  expect(orderId("c42", "key 1")).toBe("b2692dd2-88e6-8f67-a411-3c85142ba4c6");
  expect(orderId("Zoë ☕", "é-1")).toBe("b5a71930-5ef8-8b69-9904-75dacbe5a4ad");
});

test("every id is a UUID of version 8 and the variant of RFC 9562", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (customer, key) => {
      const id = orderId(customer, key);
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(isUuid(id)).toBe(true);
    }),
  );
});

test("the digest's bits are all there: only version and variant are fixed", () => {
  const ids = Array.from({ length: 200 }, (_, index) =>
    BigInt(`0x${orderId("c", `${index}`).replaceAll("-", "")}`),
  );
  const ever = ids.reduce((bits, id) => bits | id, 0n);
  const always = ids.reduce((bits, id) => bits & id);
  expect(ever).toBe(0xffffffff_ffff_8fff_bfff_ffffffffffffn);
  expect(always).toBe(0x00000000_0000_8000_8000_000000000000n);
});

test.each([
  ["a", "bc", "ab", "c"],
  ["", "1:a", "1", ":a"],
  ["1", "1:a", "1:1", "a"],
  ["c", "", "", "c"],
  ["c", "k", "k", "c"],
])("(%j, %j) and (%j, %j) do not run together", (customer, key, otherCustomer, otherKey) => {
  expect(orderId(customer, key)).not.toBe(orderId(otherCustomer, otherKey));
});

test("different pairs have different ids", () => {
  const text = fc.string({ unit: "grapheme" });
  const pair = fc.tuple(text, text);
  fc.assert(
    fc.property(pair, pair, (one, other) => {
      const same = one[0] === other[0] && one[1] === other[1];
      expect(orderId(...one) === orderId(...other)).toBe(same);
    }),
  );
});

test("an order's key is its request's, in a batch with its place", () => {
  for (const key of ["k", "a/b", "a/1b", "a/", "1", "0b54bd46-6cc6-4f3b-9f0f-1d1ab7d30a5f"])
    expect(orderKey(key)).toBe(key);
  expect(orderKey("k", 0)).toBe("k/0");
  expect(orderKey("k/7", 12)).toBe("k/7/12");
  expect(orderKey("k/0")).not.toBe(orderKey("k", 0));
});

/** Keys as requests bring them, many of which end as if they were of a batch's order. */
const requestKey = fc
  .tuple(
    fc.string({ unit: fc.constantFrom("a", "/", "0", "1", "9", " ", "~"), maxLength: 6 }),
    fc.constantFrom("", "/", "/0", "/1", "/10", "/007", "/0/1"),
  )
  .map((parts) => parts.join(""))
  .filter((key) => /^[!-~]([ -~]*[!-~])?$/.test(key))
  .map(idempotencyKey);
const place = fc.option(fc.integer({ min: 0, max: 11 }), { nil: undefined });

test("no two orders share a key, single or in a batch, whose requests did not or whose place is another", () => {
  fc.assert(
    fc.property(requestKey, place, requestKey, place, (one, m, other, n) => {
      const same = one === other && m === n;
      expect(orderKey(one, m) === orderKey(other, n)).toBe(same);
      expect(orderId("c", orderKey(one, m)) === orderId("c", orderKey(other, n))).toBe(same);
    }),
    { numRuns: 5_000, examples: [["x/0", undefined, "x", 0]] },
  );
});

test.each(["", "x", "B98A142B-6AD9-8A04-B1CE-B0407A8EC501", "b98a142b6ad98a04b1ceb0407a8ec501", "' OR 1=1"])(
  "%j is not an id",
  (text) => {
    expect(isUuid(text)).toBe(false);
  },
);
