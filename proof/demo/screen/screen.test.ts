import { expect, test } from "bun:test";
import { openScreen } from "./screen.ts";

/** An output that keeps what is written to it. */
function output(isTTY: boolean) {
  const written: string[] = [];
  const listeners: (() => void)[] = [];
  const out = {
    isTTY,
    columns: 20,
    rows: 4,
    write: (text: string) => written.push(text) > 0,
    on: (_: string, listener: () => void) => listeners.push(listener),
  };
  return { out: out as unknown as NodeJS.WriteStream, take: () => written.splice(0).join(""), listeners };
}
const nothing = () => undefined;

test("without a terminal there are only lines", () => {
  const { out, take } = output(false);
  const screen = openScreen(out, {}, nothing);
  expect(screen.live).toBe(false);
  screen.show(["a table"]);
  screen.say("an event");
  expect(take()).toBe("an event\n");
});

test("on a terminal an event is written above the table, which is drawn anew in its place", () => {
  const { out, take } = output(true);
  const screen = openScreen(out, { NO_COLOR: "1" }, nothing);
  screen.show(["one", "two"]);
  expect(take()).toBe("one\ntwo\n");
  screen.say("an event");
  expect(take()).toBe("\x1b[2F\x1b[Jan event\none\ntwo\n");
  screen.show(["three"]);
  expect(take()).toBe("\x1b[2F\x1b[Jthree\n");
  screen.leave();
  screen.say("the end");
  expect(take()).toBe("the end\n");
});

test("a table never wraps or scrolls: it could not be taken back", () => {
  const { out, take } = output(true);
  openScreen(out, { NO_COLOR: "1" }, nothing).show(["x".repeat(30), "2", "3", "4", "5"]);
  expect(take()).toBe(`${"x".repeat(19)}\n2\n3\n`);
});

test("colour is there for who wants it, and counts for no width", () => {
  const { out, take } = output(true);
  openScreen(out, {}, nothing).show([`consumer-1 up ${"x".repeat(30)}`, "dead"]);
  expect(take()).toBe("consumer-1 \x1b[32mup\x1b[39m xxxxx\n\x1b[31mdead\x1b[39m\n");
  expect(openScreen(out, { TERM: "dumb" }, nothing).live).toBe(false);
});

test("an output that is gone is told", () => {
  const { out, listeners } = output(true);
  let gone = 0;
  openScreen(out, {}, () => gone++);
  for (const listener of listeners) listener();
  expect(gone).toBe(1);
});
