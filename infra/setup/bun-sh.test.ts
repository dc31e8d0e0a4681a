import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type BareMachine, bareMachine } from "../../kit/testing/bare-machine.ts";

const root = join(import.meta.dir, "..", "..");
const script = "infra/setup/bun.sh";
const pinned = (await Bun.file(join(root, "package.json")).json()).packageManager.split("@")[1];

/**
 * A machine with the plain tools that the script uses, an ordinary user, a clone of the project that has the script, and an npm
 * that brings a Bun, whose digest the clone knows.
 */
function machineWithNpm(bringsVersion = pinned): BareMachine {
  const machine = bareMachine();
  const bun = `#!/bin/sh\necho ${bringsVersion}\n`;
  mkdirSync(join(machine.folder, "infra/setup"), { recursive: true });
  for (const file of [script, "package.json"]) copyFileSync(join(root, file), join(machine.folder, file));
  digestIs(machine, new Bun.CryptoHasher("sha256").update(bun).digest("hex"));
  for (const tool of [
    "chmod",
    "dirname",
    "mkdir",
    "mktemp",
    "mv",
    "readlink",
    "rm",
    "sed",
    "sha256sum",
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
     mkdir -p $bin && printf '${bun}' > $bin/bun && chmod +x $bin/bun`,
  );
  return machine;
}

function digestIs({ folder }: BareMachine, sum: string) {
  writeFileSync(join(folder, "infra/setup/bun.sha256"), `${sum}  @oven/bun-linux-x64@${pinned}\n`);
}

async function runScript(machine: BareMachine) {
  const child = Bun.spawn(["/bin/sh", join(machine.folder, script)], {
    env: machine.env,
    stdin: "ignore",
    stderr: "pipe",
  });
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

test("it is the one also for a user without a home", async () => {
  using machine = machineWithNpm();
  machine.program("bun", `echo ${pinned}`);
  delete machine.env.HOME;
  const { exitCode, stderr } = await runScript(machine);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
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

  test.each(["0".repeat(64), ""])("one of another digest than %s is not used", async (sum) => {
    using machine = machineWithNpm();
    digestIs(machine, sum);
    const { exitCode, stdout, stderr } = await runScript(machine);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toContain("is not the one of infra/setup/bun.sha256");
    expect(existsSync(cached(machine))).toBe(false);
  });

  test("there is a digest of the pinned version for each machine that it is brought to", async () => {
    const digests = await Bun.file(join(root, "infra/setup/bun.sha256")).text();
    for (const arch of ["x64", "aarch64"])
      expect(digests).toMatch(new RegExp(`^[0-9a-f]{64}  @oven/bun-linux-${arch}@${pinned}$`, "m"));
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
