import { describe, expect, spyOn, test } from "bun:test";
import { anOrder } from "../sample.ts";
import { decodePlacedOrder, orderFaults, parseJson } from "./validation.ts";

const pointersOf = (value: unknown) => orderFaults(value).map(({ pointer }) => pointer);

describe("an order", () => {
  test.each([[null], [true], [1], ["order"], [[anOrder]], [[]]])(
    "is not %j: the whole is at fault",
    (value) => {
      expect(pointersOf(value)).toContain("");
    },
  );

  test("with ten thousand unknown members gets a bounded answer", () => {
    const members = Array.from({ length: 10_000 }, (_, index) => [`m${index}`, 1]);
    expect(orderFaults({ ...anOrder, ...Object.fromEntries(members) })).toHaveLength(20);
  });

  test.each(["__proto__", "constructor", "hasOwnProperty", "toString"])(
    "with a member %s is refused, and no prototype is touched",
    (name) => {
      const value = JSON.parse(JSON.stringify(anOrder).replace(/}$/, `,"${name}":{"a":1}}`));
      expect(pointersOf(value)).toEqual([`/${name}`]);
      expect(({} as { a?: number }).a).toBeUndefined();
    },
  );

  test("does not take members from its prototype", () => {
    const value = JSON.parse(`{"__proto__":${JSON.stringify(anOrder)}}`);
    expect(pointersOf(value)).toEqual(expect.arrayContaining(Object.keys(anOrder).map((name) => `/${name}`)));
  });
});

/** The n-th of many names that all have one hash: the engine's multiplies the first and last four bytes, here to nothing. */
const ofOneHash = (n: number) => `\u0093K\u00b8\u008b${n.toString(36).padStart(4, "0")}\u00c9\u00ac.\u0096`;

describe("a body", () => {
  test("of chosen names slows down no later one: what is slow is collected, in however many bodies it comes", () => {
    using collect = spyOn(Bun, "gc");
    for (let body = 0; body < 120 && collect.mock.calls.length === 0; body += 1) {
      const names = Array.from({ length: 250 }, (_, n) => `"${ofOneHash(250 * body + n)}":1`);
      parseJson(Buffer.from(`{${names.join(",")}}`));
    }
    expect(collect).toHaveBeenCalled();
  });

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
    ...anOrder,
    id: "b98a142b-6ad9-8a04-b1ce-b0407a8ec501",
    placedAt: "2026-11-22T17:00:00.123Z",
  };
  /** Where all that is known has another type. */
  const foreign = Object.fromEntries(Object.keys(anOrder).map((name) => [name, null]));
  const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));

  test("is an order with its id and time", () => {
    expect(decodePlacedOrder(bytes(placed))).toEqual(placed as never);
  });

  test("of a later version is an order with all that is in it", () => {
    const later = { ...placed, sugar: 1, extras: [{ name: "honey" }] };
    expect(decodePlacedOrder(bytes(later))).toEqual(later as never);
    // At the door it is refused.
    const { id, placedAt, ...sent } = later;
    expect(pointersOf(sent).sort()).toEqual(["/extras", "/sugar"]);
  });

  test.each<[string, Uint8Array | null, string]>([
    ["null, a tombstone", null, "empty"],
    ["empty", Buffer.alloc(0), "empty"],
    ["garbage", Buffer.from([0, 0xff, 0xfe]), "not UTF-8"],
    ["an order that was never placed", bytes(anOrder), "/id"],
    ["an order with a wrong id", bytes({ ...placed, id: "42" }), "/id"],
    ["an order with a wrong time", bytes({ ...placed, placedAt: "yesterday" }), "/placedAt"],
    [
      "an order with another schema",
      bytes({ ...placed, ...foreign, sugar: 1 }),
      `/${Object.keys(foreign)[0]}`,
    ],
    ["no object", bytes([placed]), "not an order"],
  ])("that is %s is refused with the reason", (_, value, reason) => {
    expect(() => decodePlacedOrder(value)).toThrow(reason);
  });
});
