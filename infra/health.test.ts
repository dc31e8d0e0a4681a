// Who waits for a container is not kept by Docker, which looks at it every half minute. Docker is a program here.
import { afterAll, beforeAll, expect, test } from "bun:test";
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
       inspect*) echo '["CMD","is-well","--by","its own check"]' ;;
       exec*) echo "$*" >> "$ASKED"; [ -e "$WELL" ] ;;
     esac`,
  );
});
afterAll(() => machine[Symbol.dispose]());

/** What the containers are called, twice in a row, and what was asked of them. */
async function told(isWell: boolean) {
  const [ASKED, WELL] = [join(machine.folder, `asked-${isWell}`), join(machine.folder, "well")];
  await Bun.write(ASKED, "");
  if (isWell) await Bun.write(WELL, "");
  const program = `
    const { openTopology } = await import(${JSON.stringify(join(import.meta.dir, "topology.ts"))});
    const { containers } = openTopology({ project: "any" });
    for (let turn = 0; turn < 2; turn += 1)
      console.log((await containers()).map(({ name, health }) => name + ":" + health).join(" "));`;
  const env = { ...machine.env, ASKED, WELL };
  const { stdout, stderr } = await capture([process.execPath, "-e", program], { limitMs: 60_000, env });
  return {
    lines: stdout.trim().split("\n"),
    stderr,
    asked: (await Bun.file(ASKED).text()).trim().split("\n").sort(),
  };
}

test("one that Docker does not call healthy is asked by its own check, once in a while; others are as Docker says", async () => {
  const asked = ["exec starting is-well --by its own check", "exec unhealthy is-well --by its own check"];
  const unwell = "healthy:healthy none: paused: starting:starting unhealthy:unhealthy";
  expect(await told(false)).toEqual({ lines: [unwell, unwell], stderr: "", asked });
  const well = "healthy:healthy none: paused: starting:healthy unhealthy:healthy";
  expect(await told(true)).toEqual({ lines: [well, well], stderr: "", asked });
});
