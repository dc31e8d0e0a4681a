import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { type BareMachine, bareMachine } from "../../kit/testing/bare-machine.ts";

const script = join(import.meta.dir, "bun.sh");
const pinned = (await Bun.file(join(import.meta.dir, "../../package.json")).json()).packageManager.split(
  "@",
)[1];

/** A machine with the plain tools that the script uses, an ordinary user, and an npm that brings a Bun. */
function machineWithNpm(bringsVersion = pinned): BareMachine {
  const machine = bareMachine();
  for (const tool of [
    "chmod",
    "dirname",
    "mkdir",
    "mktemp",
    "mv",
    "readlink",
    "rm",
    "sed",
    "tail",
    "timeout",
  ]) {
    symlinkSync(Bun.which(tool) ?? tool, join(machine.folder, "programs", tool));
  }
  machine.program("uname", 'case "$1" in -s) echo Linux ;; *) echo x86_64 ;; esac');
  machine.program("id", "echo 1000");
  machine.program(
    "npm",
    `echo "$*" >> "$CALLS"
     bin=node_modules/@oven/bun-linux-x64/bin
     mkdir -p $bin && echo '#!/bin/sh\necho ${bringsVersion}' > $bin/bun && chmod +x $bin/bun`,
  );
  return machine;
}

async function runScript(machine: BareMachine) {
  const child = Bun.spawn(["/bin/sh", script], { env: machine.env, stdin: "ignore", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { exitCode: await child.exited, stdout: stdout.trim(), stderr };
}

const cached = ({ folder }: BareMachine) => join(folder, ".cache/coffee-orders/bun", pinned, "bun");

test("the pinned Bun on the PATH is the one, and nothing is said", async () => {
  using machine = machineWithNpm();
  machine.program("bun", `echo ${pinned}`);
  const path = join(machine.folder, "programs/bun");
  expect(await runScript(machine)).toEqual({ exitCode: 0, stdout: path, stderr: "" });
});

describe("where the pinned Bun is not on the PATH", () => {
  test.each(["none", "another version"])(
    "and %s is, it is brought once, and the PATH line said",
    async (other) => {
      using machine = machineWithNpm();
      if (other !== "none") machine.program("bun", "echo 1.0.0");
      const first = await runScript(machine);
      expect(first).toMatchObject({ exitCode: 0, stdout: cached(machine) });
      expect(first.stderr).toContain(`export PATH="${join(cached(machine), "..")}:$PATH"`);
      expect(await runScript(machine)).toEqual({ exitCode: 0, stdout: cached(machine), stderr: "" });
      const calls = await machine.calls();
      expect(calls).toHaveLength(1);
      expect(calls[0]).toEndWith(` @oven/bun-linux-x64@${pinned}`);
      expect(readdirSync(join(cached(machine), ".."))).toEqual(["bun"]);
    },
  );

  test("a broken one in the cache is replaced", async () => {
    using machine = machineWithNpm();
    mkdirSync(join(cached(machine), ".."), { recursive: true });
    await Bun.write(cached(machine), "cut short");
    chmodSync(cached(machine), 0o755);
    expect(await runScript(machine)).toMatchObject({ exitCode: 0, stdout: cached(machine) });
    expect(await machine.calls()).toHaveLength(1);
  });

  test("an npm that fails is quoted", async () => {
    using machine = machineWithNpm();
    machine.program("npm", "echo no such host; exit 1");
    const { exitCode, stdout, stderr } = await runScript(machine);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toContain("no such host");
  });

  test("one that does not run here is not taken for it", async () => {
    using machine = machineWithNpm("illegal instruction");
    const { exitCode, stdout, stderr } = await runScript(machine);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toContain("does not run on this machine");
  });

  test("another system is told what to do", async () => {
    using machine = machineWithNpm();
    machine.program("uname", "echo Plan9");
    const { exitCode, stderr } = await runScript(machine);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`Needs Bun ${pinned} on the PATH`);
    expect(await machine.calls()).toEqual([]);
  });
});
