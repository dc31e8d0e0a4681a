import { expect, test } from "bun:test";
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type BareMachine, bareMachine } from "../../kit/testing/bare-machine.ts";
import { pin } from "./pin.ts";

const root = join(import.meta.dir, "..", "..");
const files = ["infra/compose.yaml", "infra/brokers/compose.yaml", "infra/images/app/Dockerfile"];
const textsIn = (folder: string) => files.map((file) => readFileSync(join(folder, file), "utf8"));

/** A machine with the files of this clone, and a registry that says this. */
function machineWith(registry: string): BareMachine {
  const machine = bareMachine();
  for (const file of files) cpSync(join(root, file), join(machine.folder, file));
  machine.program("docker", registry);
  return machine;
}

test("each image is pinned to what its registry has, everywhere, and anew the next time", async () => {
  const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
  using machine = machineWith(`echo ${digest("1")}`);
  const before = textsIn(machine.folder);
  await pin(machine, machine.folder);
  const [compose = "", brokers = "", dockerfile = ""] = textsIn(machine.folder);
  for (const kind of ["apache/kafka", "postgres", "haproxy", "oven/bun"])
    expect(compose).toMatch(new RegExp(`\\{\\w+_IMAGE:-${kind}:[\\w.-]+@${digest("1")}\\}`));
  expect(dockerfile).toMatch(new RegExp(`^ARG BUN_IMAGE=oven/bun:[\\w.-]+@${digest("1")}$`, "m"));
  expect(compose).toContain("@postgres:5432/coffee\n");
  expect([compose, brokers, dockerfile].map((text) => text.replaceAll(`@${digest("1")}`, ""))).toEqual(
    before.map((text) => text.replace(/@sha256:\w+/g, "")),
  );

  machine.program("docker", `echo ${digest("2")}`);
  await pin(machine, machine.folder);
  expect(textsIn(machine.folder)).toEqual(
    [compose, brokers, dockerfile].map((text) => text.replaceAll(digest("1"), digest("2"))),
  );
});

test("where one registry does not answer nothing is changed, and it is said", async () => {
  using machine = machineWith(`case "$*" in *kafka*|*bun*) echo sha256:${"1".repeat(64)} ;;
    *) echo "dial tcp: lookup registry: no such host" >&2; exit 1 ;; esac`);
  const before = textsIn(machine.folder);
  await expect(pin(machine, machine.folder)).rejects.toThrow(
    /^No digest of postgres:.*no such host\nNothing is pinned/,
  );
  expect(textsIn(machine.folder)).toEqual(before);
});
