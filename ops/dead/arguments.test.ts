import { expect, test } from "bun:test";
import { UserError } from "../../kit/user-error.ts";
import { readDeadCommand } from "./arguments.ts";
import { letterOf } from "./letters.ts";

const nowMs = Date.parse("2026-01-31T12:00:00Z");
const read = (...argv: string[]) => readDeadCommand(argv, nowMs);

test("filters, ages and times are understood", () => {
  expect(read("list")).toEqual({ name: "list", filter: {}, limit: 50, json: false });
  expect(
    read("list", "--reason", "sour", "--order", "AB", "--customer", "c1", "--limit", "3", "--json"),
  ).toEqual({
    name: "list",
    filter: { reason: "sour", orderId: "ab", customer: "c1" },
    limit: 3,
    json: true,
  });
  expect(read("redrive", "--since", "90s", "--before", "2026-01-31")).toEqual({
    name: "redrive",
    which: { sinceMs: nowMs - 90_000, beforeMs: Date.parse("2026-01-31") },
    limit: Infinity,
    dryRun: false,
    json: false,
  });
  expect(read("redrive", "--all", "--limit", "2", "--after", "3/17", "--dry-run")).toMatchObject({
    after: { partition: 3, offset: 17 },
    dryRun: true,
  });
  expect(read("redrive", "3/17", "--limit", "1")).toMatchObject({ which: { partition: 3, offset: 17 } });
  expect(read("purge", "--before", "7d")).toMatchObject({ beforeMs: nowMs - 7 * 86_400_000, yes: false });
  expect(read("purge", "--all", "--yes")).toEqual({ name: "purge", beforeMs: Infinity, yes: true });
  expect(read("purge", "--before", "2026-01-31T09:00:00.5+02:00")).toMatchObject({
    beforeMs: Date.parse("2026-01-31T07:00:00.500Z"),
  });
  expect(read("show", "0/0")).toMatchObject({ name: "show", place: { partition: 0, offset: 0 } });
  expect(read("list", "--help")).toEqual({ name: "help" });
});

test.each<[string[], RegExp]>([
  [[], /a command is missing/],
  [["drop"], /no command drop/],
  [["list", "3/17"], /list does not take 3\/17/],
  [["list", "--yes"], /list does not take --yes/],
  [["list", "--reazon", "x"], /reazon/],
  [["list", "--limit", "0"], /--limit takes a number/],
  [["list", "--since", "yesterday"], /--since takes a time/],
  [["purge", "--before", "2026-01-31T09:00:00"], /--before takes a time such as .*Z/],
  [["purge", "--before", "2026-02-30"], /--before takes a time/],
  [["show"], /PARTITION\/OFFSET/],
  [["show", "3"], /PARTITION\/OFFSET.*not 3/],
  [["redrive", "--reason", ""], /--reason is empty/],
  [["redrive", "--all", "--after", "17"], /PARTITION\/OFFSET/],
  [["redrive"], /--all for every letter/],
  [["redrive", "--limit", "5"], /--all for every letter/],
  [["redrive", "--all", "--customer", "c1"], /one of/],
  [["redrive", "3/17", "--all"], /one of/],
  [["purge"], /--before TIME, or --all/],
  [["purge", "--all", "--before", "7d"], /--before TIME, or --all/],
  [["purge", "--customer", "c1"], /purge does not take --customer/],
])("%p makes no sense, and the message says why", (argv, message) => {
  expect(() => read(...argv)).toThrow(message);
  expect(() => read(...argv)).toThrow(UserError);
});

test("a letter of any time is listed: what strangers wrote ends no command", () => {
  const stranger = { topic: "t", partition: 0, offset: 0, key: null, value: null, headers: [] };
  for (const timestampMs of [-1, 0, 2 ** 63, -(2 ** 63)])
    expect(letterOf({ ...stranger, timestampMs }).deadAt).toMatch(/Z$/);
});
