import { describe, expect, test } from "bun:test";
import { bareMachine } from "../../kit/testing/bare-machine.ts";
import { aptInstall, parsePolicy, pick } from "./apt.ts";

const policy = `docker.io:
  Installed: (none)
  Candidate: 20.10.24+dfsg1-1+deb12u1+b6
  Version table:
     20.10.24+dfsg1-1+deb12u1+b6 500
        500 http://mirror.example/debian bookworm/main amd64 Packages
docker-compose:
  Installed: (none)
  Candidate: 1.29.2-3
  Version table:
     1.29.2-3 500
docker-ce:
  Installed: (none)
  Candidate: (none)
  Version table:
`;

test("only what has a candidate is offered", () => {
  expect([...parsePolicy(policy)]).toEqual([
    ["docker.io", "20.10.24+dfsg1-1+deb12u1+b6"],
    ["docker-compose", "1.29.2-3"],
  ]);
});

test("the first choice that is offered, and new enough, is taken", () => {
  const offered = parsePolicy(policy);
  expect(pick(["docker-cli", "docker.io"], offered)).toBe("docker.io");
  expect(pick(["docker-compose>=2"], offered)).toBeUndefined();
  expect(pick(["docker-compose>=2", "docker-compose"], offered)).toBe("docker-compose");
  expect(pick(["docker-ce"], offered)).toBeUndefined();
});

describe("installing", () => {
  /** A machine whose apt offers one and two, and installs as `install` says. */
  const machineWithApt = (install: string) => {
    const machine = bareMachine();
    machine.program("apt-get", `echo "$1" >> "$CALLS"; case "$*" in install*) ${install} ;; esac`);
    machine.program("apt-cache", "printf 'one:\\n  Candidate: 1\\ntwo:\\n  Candidate: 2\\n'");
    return machine;
  };

  test("everything takes one update and one install", async () => {
    using machine = machineWithApt(`echo "$*" >> "$CALLS"`);
    await aptInstall([["one"], ["no-such-one", "two"], ["two"]], machine);
    const calls = await machine.calls();
    expect(calls.slice(0, 2)).toEqual(["update", "install"]);
    expect(calls[2]).toEndWith(" one two");
    expect(calls).toHaveLength(3);
  });

  test("is tried once more, with fresh lists, when it fails", async () => {
    using machine = machineWithApt(`[ -e "$HOME/tried" ] || { : > "$HOME/tried"; exit 100; }`);
    await aptInstall([["one"]], machine);
    expect(await machine.calls()).toEqual(["update", "install", "update", "install"]);
  });

  test("fails with the end of what apt said when it fails again", async () => {
    using machine = machineWithApt("echo E: no space left; exit 100");
    await expect(aptInstall([["one"]], machine)).rejects.toThrow("E: no space left");
    expect(await machine.calls()).toEqual(["update", "install", "update", "install"]);
  });

  test("nothing that is offered leaves it be", async () => {
    using machine = machineWithApt("");
    await aptInstall([["three"]], machine);
    expect(await machine.calls()).not.toContain("install");
  });
});
