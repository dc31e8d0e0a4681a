import { expect, test } from "bun:test";
import { thisMachine } from "../kit/machine.ts";
import { buildFaults, type Platform, platformFaults, thisPlatform } from "./faults.ts";
import { versions } from "./versions.ts";

const good: Platform = { bun: versions.bun, node: versions.node, os: "linux", arch: "x64", libc: "glibc" };

test("this platform has no faults, and neither has Linux on arm64", () => {
  expect(platformFaults(thisPlatform())).toEqual([]);
  expect(platformFaults({ ...good, arch: "arm64" })).toEqual([]);
});

test.each([
  ["darwin on x64", { os: "darwin" }],
  ["win32 on x64", { os: "win32" }],
  ["linux on ia32", { arch: "ia32" }],
  ["musl", { libc: "musl" }],
  ["Bun 1.4.6", { bun: "1.4.6" }],
  ["headers of Node 30.1.0", { bun: "2.0.0", node: "30.1.0" }],
  ["Node 26.4.0", { node: "26.4.0" }],
] as [string, Partial<Platform>][])("%s: refused", (message, other) => {
  const faults = platformFaults({ ...good, ...other });
  expect(faults).toHaveLength(1);
  expect(faults[0]).toContain(message);
});

test("every fault is said, not the first alone", () => {
  expect(
    platformFaults({ bun: "1.0.0", node: "22.0.0", os: "linux", arch: "s390x", libc: "musl" }),
  ).toHaveLength(3);
});

test("this machine has what a build takes", async () => {
  expect(await buildFaults(thisMachine(AbortSignal.timeout(30_000)))).toEqual([]);
});
