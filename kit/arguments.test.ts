import { expect, test } from "bun:test";
import { knownWord, readCommandLine, wholeNumber } from "./arguments.ts";
import { UserError } from "./user-error.ts";

test("an unknown option is refused in words, with the usage after them", () => {
  const read = () => readCommandLine({ args: ["--rol"], options: { role: { type: "string" } } }, "the usage");
  expect(read).toThrow(UserError);
  expect(read).toThrow(/--rol[\s\S]*\n\nthe usage$/);
});

test("a word is one of those that there are", () => {
  expect(knownWord("tier", "broker", ["broker", "consumer"])).toBe("broker");
  expect(() => knownWord("tier", "barista", ["broker", "consumer"])).toThrow(
    '"barista" is no tier. There are: broker, consumer',
  );
});

test.each(["0", "-1", "1.5", "1e3", "", "two"])("%p is no whole number from 1 on", (text) => {
  expect(() => wholeNumber("--rate", text, 1)).toThrow(`--rate ${text}: a whole number from 1 on.`);
});
