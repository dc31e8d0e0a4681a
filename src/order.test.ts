// What is an order of coffee and what is none. It goes when order.ts is replaced.
import { describe, expect, test } from "bun:test";
import type { Order } from "./order.ts";
import { orderFaults } from "./wire/validation.ts";

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
});
