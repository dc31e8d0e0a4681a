import { describe, expect, test } from "bun:test";
import { type BareMachine, bareMachine } from "../../kit/testing/bare-machine.ts";
import { UserError } from "../../kit/user-error.ts";
import { satisfy } from "./prepare.ts";
import { commands, type Requirement, requirementsOf } from "./requirements.ts";

const none: ReadonlySet<Requirement> = new Set();

describe("where nothing may be installed", () => {
  test.each([...commands])("one message says everything that %s lacks and how to get it", async (command) => {
    using machine = bareMachine();
    const message = await refusal(requirementsOf(command), machine);
    for (const { name, howToGet } of requirementsOf(command)) {
      expect(message).toContain(`  - ${name}: ${howToGet}`);
    }
    expect(message.split("\n")).toHaveLength(requirementsOf(command).length + 2);
    expect(message).toStartWith("Missing here, and is not installed from here (not root)");
    expect(machine.said).toEqual([]);
  });

  test("it says why, on a system with another package manager", async () => {
    using machine = bareMachine();
    machine.root = true;
    expect(await refusal(requirementsOf("demo"), machine)).toContain("(no apt-get)");
  });

  test("what is there is not asked for", async () => {
    using machine = bareMachine();
    machine.program("haproxy", "echo HAProxy version 2.6.12");
    expect(await refusal(requirementsOf("demo"), machine)).not.toContain("HAProxy");
  });
});

describe("what is missing", () => {
  test("is made once: a second time nothing is done", async () => {
    using machine = bareMachine();
    const tool = makeable("tool");
    expect(await satisfy([tool], none, machine)).toEqual([]);
    expect(await satisfy([tool], none, machine)).toEqual([]);
    expect(tool.timesMade).toBe(1);
  });

  test("and hopeless is said before any long work on the rest", async () => {
    using machine = bareMachine();
    const tool = makeable("tool");
    expect(await refusal([tool, hopeless("thing")], machine)).toContain("thing");
    expect(tool.timesMade).toBe(0);
  });

  test("and may be lacked is given back if it can't be made", async () => {
    using machine = bareMachine();
    const tool = makeable("tool");
    const broken = makeable("broken", new UserError("no disk"));
    expect(await satisfy([broken, tool], new Set([broken]), machine)).toEqual([broken]);
    expect(tool.timesMade).toBe(1);
    expect(machine.said).toEqual(["no disk"]);
    expect(await refusal([broken], machine)).toBe("no disk");
  });

  test("and may be lacked is not made in vain, where another part of it can't be had", async () => {
    using machine = bareMachine();
    const tool = makeable("tool");
    const part = makeable("part");
    const thing = hopeless("thing");
    expect(await satisfy([part, thing, tool], new Set([part, thing]), machine)).toEqual([thing]);
    expect([tool.timesMade, part.timesMade]).toEqual([1, 0]);
  });

  test("is first looked for among the packages, all at once", async () => {
    using machine = bareMachine();
    machine.root = true;
    machine.program("apt-get", `case "$1" in install) echo "$*" >> "$CALLS"; : > "$HOME/installed" ;; esac`);
    machine.program("apt-cache", "printf 'one:\\n  Candidate: 1\\ntwo:\\n  Candidate: 2\\n'");
    const packaged = (name: string): Requirement => ({
      ...hopeless(name),
      isThere: () => Bun.file(`${machine.folder}/installed`).exists(),
      packages: async () => [[name]],
    });
    expect(await satisfy([packaged("one"), packaged("two")], none, machine)).toEqual([]);
    const calls = await machine.calls();
    expect(calls).toHaveLength(1);
    expect(calls[0]).toEndWith(" one two");
  });
});

async function refusal(requirements: Requirement[], machine: BareMachine): Promise<string> {
  const error = await satisfy(requirements, none, machine).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(UserError);
  return error.message;
}

function hopeless(name: string): Requirement {
  return { name, isThere: async () => false, packages: async () => [], howToGet: "nowhere" };
}

function makeable(name: string, error?: Error): Requirement & { timesMade: number } {
  const requirement = {
    ...hopeless(name),
    timesMade: 0,
    isThere: async () => requirement.timesMade > 0,
    make: {
      can: async () => true,
      run: async () => {
        if (error) throw error;
        requirement.timesMade++;
      },
    },
  };
  return requirement;
}
