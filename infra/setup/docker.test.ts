import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type BareMachine, bareMachine } from "../../kit/testing/bare-machine.ts";
import { comesTrue } from "../../kit/until.ts";
import { dockerDaemon, startDaemon } from "./docker.ts";

/** A program that answers by a file, and takes the file away when it is told to end. */
const daemonIn = ({ folder }: BareMachine) => ({
  argv: [
    process.execPath,
    "-e",
    `import { rmSync, writeFileSync } from "node:fs";
     process.on("SIGTERM", () => { rmSync("answers"); process.exit(); });
     writeFileSync("answers", "");
     setInterval(() => {}, 1000);`,
  ],
  cwd: folder,
  answers: async () => existsSync(join(folder, "answers")),
});

test("a daemon that answers is used, and left alone at the end", async () => {
  using machine = bareMachine();
  machine.program("docker", 'echo "$1" >> "$CALLS"; echo 28.0.1');
  const daemon = await dockerDaemon(machine);
  await daemon.stop();
  expect(daemon.pid).toBeUndefined();
  expect(await machine.calls()).toEqual(["version"]);
});

test("where none answers, only root starts one", async () => {
  using machine = bareMachine();
  machine.program("docker", "exit 1");
  await expect(dockerDaemon(machine)).rejects.toThrow("No Docker daemon answers");
});

describe("a daemon that is started", () => {
  test("answers, and is ended by whoever asked for it", async () => {
    using machine = bareMachine();
    const program = daemonIn(machine);
    const daemon = await startDaemon(machine, program);
    expect(await program.answers()).toBe(true);
    await daemon.stop();
    expect(await program.answers()).toBe(false);
  });

  test("and ends at once fails with the end of its log", async () => {
    using machine = bareMachine();
    const argv = ["sh", "-c", "echo 'failed to start: no cgroups' >&2; exit 1"];
    machine.env.PATH = process.env.PATH;
    await expect(startDaemon(machine, { argv, answers: async () => false })).rejects.toThrow("no cgroups");
  });

  test("and does not answer in time is ended", async () => {
    using machine = bareMachine();
    const program = daemonIn(machine);
    const started = startDaemon(machine, { ...program, answers: async () => false, startLimitMs: 1_000 });
    const failure = started.catch((error) => error.message);
    expect(await comesTrue(program.answers)).toBe(true);
    expect(await failure).toContain("did not come up");
    expect(await program.answers()).toBe(false);
  });
});
