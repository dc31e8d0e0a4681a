// Who waits for a container is not kept by Docker, which looks at it every half minute. Docker is a program here.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { capture } from "../kit/capture.ts";
import { type BareMachine, bareMachine } from "../kit/testing/bare-machine.ts";

let machine: BareMachine;
beforeAll(() => {
  machine = bareMachine();
  machine.program(
    "docker",
    `case "$*" in
       *" ps "*) for one in starting unhealthy healthy none paused
         do echo '{"ID":"'$one'","Name":"'$one'","Service":"any","State":"'$([ $one = paused ] && echo paused || echo running)'","Health":"'$([ $one = none ] || [ $one = paused ] && echo || echo $one)'","ExitCode":0}'; done ;;
       inspect*) [ ! -e "$BUSY" ] && echo '["CMD","is-well","--by","its own check"]' ;;
       exec*) echo "$*" >> "$ASKED"; while [ -e "$HANGS" ]; do /bin/sleep 0.1; done; [ -e "$WELL" ] ;;
     esac`,
  );
});
afterAll(() => machine[Symbol.dispose]());

const moduleOf = (name: string) => JSON.stringify(join(import.meta.dir, name));

/** What a program says before that Docker, and what was asked of the containers; `there`: which of the files are. */
async function run(program: string, there: readonly string[]) {
  const files = ["ASKED", "WELL", "HANGS", "BUSY"].map((name) => [name, join(machine.folder, name)] as const);
  for (const [name, path] of files)
    if (name === "ASKED" || there.includes(name)) await Bun.write(path, "");
    else rmSync(path, { force: true });
  const env = { ...machine.env, ...Object.fromEntries(files) };
  const { stdout, stderr } = await capture([process.execPath, "-e", program], { limitMs: 60_000, env });
  const asked = (await Bun.file(join(machine.folder, "ASKED")).text()).trim().split("\n").sort();
  return { lines: stdout.trim().split("\n"), stderr, asked };
}

/** What the containers are called, twice in a row. */
const listedTwice = `
  const { openTopology } = await import(${moduleOf("topology.ts")});
  const { containers } = openTopology({ project: "any" });
  for (let turn = 0; turn < 2; turn += 1)
    console.log((await containers()).map(({ name, health }) => name + ":" + health).join(" "));`;

/** One that has just started, as it is called by turns; `then` is what happens between them. */
const oneBy = (then: string) => `
  import { rmSync } from "node:fs";
  const { createHealth } = await import(${moduleOf("health.ts")});
  const asItIs = createHealth();
  const say = async (state = "running") => {
    const beganMs = performance.now();
    const { health } = await asItIs({ id: "one", state, health: state === "running" ? "starting" : "" });
    console.log(health + (performance.now() - beganMs > 6_000 ? ", late" : ""));
  };
  await say();
  ${then}
  await say();
  process.exit();`;

test("one that Docker does not call healthy is asked by its own check, once in a while; others are as Docker says", async () => {
  const asked = ["exec starting is-well --by its own check", "exec unhealthy is-well --by its own check"];
  const unwell = "healthy:healthy none: paused: starting:starting unhealthy:unhealthy";
  expect(await run(listedTwice, [])).toEqual({ lines: [unwell, unwell], stderr: "", asked });
  const well = "healthy:healthy none: paused: starting:healthy unhealthy:healthy";
  expect(await run(listedTwice, ["WELL"])).toEqual({ lines: [well, well], stderr: "", asked });
});

test("nobody is kept by a check that hangs, and it is not begun again before it ends", async () => {
  const { lines, asked } = await run(oneBy(""), ["WELL", "HANGS"]);
  expect({ lines, asked: asked.length }).toEqual({ lines: ["starting", "starting"], asked: 1 });
}, 60_000);

test("a daemon that could not tell the check is asked for it again", async () => {
  const again = "rmSync(process.env.BUSY); await Bun.sleep(3_500);";
  expect((await run(oneBy(again), ["WELL", "BUSY"])).lines).toEqual(["starting", "healthy"]);
}, 60_000);

test("what one answered before it was killed is not its answer after the start", async () => {
  const killed = 'await say("exited"); rmSync(process.env.WELL);';
  expect((await run(oneBy(killed), ["WELL"])).lines).toEqual(["healthy", "", "starting"]);
}, 60_000);
