/**
 * Faults by hand: `bun run chaos kill broker --role leader` after `make up`, and `bun run chaos heal` when it is
 * enough. What was injected stays until it is healed, with --for until that time is over or Ctrl-C.
 */

import { openTopology, stateOf } from "../infra/topology.ts";
import { understood } from "../kit/arguments.ts";
import { endInWords, stopWhenTold } from "../kit/child.ts";
import { comesTrue } from "../kit/until.ts";
import { UserError } from "../kit/user-error.ts";
import { type ChaosCommand, parse, usage } from "./chaos-arguments.ts";
import { faults, healAll } from "./faults/registry.ts";
import { openSystem, type System, tierOf } from "./system/system.ts";
import { findTargets } from "./system/targets.ts";

const command = understood(() => parse(Bun.argv.slice(2)));
const stop = stopWhenTold();
try {
  if (command === "help") console.log(usage);
  else await act(command);
} catch (error) {
  endInWords(error);
}

async function act(command: Exclude<ChaosCommand, "help">): Promise<void> {
  const topology = openTopology({ ...(command.project && { project: command.project }) });
  await topology.refuseOther("bun run chaos");
  const system = await openSystem(topology);
  if ((await system.containers()).length === 0) throw new UserError("The topology is not up: make up");
  if (command.do === "show") return show(system);
  if (command.do === "heal") {
    await healAll(system);
    return console.log(
      "Healed: what was down runs, what was frozen is awake, the networks are as they were.",
    );
  }
  const { fault, forMs } = command;
  const targets = await findTargets(system, command.target);
  const from = command.from && (await findTargets(system, command.from));
  const names = targets.map(({ name }) => name).join(", ");
  try {
    console.log(`${fault}: ${names}${from ? `, from ${from.map(({ name }) => name).join(", ")}` : ""}`);
    const remark = await faults[fault].inject(system, targets, { stop, ...(from && { from }) });
    if (remark) console.log(remark);
    if (forMs === undefined) return console.log("Afterwards: bun run chaos heal");
    await comesTrue(() => stop.aborted, forMs, 100);
  } finally {
    if (forMs !== undefined || stop.aborted) {
      await faults[fault].heal(system, await system.again(targets));
      console.log(`healed: ${names}`);
    }
  }
}

/** Who is there, and who has which role. */
async function show(system: System): Promise<void> {
  const cluster = await system.cluster().catch((error: Error) => console.error(error.message));
  for (const container of await system.containers()) {
    const tier = tierOf(container);
    const id = Number(/^kafka(\d+)$/.exec(container.service)?.[1]);
    const led = cluster?.partitions.filter(({ topic, leader }) => topic === "orders" && leader === id) ?? [];
    const zookeeper =
      tier === "zookeeper" && container.state === "running" ? await system.mode(container) : "";
    const roles = [
      zookeeper,
      led.length > 0 &&
        `leads ${led
          .map(({ partition }) => partition)
          .toSorted((a, b) => a - b)
          .join(" ")}`,
      cluster?.controller === id && "controller",
      cluster?.coordinator === id && "coordinator",
    ].filter(Boolean);
    console.log(
      `${tier.padEnd(10)} ${container.name.padEnd(28)} ${stateOf(container).padEnd(12)} ${roles.join(", ")}`.trimEnd(),
    );
  }
}
