// The stage in the background: who it is known by, and that nobody else is ended in its stead.
import { expect, test } from "bun:test";
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { cachePath } from "../kit/machine.ts";
import { bareMachine } from "../kit/testing/bare-machine.ts";
import { until } from "../kit/until.ts";
import { endService, noteService, ownToken, stageAt, stagePort } from "./stage-service.ts";

test("the port is the usual one, or a port", () => {
  expect(stagePort({})).toBe(8088);
  expect(stagePort({ STAGE_PORT: "0" })).toBe(0);
  for (const given of ["x", "-1", "65536", "80.5"])
    expect(() => stagePort({ STAGE_PORT: given })).toThrow(given);
});

test("a user's token is made once, for nobody else to read", async () => {
  using machine = bareMachine();
  const token = await ownToken(machine);
  expect(token).toMatch(/^[\w-]{43}$/);
  expect(await ownToken(machine)).toBe(token);
  expect(statSync(cachePath(machine, "stage", "token")).mode & 0o777).toBe(0o600);
});

test("a stage that runs is found by its port, and what only says so is none", async () => {
  using machine = bareMachine();
  const entry = join(import.meta.dir, "..", "stage", "main.ts");
  // Known by its entry among its arguments.
  const stage = Bun.spawn([process.execPath, "-e", "setTimeout(() => {}, 60_000)", entry]);
  const other = Bun.spawn(["sleep", "60"]);
  for (const [project, { pid }, port] of [
    ["one", stage, 1],
    ["two", other, 2],
  ] as const) {
    const path = cachePath(machine, "stage", `${project}.json`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, JSON.stringify({ pid, url: `http://127.0.0.1:${port}/?token=x` }));
  }
  // A process has its own arguments a moment after its start.
  await until("the stage is found", () => stageAt(machine, 1));
  expect([1, 2, 3].map((port) => stageAt(machine, port))).toEqual([
    "http://127.0.0.1:1/?token=x",
    undefined,
    undefined,
  ]);
  // One more, by hand, is not noted in its place: it would take the note with it.
  const second = await noteService(machine, "one", "http://127.0.0.1:3/?token=x");
  await second.remove();
  expect(stageAt(machine, 1)).toBe("http://127.0.0.1:1/?token=x");
  for (const one of [stage, other]) one.kill();
});

test("a note whose process is no stage, or is gone, ends nobody", async () => {
  using machine = bareMachine();
  const other = Bun.spawn(["sleep", "60"]);
  const path = cachePath(machine, "stage", "project.json");
  mkdirSync(dirname(path), { recursive: true });
  for (const pid of [other.pid, 2 ** 22 + 1]) {
    writeFileSync(path, JSON.stringify({ pid, url: "http://127.0.0.1:1" }));
    await endService(machine, "project");
  }
  await endService(machine, "no such project");
  expect(other.exitCode).toBeNull();
  expect(other.killed).toBe(false);
  other.kill();
});

test("a stage's note goes with it", async () => {
  using machine = bareMachine();
  const note = await noteService(machine, "project", "http://127.0.0.1:1");
  expect(await Bun.file(cachePath(machine, "stage", "project.json")).json()).toEqual({
    pid: process.pid,
    url: "http://127.0.0.1:1",
  });
  await note.remove();
  expect(await Bun.file(cachePath(machine, "stage", "project.json")).exists()).toBe(false);
});
