import { expect, test } from "bun:test";
import { knownWord, readCommandLine, wholeNumber } from "./arguments.ts";
import { UserError } from "./user-error.ts";

test("an unknown option is refused in words, with the usage after them", () => {
  const read = () => readCommandLine({ args: ["--rol"], options: { role: { type: "string" } } }, "the usage");
  expect(read).toThrow(UserError);
  expect(read).toThrow(/--rol[\s\S]*\n\nthe usage$/);
});

test.each([
  [["--role", ""], "--role is empty."],
  [["--role="], "--role is empty."],
  [["--role", "leader", "--role", "any"], "--role is given twice."],
  [["kill", ""], "A word is empty."],
])("%p is refused: it says too little, or two things", (args, message) => {
  const options = { role: { type: "string" }, all: { type: "boolean" } } as const;
  expect(() => readCommandLine({ args, options, allowPositionals: true })).toThrow(message);
});

test("a number below zero is a value, so that whoever takes it can say what is wrong with it", () => {
  const options = { nth: { type: "string" }, all: { type: "boolean" } } as const;
  expect({ ...readCommandLine({ args: ["--nth", "-1"], options }).values }).toEqual({ nth: "-1" });
  expect(() => readCommandLine({ args: ["--all", "-1"], options })).toThrow("-1");
});

test("what may come several times may, and so may what says the same twice", () => {
  const options = { only: { type: "string", multiple: true }, all: { type: "boolean" } } as const;
  const { values } = readCommandLine({ args: ["--only", "a", "--only", "b", "--all", "--all"], options });
  expect({ ...values }).toEqual({ only: ["a", "b"], all: true });
});

test("a word is one of those that there are", () => {
  expect(knownWord("tier", "broker", ["broker", "consumer"])).toBe("broker");
  expect(() => knownWord("tier", "barista", ["broker", "consumer"])).toThrow(
    '"barista" is no tier. There are: broker, consumer',
  );
});

test.each(["0", "-1", "1.5", "1e3", "", "two", "11"])("%p is no whole number from 1 to 10", (text) => {
  expect(() => wholeNumber("--rate", text, 1, 10)).toThrow(`--rate ${text}: a whole number from 1 to 10.`);
});
