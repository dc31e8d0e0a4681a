import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ask, cachePath, isAtLeast, which } from "./machine.ts";
import { bareMachine } from "./testing/bare-machine.ts";

test.each([
  ["k6 v1.8.1 (go1.26.8, linux/amd64)", "1.8", true],
  ["go version go1.19.8 linux/amd64", "1.21", false],
  ["HAProxy version 2.6.12-1+deb12u4 2026/05/07 - https://haproxy.org/", "2.6", true],
  ["2:1.19~1", "1.21", false],
  ["2:1.23~2~bpo12+1", "1.21", true],
  ["1.29.2-3", "2", false],
  ["15+248+deb12u1", "15", true],
  ["", "0", false],
])("%p is at least %p: %p", (version, minimum, expected) => {
  expect(isAtLeast(version, minimum)).toBe(expected);
});

test("the cache is where XDG says, else in the home folder", () => {
  using machine = bareMachine();
  expect(cachePath(machine, "bin")).toBe(join(machine.folder, ".cache/coffee-orders/bin"));
  machine.env.XDG_CACHE_HOME = "/elsewhere";
  expect(cachePath(machine, "bin")).toBe("/elsewhere/coffee-orders/bin");
});

describe("a program is found", () => {
  const put = (folder: string) => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "tool"), "#!/bin/sh\n");
    chmodSync(join(folder, "tool"), 0o755);
    return join(folder, "tool");
  };

  test("in what set-up built, before the PATH, before the newest of the places outside it", () => {
    using machine = bareMachine();
    machine.elsewhere.push(join(machine.folder, "lib/*/bin"));
    expect(which(machine, "tool")).toBeUndefined();
    const versions = ["13", "17", "14", "16", "15"];
    const places = versions.map((version) => put(join(machine.folder, `lib/${version}/bin`)));
    expect(which(machine, "tool")).toBe(places[1]);
    machine.program("tool", "");
    expect(which(machine, "tool")).toBe(join(machine.folder, "programs/tool"));
    const built = put(cachePath(machine, "bin"));
    expect(which(machine, "tool")).toBe(built);
  });

  test("and asked, an answer counting only from one that is there and succeeds", async () => {
    using machine = bareMachine();
    machine.program("good", 'echo "said $1 in $LC_ALL"');
    machine.program("bad", "echo nonsense; exit 1");
    expect(await ask(machine, "good", "hello")).toBe("said hello in C");
    expect(await ask(machine, "bad")).toBeUndefined();
    expect(await ask(machine, "absent")).toBeUndefined();
  });
});
