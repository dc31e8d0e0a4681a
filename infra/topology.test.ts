// The usual topology and the secured one are two, each with its data: a command that means one where only the other runs
// says so. Docker is a program here that knows the containers' labels, as Compose sets them.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { capture } from "../kit/capture.ts";
import { type BareMachine, bareMachine } from "../kit/testing/bare-machine.ts";

const root = join(import.meta.dir, "..");
const usual = join(root, "infra/compose.yaml");
const secured = `${usual},${join(root, "infra/secure/compose.yaml")}`;

let machine: BareMachine;
beforeAll(() => {
  machine = bareMachine();
  // What Compose says of itself matters to none of these; nothing of the project that is asked for runs.
  machine.program(
    "docker",
    `case "$*" in ps*) echo "$RUNNING" ;; *" config "*) echo '{"name":"x","x-host-ports":{'"$PORTS"'}}' ;; esac`,
  );
});
afterAll(() => machine[Symbol.dispose]());

/** What a command says where that runs: lines of a project and its files. */
async function said(argv: string[], running: string, SECURE = ""): Promise<string> {
  const env = { ...machine.env, RUNNING: running, SECURE };
  const { stdout, stderr } = await capture([process.execPath, ...argv], { limitMs: 60_000, cwd: root, env });
  return stdout + stderr;
}

const chaos = ["proof/chaos.ts", "show"];
const down = ["infra/down.ts"];
const isSecured = "The topology that runs is secured: SECURE=1 ";
const isNotSecured = "The topology that runs is not secured: ";

test.each([
  ["the usual one is meant", "", `coffee-orders-secure ${secured}`, isSecured],
  ["the secured one is meant", "1", `coffee-orders ${usual}`, isNotSecured],
])("%s and the other runs: it is said, with the command that is right", async (_, SECURE, running, words) => {
  expect(await said(chaos, running, SECURE)).toContain(`${words}bun run chaos`);
  expect(await said(down, running, SECURE)).toContain(`${words}make down`);
});

test.each([
  ["none runs", "", ""],
  ["both run", "", `coffee-orders ${usual}\ncoffee-orders-secure ${secured}`],
  ["that of somebody else runs", "", `coffee-orders-e2e-000000 ${secured}`],
  ["it runs", "1", `coffee-orders-secure ${secured}`],
])("where %s, nothing of it is said", async (_, SECURE, running) => {
  expect(await said(down, running, SECURE)).toEndWith("Nothing is up here.\n");
});

test("a project is known by its own name, whichever kind it is of", async () => {
  const named = [...chaos, "--project", "mine"];
  expect(await said(named, `mine ${secured}\ncoffee-orders ${usual}`)).toContain(`${isSecured}bun run chaos`);
  expect(await said(named, `mine ${usual}`)).not.toContain("secured");
});

test("SECURE is 1 or nothing: a word that could mean either means neither", async () => {
  for (const argv of [chaos, down, ["proof/load/main.ts"], ["proof/prove.ts"]])
    expect(await said(argv, "", "true")).toContain("SECURE=true: 1 is the secured topology");
});

test("make up refuses ports that are equal before it brings or starts anything", async () => {
  const PORTS = '"LB_PORT":"127.0.0.1:8404:8080","LB_STATS_PORT":"127.0.0.1:8404:8404"';
  const env = { ...machine.env, RUNNING: "", SECURE: "", PORTS };
  const up = [process.execPath, "infra/up.ts"];
  expect(await capture(up, { limitMs: 60_000, cwd: root, env })).toMatchObject({
    code: 1,
    stderr: "LB_PORT and LB_STATS_PORT are 8404: each needs a port of its own\n",
  });
});
