import { expect, test } from "bun:test";
import { bareMachine } from "../../kit/testing/bare-machine.ts";
import { pull } from "./pull.ts";

test("an image that a registry has is pulled", async () => {
  using machine = bareMachine();
  machine.program("docker", 'echo "$@" >> "$CALLS"; echo "1: Pulling from library/thing"');
  expect(await pull(machine, "thing:1")).toBe(true);
  expect(await machine.calls()).toEqual(["pull thing:1"]);
});

test("a registry that does not answer is told from one that does, and not asked again", async () => {
  using machine = bareMachine();
  machine.program("docker", 'echo "$@" >> "$CALLS"; echo "dial tcp: lookup: no such host" >&2; exit 1');
  expect(await pull(machine, "silent.example/thing:1")).toBe(false);
  expect(await pull(machine, "silent.example/other:1")).toBe(false);
  expect(await pull(machine, "other.example/thing:1")).toBe(false);
  expect(await machine.calls()).toEqual(["pull silent.example/thing:1", "pull other.example/thing:1"]);
  expect(machine.said.join()).toContain("silent.example does not answer");
});

test("one that hangs without a word counts as silent", async () => {
  using machine = bareMachine();
  machine.program("docker", "exec tail -f /dev/null");
  machine.elsewhere = ["/usr/bin", "/bin"];
  expect(await pull(machine, "hangs.example/thing:1", 200)).toBe(false);
});

test("one that is slow after its first word is waited for", async () => {
  using machine = bareMachine();
  machine.elsewhere = ["/usr/bin", "/bin"];
  machine.program("docker", 'echo "1: Pulling from thing"; sleep 3; echo done');
  expect(await pull(machine, "slow.example/thing:1", 2_000)).toBe(true);
});

test("an image that the registry does not have is a mistake, not a reason for a stand-in", async () => {
  using machine = bareMachine();
  machine.program("docker", 'echo "manifest for thing:9 not found: manifest unknown" >&2; exit 1');
  await expect(pull(machine, "has.example/thing:9")).rejects.toThrow("manifest unknown");
});
