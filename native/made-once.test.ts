import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Machine, thisMachine } from "../kit/machine.ts";
import { digest, madeOnce } from "./made-once.ts";

let machine: Machine;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "coffee-orders-made-"));
  machine = { ...thisMachine(new AbortController().signal), env: { XDG_CACHE_HOME: folder } };
});
afterEach(() => rmSync(folder, { recursive: true }));

const shelf = () => readdirSync(join(folder, "coffee-orders", "native")).sort();
const writing = (text: string) => async (into: string) => writeFileSync(join(into, "result"), text);
const result = (path: string) => readFileSync(join(path, "result"), "utf8");

test("what was made is not made again", async () => {
  const first = await madeOnce(machine, "it", writing("first"));
  const second = await madeOnce(machine, "it", writing("second"));
  expect([second, result(second)]).toEqual([first, "first"]);
  expect(shelf()).toEqual(["it"]);
});

test("two who make the same at once both get it whole, and nothing else stays", async () => {
  const gate = Promise.withResolvers<void>();
  let waiting = 0;
  const make = async (into: string) => {
    await writing("half")(into);
    if (++waiting === 2) gate.resolve(); // both are amid their work
    await gate.promise;
    await writing("whole")(into);
  };
  const [one, other] = await Promise.all([madeOnce(machine, "it", make), madeOnce(machine, "it", make)]);
  expect([one, result(one)]).toEqual([other, "whole"]);
  expect(shelf()).toEqual(["it"]);
});

test("a failure leaves nothing behind, and the next try starts anew", async () => {
  const failing = madeOnce(machine, "it", async (into) => {
    await writing("half")(into);
    throw new Error("no compiler");
  });
  expect(failing).rejects.toThrow("no compiler");
  await failing.catch(() => undefined);
  expect(shelf()).toEqual([]);
  expect(result(await madeOnce(machine, "it", writing("whole")))).toBe("whole");
});

test("what nobody has used for a month goes, unfinished things included; what is used stays", async () => {
  for (const name of ["old", "used", "half.x1y2z3"]) await madeOnce(machine, name, writing(name));
  const month = new Date(Date.now() - 31 * 24 * 60 * 60_000);
  for (const name of shelf()) utimesSync(join(folder, "coffee-orders", "native", name), month, month);
  await madeOnce(machine, "used", writing("again"));
  await madeOnce(machine, "new", writing("new"));
  expect(shelf()).toEqual(["new", "used"]);
});

test("a digest changes with a text, with a file's content, and with nothing else", () => {
  const file = join(folder, "file");
  writeFileSync(file, "content");
  const before = digest(["1.0"], [file]);
  expect(digest(["1.0"], [file])).toBe(before);
  expect(digest(["1.1"], [file])).not.toBe(before);
  writeFileSync(file, "changed");
  expect(digest(["1.0"], [file])).not.toBe(before);
});
