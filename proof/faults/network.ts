// Runs the machine's own network tools inside a container's network: containers here have neither the tools nor the
// right, so it takes root on the machine of the Docker daemon.

import type { Container } from "../../infra/topology.ts";
import { must } from "../../kit/capture.ts";
import { UserError } from "../../kit/user-error.ts";
import { each } from "./fault.ts";

const callLimitMs = 10_000;

const mayTouchNetworks = (): boolean => process.getuid?.() === 0;

/** Why it can't be struck from here with that tool, in words; undefined: it can. */
export function whyNoNetworkFaults(tool: string): string | undefined {
  if (!mayTouchNetworks()) return "faults of the network take root on the machine of the Docker daemon.";
  const missing = ["nsenter", tool].filter((program) => !Bun.which(program));
  return missing.length > 0 ? `${missing.join(" and ")}: not installed here.` : undefined;
}

/**
 * Heals in the network of each that has one. Where we may not touch it, or lack the tool, nothing can have been done to
 * it from here either.
 */
export async function healNetworks(
  tool: string,
  containers: Container[],
  heal: (container: Container) => Promise<void>,
): Promise<void> {
  if (whyNoNetworkFaults(tool)) return;
  await each(
    containers.filter(({ state }) => state === "running" || state === "paused"),
    heal,
  );
}

/** @throws UserError when it can't be done from here, or the command fails */
export async function inNetworkOf({ id, name }: Container, argv: string[]): Promise<string> {
  if (!mayTouchNetworks())
    throw new UserError("Faults of the network take root on the machine of the Docker daemon.");
  const pid = await inspect(id, "{{.State.Pid}}");
  if (pid === "0") throw new UserError(`${name} does not run, so it has no network.`);
  return must(["nsenter", `--net=/proc/${pid}/ns/net`, ...argv], { limitMs: callLimitMs });
}

/** A container's addresses, one for each network that it is on. */
export async function addressesOf({ id }: Container): Promise<string[]> {
  const listed = await inspect(id, "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}");
  return listed.split(" ").filter(Boolean);
}

/** Names of a container's interfaces but the loopback. */
export async function interfacesOf(container: Container): Promise<string[]> {
  const listed = await inNetworkOf(container, ["ip", "-brief", "link", "show", "up"]);
  return listed
    .split("\n")
    .flatMap((line) => /^([^@\s]+)/.exec(line)?.[1] ?? [])
    .filter((name) => name !== "lo");
}

const inspect = (id: string, format: string) =>
  must(["docker", "inspect", "--format", format, id], { limitMs: callLimitMs });
