// The commands as they are typed: each refuses what it does not know, at once.
import { expect, test } from "bun:test";
import { join } from "node:path";
import { commands } from "../setup/requirements.ts";

const root = join(import.meta.dir, "..", "..");

async function typed(...argv: string[]) {
  // Not as a part of the make that may run this test: that one would say more.
  const env = { ...process.env, MAKEFLAGS: undefined, MAKELEVEL: undefined };
  const child = Bun.spawn(argv, { cwd: root, env, stdin: "ignore", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { exitCode: await child.exited, stdout, stderr };
}

test("make says what there is, each with its line", async () => {
  const { exitCode, stdout } = await typed("make");
  expect(exitCode).toBe(0);
  const documented = stdout
    .trim()
    .split("\n")
    .map((line) => line.match(/^make (\w+) +\S/)?.[1]);
  const phony = (await Bun.file(join(root, "Makefile")).text()).match(/^\.PHONY: (.*)$/m)?.[1]?.split(" ");
  expect(documented).toEqual(phony ?? []);
  expect(documented).toEqual(expect.arrayContaining(["demo", "up", "down", "test", "help"]));
});

test("make refuses a target that there is not", async () => {
  expect((await typed("make", "coffee")).exitCode).toBe(2);
});

test("set-up names the commands that it prepares for", async () => {
  for (const argument of [[], ["coffee"]]) {
    const { exitCode, stderr } = await typed(process.execPath, "infra/setup/main.ts", ...argument);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 2,
      stderr: expect.stringContaining(`${commands.join(", ")}\n`),
    });
  }
});

test("the runner names the suites that there are, before any set-up", async () => {
  const { exitCode, stderr } = await typed(process.execPath, "infra/test/main.ts", "unit", "coffee");
  expect(exitCode).toBe(2);
  expect(stderr).toStartWith('"coffee" is no suite. There are: check, unit,');
});
