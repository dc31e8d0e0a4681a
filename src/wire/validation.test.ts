import { describe, expect, test } from "bun:test";
import type { Order } from "../order.ts";
import { decodePlacedOrder, orderFaults, parseJson } from "./validation.ts";

const order: Order = { customer: "c42", coffee: "latte", size: "medium", quantity: 2 };
const pointersOf = (value: unknown) => orderFaults(value).map(({ pointer }) => pointer);

describe("an order", () => {
  test.each([
    ["without what is optional", order],
    ["with all of it", { ...order, milk: "oat", note: "extra hot" }],
    ["of any script", { ...order, customer: "Zoë 山田 ☕", note: "très chaud 🔥" }],
    ["at its bounds, in characters", { ...order, customer: "🔥".repeat(64), note: "☕".repeat(200) }],
    ["at its bounds", { ...order, customer: "x".repeat(64), note: "x".repeat(200), quantity: 100 }],
  ])("%s has no fault", (_, value) => {
    expect(orderFaults(value)).toEqual([]);
  });

  test.each([
    ["no customer", { customer: undefined }, "/customer"],
    ["an empty customer", { customer: "" }, "/customer"],
    ["a customer of 65 characters", { customer: "x".repeat(65) }, "/customer"],
    ["a customer of 65 characters of two code units", { customer: "🔥".repeat(65) }, "/customer"],
    ["a number for the customer", { customer: 42 }, "/customer"],
    ["null for the customer", { customer: null }, "/customer"],
    ["a line break", { customer: "c\n42" }, "/customer"],
    ["a NUL", { note: "\u0000" }, "/note"],
    ["a DEL", { note: "\u007f" }, "/note"],
    ["a C1 control character", { note: "\u009b31m" }, "/note"],
    ["half a character", { customer: "\ud83d" }, "/customer"],
    ["the other half", { customer: "x\ude00" }, "/customer"],
    ["an empty note", { note: "" }, "/note"],
    ["a note of 201 characters", { note: "x".repeat(201) }, "/note"],
    ["a coffee that is not on the menu", { coffee: "tea" }, "/coffee"],
    ["another case", { coffee: "Latte" }, "/coffee"],
    ["an unknown size", { size: "huge" }, "/size"],
    ["an unknown milk", { milk: "yak" }, "/milk"],
    ["no milk as null", { milk: null }, "/milk"],
    ["a quantity of 0", { quantity: 0 }, "/quantity"],
    ["a quantity of 101", { quantity: 101 }, "/quantity"],
    ["a broken quantity", { quantity: 1.5 }, "/quantity"],
    ["a quantity in words", { quantity: "2" }, "/quantity"],
    ["an unknown member", { sugar: 1 }, "/sugar"],
    ["an id of its own", { id: "b98a142b-6ad9-8a04-b1ce-b0407a8ec501" }, "/id"],
    ["a nested member", { coffee: { kind: "latte" } }, "/coffee"],
    ["a member that needs escaping", { "a/b~c": 1 }, "/a~1b~0c"],
  ])("with %s has that fault, by its pointer", (_, change, pointer) => {
    // As a client would send it: what is undefined is not there.
    expect(pointersOf(JSON.parse(JSON.stringify({ ...order, ...change })))).toEqual([pointer]);
  });

  test("has all its faults listed, each place once", () => {
    const value = { coffee: "tea", size: 1, quantity: 0, sugar: 1 };
    expect(pointersOf(value).sort()).toEqual(["/coffee", "/customer", "/quantity", "/size", "/sugar"]);
  });

  test("says which words it knows, and how long a text may be", () => {
    expect(orderFaults({ ...order, size: "huge", note: "a\nb" })).toEqual([
      { pointer: "/size", detail: "Expected one of small, medium, large" },
      { pointer: "/note", detail: "Expected one line of 1 to 200 characters" },
    ]);
  });

  test.each([[null], [true], [1], ["order"], [[order]], [[]]])(
    "is not %j: the whole is at fault",
    (value) => {
      expect(pointersOf(value)).toContain("");
    },
  );

  test("with ten thousand unknown members gets a bounded answer", () => {
    const members = Array.from({ length: 10_000 }, (_, index) => [`m${index}`, 1]);
    expect(orderFaults({ ...order, ...Object.fromEntries(members) })).toHaveLength(20);
  });

  test.each(["__proto__", "constructor", "hasOwnProperty", "toString"])(
    "with a member %s is refused, and no prototype is touched",
    (name) => {
      const value = JSON.parse(
        `{"customer":"c","coffee":"latte","size":"small","quantity":1,"${name}":{"a":1}}`,
      );
      expect(pointersOf(value)).toEqual([`/${name}`]);
      expect(({} as { a?: number }).a).toBeUndefined();
    },
  );

  test("does not take members from its prototype", () => {
    const value = JSON.parse('{"__proto__":{"customer":"c","coffee":"latte","size":"small","quantity":1}}');
    expect(pointersOf(value)).toContain("/customer");
  });
});

describe("a body", () => {
  test("in UTF-8 is read", () => {
    expect(parseJson(Buffer.from('{"customer":"Zoë ☕"}'))).toEqual({ customer: "Zoë ☕" });
  });

  test.each([
    ["that is empty", [], "empty"],
    ["of blanks", [0x20, 0x0a], "not JSON"],
    ["that breaks off", [...Buffer.from('{"customer":')], "not JSON"],
    ["with two documents", [...Buffer.from("{}{}")], "not JSON"],
    ["with a trailing comma", [...Buffer.from('{"a":1,}')], "not JSON"],
    ["with NaN", [...Buffer.from('{"a":NaN}')], "not JSON"],
    ["in Latin-1", [0x22, 0xeb, 0x22], "not UTF-8"],
    ["in UTF-16", [...Buffer.from('{"a":1}', "utf16le")], "not JSON"],
    ["with an overlong slash", [0x22, 0xc0, 0xaf, 0x22], "not UTF-8"],
    ["with an encoded surrogate", [0x22, 0xed, 0xa0, 0x80, 0x22], "not UTF-8"],
  ])("%s is refused", (_, bytes, reason) => {
    expect(() => parseJson(Uint8Array.from(bytes))).toThrow(reason);
  });

  test("nested a million levels deep is refused, and nothing breaks", () => {
    const depth = 1_000_000;
    let value: unknown;
    try {
      value = parseJson(Buffer.from("[".repeat(depth) + "]".repeat(depth)));
    } catch (error) {
      expect((error as Error).message).toContain("not JSON");
      return;
    }
    expect(pointersOf(value)).toEqual([""]);
  });
});

describe("a record's value", () => {
  const placed = {
    ...order,
    id: "b98a142b-6ad9-8a04-b1ce-b0407a8ec501",
    placedAt: "2026-11-22T17:00:00.123Z",
  };
  const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));

  test("is an order with its id and time", () => {
    expect(decodePlacedOrder(bytes(placed))).toEqual(placed as never);
  });

  test.each<[string, Uint8Array | null, string]>([
    ["null, a tombstone", null, "empty"],
    ["empty", Buffer.alloc(0), "empty"],
    ["garbage", Buffer.from([0, 0xff, 0xfe]), "not UTF-8"],
    ["an order that was never placed", bytes(order), "/id"],
    ["an order with a wrong id", bytes({ ...placed, id: "42" }), "/id"],
    ["an order with a wrong time", bytes({ ...placed, placedAt: "yesterday" }), "/placedAt"],
    ["an order with another schema", bytes({ ...placed, sugar: 1, quantity: "2" }), "/quantity"],
    ["no object", bytes([placed]), "not an order"],
  ])("that is %s is refused with the reason", (_, value, reason) => {
    expect(() => decodePlacedOrder(value)).toThrow(reason);
  });
});
