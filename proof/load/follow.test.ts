import { afterAll, expect, test } from "bun:test";
import { appendFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../kit/until.ts";
import { lineOf } from "../client/answers.ts";
import { told } from "../testing/histories.ts";
import { follow } from "./follow.ts";

const path = join(tmpdir(), `coffee-orders-follow-${crypto.randomUUID()}`);
afterAll(() => rmSync(path));

test("each answer is told once: those of the record as it grows, the others at the end", async () => {
  const answers = ["äöü", "b", "c", "d"].map((key) => told(key));
  const [first = "", second = "", third = ""] = answers.map((one) => `${lineOf(one)}\n`);
  writeFileSync(path, first);
  const heard: string[] = [];
  const following = follow(path, (some) => heard.push(...some.map(({ key }) => key)));
  await until("the first is told", () => heard.length === 1);
  appendFileSync(path, second.slice(0, 20));
  appendFileSync(path, second.slice(20) + third);
  await until("they are told", () => heard.length === 3);
  await following.end(answers);
  expect(heard).toEqual(["äöü", "b", "c", "d"]);
});
