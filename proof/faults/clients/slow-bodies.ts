// Thousands of clients that never finish what they begin, against the balancer: they hold whatever an unfinished body
// holds, for as long as it lasts. They run in containers of their own on the balancer's network, so that they have other
// addresses than those who order: a published port would show the balancer one address for all.

import { secretPath } from "../../../infra/secure/names.ts";
import type { Container } from "../../../infra/topology.ts";
import { capture, must } from "../../../kit/capture.ts";
import { comesTrue } from "../../../kit/until.ts";
import { UserError } from "../../../kit/user-error.ts";
import { type System, tierOf } from "../../system/system.ts";
import type { Fault } from "../fault.ts";

const addresses = 4;
const bodiesEach = 750;
const label = "coffee-orders.slow-bodies";
const callLimitMs = 30_000;
/** Until all of them are connected, or as many as will be. */
const heldLimitMs = 12_000;
const program = new URL("./slow-bodies-client.ts", import.meta.url);

export const slowBodies: Fault = {
  what: "has 3,000 clients begin a body at the balancer and never finish it",
  inject: async (system, targets, { stop }) => {
    const [balancer, ...others] = targets;
    const other = [balancer, ...others].find((one) => one && tierOf(one) !== "balancer");
    if (!balancer || other) throw new UserError(`Bodies are sent to the balancer, not to ${other?.name}.`);
    const [network = ""] = await networksOf(balancer);
    const [producer] = await system.containers("producer");
    if (!producer) throw new UserError("There is no producer, whose image has Bun.");
    const image = await docker("inspect", "--format", "{{.Config.Image}}", producer.id);
    const code = await Bun.file(program).text();
    // A principal's that no load orders as: what it may have at once is its own.
    const shown = { "api-key": secretPath("api-key-shop"), "ca.crt": secretPath("ca.crt") };
    const secrets = system.access ? Object.entries(shown) : [];
    const started = Array.from({ length: addresses }, () =>
      docker(
        ...["run", "--detach", "--rm", "--network", network, "--label", `${label}=${network}`],
        ...secrets.flatMap(([name, path]) => ["--volume", `${path}:/run/secrets/${name}:ro`]),
        ...["--memory", "256m", "--log-driver", "json-file", image],
        ...["-e", code, `${new URL(system.url).protocol}//${balancer.service}:8080`, String(bodiesEach)],
      ),
    );
    const ids = await Promise.all(started);
    let held = 0;
    await comesTrue(
      async () => {
        const each = await Promise.all(ids.map(heldBy));
        held = Math.max(
          held,
          each.reduce((sum, one) => sum + one, 0),
        );
        return stop?.aborted || held >= addresses * bodiesEach;
      },
      heldLimitMs,
      500,
    );
    stop?.throwIfAborted();
    return `${held} of ${addresses * bodiesEach} unfinished bodies are held, from ${addresses} addresses`;
  },
  heal: async (_: System, containers) => {
    for (const balancer of containers.filter((one) => tierOf(one) === "balancer"))
      for (const network of await networksOf(balancer)) await endClients(network);
  },
};

/** Docker removes them by itself. Who removes them at the same time leaves it an endpoint, for which the network stays for good. */
async function endClients(network: string): Promise<void> {
  const clients = async () => {
    const found = await docker("ps", "--all", "--quiet", "--filter", `label=${label}=${network}`);
    return found.split("\n").filter(Boolean);
  };
  const ids = await clients();
  if (ids.length === 0) return;
  // One that ends by itself meanwhile is an error to Docker. What counts is that they are gone.
  const { stderr } = await capture(["docker", "kill", ...ids], { limitMs: callLimitMs });
  if (!(await comesTrue(async () => (await clients()).length === 0, callLimitMs, 200)))
    throw new UserError(`Clients of slow bodies are still there, remove them (docker rm --force): ${stderr}`);
}

const docker = (...args: string[]) => must(["docker", ...args], { limitMs: callLimitMs });

async function networksOf({ id }: Container): Promise<string[]> {
  const listed = await docker(
    "inspect",
    "--format",
    "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}",
    id,
  );
  return listed.split(" ").filter(Boolean);
}

/** How many connections one of them holds, as it said last. @throws UserError when it has ended */
async function heldBy(id: string): Promise<number> {
  const { code, stdout, stderr } = await capture(["docker", "logs", "--tail", "1", id], {
    limitMs: callLimitMs,
  });
  if (code !== 0) throw new UserError(`A client of slow bodies has ended: ${stderr}`);
  return Number(/^held (\d+)$/m.exec(stdout)?.[1] ?? 0);
}
