import { heapStats } from "bun:jsc";
import { beforeAll, describe, expect, test } from "bun:test";
import { compileProbe, PROBE_LIMIT_MS } from "./testing/probe.ts";

const ENCODINGS = { utf8: 1, buffer: 6 };

let probe: Record<string, (...values: unknown[]) => unknown>;
beforeAll(async () => {
  probe = require(await compileProbe("bun_compat_test"));
}, PROBE_LIMIT_MS);

const call = (method: string, ...values: unknown[]) => probe[method]?.(...values);
const throwing = {
  valueOf() {
    throw new Error("from valueOf");
  },
};

describe("Value::ToObject", () => {
  test("gives objects as they are", () => {
    for (const it of [{}, [], () => 1, /x/, Buffer.from("x"), new Proxy({}, {})])
      expect(call("toObject", it)).toBe(it);
  });
  test("wraps primitives", () => {
    for (const it of [1, "text", true, 10n, Symbol.iterator]) {
      const object = call("toObject", it);
      expect(typeof object).toBe("object");
      expect((object as { valueOf(): unknown }).valueOf()).toBe(it);
    }
  });
  test("throws for undefined and null", () => {
    expect(() => call("toObject", undefined)).toThrow(TypeError);
    expect(() => call("toObject", null)).toThrow(TypeError);
  });
});

test("Value::Int32Value is ECMAScript's ToInt32", () => {
  const numbers = [
    0,
    -0,
    1.9,
    -1.9,
    NaN,
    Infinity,
    -Infinity,
    2 ** 31,
    -(2 ** 31) - 1,
    2 ** 32 + 5,
    1e20,
    -1e20,
    2 ** 53,
  ];
  for (const it of [...numbers, "42", "4.5", "abc", "", true, null, undefined, [3], { valueOf: () => 7 }])
    expect(call("int32Value", it)).toBe((it as number) | 0);
});

test("Value::IntegerValue truncates, and gives the nearest that 64 bits hold", () => {
  const cases: [unknown, bigint][] = [
    [1.9, 1n],
    [-1.9, -1n],
    [NaN, 0n],
    ["abc", 0n],
    [undefined, 0n],
    ["42", 42n],
    [true, 1n],
    [{ valueOf: () => 7 }, 7n],
    [2 ** 53, 2n ** 53n],
    [1766000000000, 1766000000000n],
    [2 ** 63 - 1024, 2n ** 63n - 1024n],
    [2 ** 63, 2n ** 63n - 1n],
    [1e20, 2n ** 63n - 1n],
    [Infinity, 2n ** 63n - 1n],
    [-(2 ** 63), -(2n ** 63n)],
    [-1e20, -(2n ** 63n)],
    [-Infinity, -(2n ** 63n)],
  ];
  for (const [value, integer] of cases) expect(call("integerValue", value)).toBe(String(integer));
});

test("numbers that can't be had leave the exception to JavaScript", () => {
  for (const method of ["int32Value", "integerValue"]) {
    expect(() => call(method, throwing)).toThrow("from valueOf");
    expect(() => call(method, 10n)).toThrow(TypeError);
    expect(() => call(method, Symbol())).toThrow(TypeError);
  }
});

test("Value::BooleanValue is truthiness", () => {
  for (const it of [
    true,
    false,
    0,
    -0,
    NaN,
    1,
    "",
    "0",
    null,
    undefined,
    0n,
    1n,
    {},
    [],
    Symbol(),
    new Boolean(false),
  ])
    expect(call("booleanValue", it)).toBe(Boolean(it));
});

describe("RegExp", () => {
  class Own extends RegExp {}
  test("Value::IsRegExp knows one, and is not fooled", () => {
    for (const it of [/x/, /y/g, new Own("z"), Object.setPrototypeOf(/x/, null)])
      expect(call("isRegExp", it)).toBe(true);
    const lookalike = { source: "^x", flags: "", [Symbol.toStringTag]: "RegExp" };
    for (const it of [
      lookalike,
      RegExp.prototype,
      Object.create(RegExp.prototype),
      new Proxy(/x/, {}),
      "x",
      1,
      null,
    ])
      expect(call("isRegExp", it)).toBe(false);
  });
  test("RegExp::GetSource is the pattern, whatever the object pretends", () => {
    expect(call("getSource", /^orders-\d+\/$/i)).toBe("^orders-\\d+\\/$");
    expect(call("getSource", /(?:)/)).toBe("(?:)");
    expect(call("getSource", Object.defineProperty(/x/, "source", { value: "fake" }))).toBe("x");
    expect(call("getSource", Object.setPrototypeOf(/x/, null))).toBe("x");
  });
});

describe("Object", () => {
  const own = Object.assign(Object.create({ inherited: 1 }), { b: 1, a: 2, 7: 3, [Symbol("s")]: 4 });
  Object.defineProperty(own, "hidden", { value: 5, enumerable: false });
  const failing = new Proxy(
    {},
    {
      ownKeys: () => {
        throw new Error("from ownKeys");
      },
      has: () => {
        throw new Error("from has");
      },
    },
  );
  test("GetOwnPropertyNames gives own, enumerable, textual keys in their order", () => {
    expect(call("getOwnPropertyNames", own)).toEqual(["7", "b", "a"]);
    expect(call("getOwnPropertyNames", ["x"])).toEqual(["0"]);
    expect(() => call("getOwnPropertyNames", failing)).toThrow("from ownKeys");
  });
  test("Has finds own, inherited and hidden members", () => {
    for (const key of ["b", "inherited", "hidden", "toString", 7, ...Object.getOwnPropertySymbols(own)])
      expect(call("has", own, key)).toBe(true);
    expect(call("has", own, "c")).toBe(false);
    expect(call("has", Object.create(null), "toString")).toBe(false);
    expect(() => call("has", failing, "x")).toThrow("from has");
  });
});

describe("Buffer", () => {
  const bytes = () => Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]).buffer;
  const views = [
    Buffer.from([3, 4]),
    Buffer.from(bytes(), 2, 2),
    new Uint8Array(bytes(), 2, 2),
    new DataView(bytes(), 2, 2),
    new Uint16Array(bytes(), 2, 1),
    new Uint8Array(new SharedArrayBuffer(2)).fill(3, 0, 1).fill(4, 1),
    new Uint8Array(bytes()).subarray(2, 4),
  ];
  const empty = [Buffer.alloc(0), Buffer.from("x").subarray(1), new Uint8Array(0), new DataView(bytes(), 8)];

  test("HasInstance: any view on an ArrayBuffer, and nothing else", () => {
    for (const it of [...views, ...empty]) expect(call("hasInstance", it)).toBe(true);
    for (const it of [bytes(), "text", null, undefined, 1, {}, [1], { buffer: bytes(), byteLength: 8 }])
      expect(call("hasInstance", it)).toBe(false);
  });
  test("Data and Length are the view's own bytes, in place", () => {
    for (const it of views) {
      expect(call("readAndBump", it)).toEqual([3, 4]);
      expect([...new Uint8Array(it.buffer, it.byteOffset, it.byteLength)]).toEqual([4, 5]);
    }
  });
  test("empty ones have no length, but an address", () => {
    const detached = new Uint8Array(8);
    structuredClone(detached, { transfer: [detached.buffer] });
    for (const it of [...empty, detached]) {
      expect(call("length", it)).toBe(0);
      expect(call("isNull", it)).toBe(false);
    }
  });
  test("New gives a Buffer of the memory handed over", () => {
    for (const length of [0, 1, 5000]) {
      const buffer = call("newBuffer", length) as Buffer;
      expect(Buffer.isBuffer(buffer)).toBe(true);
      expect(buffer.equals(Buffer.alloc(length, "x"))).toBe(true);
    }
  });
  test("New frees what was handed over", () => {
    const make = (rounds: number) => {
      for (let i = 0; i < rounds; i++) call("newBuffer", 1_000_000);
      Bun.gc(true);
      return process.memoryUsage.rss();
    };
    const before = make(50);
    expect(make(500) - before).toBeLessThan(200e6);
  });
  test("TryEncode copies bytes, and refuses any other encoding", () => {
    const first = call("encode", ENCODINGS.buffer) as Buffer;
    first.fill(0);
    const second = call("encode", ENCODINGS.buffer) as Buffer;
    expect(Buffer.isBuffer(second)).toBe(true);
    expect([...second]).toEqual([97, 0, 255]);
    expect(second.buffer.byteLength).toBe(3); // no pool that a message kept for long would keep as well
    expect(() => call("encode", ENCODINGS.utf8)).toThrow(TypeError);
  });
});

test("Local<Function> == is whether it is the same function", () => {
  const one = () => 1;
  expect(call("sameFunction", one, one)).toBe(true);
  expect(call("sameFunction", one, () => 1)).toBe(false);
  expect(call("emptyFunctionsAreEqual", one)).toBe(true);
});

describe("Global", () => {
  const values = () => [
    {},
    () => 1,
    [1],
    Buffer.from("x"),
    "text",
    "ü",
    1,
    -1,
    2 ** 31,
    1.5,
    NaN,
    10n,
    Symbol("s"),
    /x/,
  ];
  const fixed = [undefined, null, true, false, 0, ""];

  test("names its value for as long as it is kept, whatever is collected meanwhile", () => {
    const all = [...values(), ...fixed, ...values()];
    const handles = all.map((it) => call("keep", it));
    Bun.gc(true);
    for (const it of values()) call("give", call("keep", it)); // slots that come and go
    expect(handles.map((handle) => call("read", handle))).toEqual(all);
    for (const handle of handles) call("give", handle);
  });
  test("keeps alive what nothing else names, and lets go of it once it is given back", async () => {
    const gone = new Set<number>();
    const registry = new FinalizationRegistry<number>((which) => gone.add(which));
    const handles = Array.from({ length: 1000 }, (_, which) => {
      const it = { which };
      registry.register(it, which);
      return call("keep", it);
    });
    Bun.gc(true);
    await Bun.sleep(1);
    expect(gone.size).toBe(0);
    expect(handles.map((handle) => call("read", handle))).toEqual(handles.map((_, which) => ({ which })));
    for (const handle of handles) call("give", handle);
    call("give", call("keep", {})); // lets go of what was given back before
    const mostGone = () => gone.size > 900;
    for (let tries = 0; tries < 100 && !mostGone(); tries++) {
      Bun.gc(true);
      await Bun.sleep(10);
    }
    expect(mostGone()).toBe(true);
  });
  test("is still named by a local handle when it is given back", () => {
    const it = { at: "work" };
    expect(call("giveInUse", call("keep", it), {})).toBe(it);
  });
  test("costs no memory once it is given back", () => {
    const rounds = (count: number) => {
      for (let i = 0; i < count; i++) call("give", call("keep", { bytes: "x".repeat(10) + i }));
      Bun.gc(true);
      return heapStats().objectCount;
    };
    const before = rounds(1_000);
    expect(rounds(100_000) - before).toBeLessThan(10_000);
  });
});

test("libuv's threads run and are joined, its read-write locks exclude", () => {
  expect(call("rwlockAndThreads")).toBe(4 * 10_000 * 2);
});
