/**
 * Which containers are there, and in what state. They are listed now and then, and kept up by Docker's events, so that a
 * change costs nothing to learn.
 */
import type { Container } from "../../infra/topology.ts";
import { linesOf } from "../../kit/lines.ts";
import { type openSystem, tierOf } from "../../proof/system/system.ts";

const listEveryMs = 60_000;
const modesEveryMs = 60_000;
const modesSoonMs = 3_000;
const eventsAgainMs = 2_000;

/** "kafka1", "producer-2", "haproxy". */
export function nameOf({ service, name }: Container): string {
  const many = /^(producer|consumer)$/.test(service);
  return many ? `${service}-${/\d+$/.exec(name)?.[0] ?? ""}` : service;
}

/** What an event leaves of a container. Source: Docker's manual, «docker system events». */
const stateAfter: Record<string, Container["state"]> = {
  start: "running",
  unpause: "running",
  pause: "paused",
  die: "exited",
};
interface DockerEvent {
  Action: string;
  Actor: { ID: string; Attributes: { exitCode?: string } };
}

export function createRoster(system: Awaited<ReturnType<typeof openSystem>>) {
  const { topology } = system;
  let containers: Container[] = [];
  let modes = new Map<string, string>();
  let [listDueMs, modesDueMs, events] = [0, 0, 0];
  let hear = () => {};
  const stopping = new AbortController();

  async function askModes(): Promise<void> {
    const nodes = containers.filter((one) => tierOf(one) === "zookeeper" && one.state === "running");
    const found = await Promise.all(
      nodes.map(async (one) => [nameOf(one), await system.mode(one).catch(() => undefined)] as const),
    );
    modes = new Map(found.filter((pair): pair is [string, string] => pair[1] !== undefined));
    // Who is in no majority is asked again soon.
    modesDueMs = performance.now() + (modes.size === nodes.length ? modesEveryMs : modesSoonMs);
  }

  async function now(): Promise<{ containers: Container[]; modes: Map<string, string> }> {
    const at = performance.now();
    if (at >= listDueMs) {
      listDueMs = at + listEveryMs;
      const before = events;
      containers = await system.containers().catch(() => containers);
      // What happened while it was listed may be in the list or not.
      if (events !== before) listDueMs = 0;
    }
    if (at >= modesDueMs) {
      modesDueMs = at + modesEveryMs;
      void askModes();
    }
    return { containers, modes };
  }

  function take({ Action, Actor: { ID, Attributes } }: DockerEvent): void {
    events += 1;
    const state = stateAfter[Action];
    const exitCode = Number(Attributes.exitCode ?? 0);
    if (state)
      containers = containers.map((one) => (ID.startsWith(one.id) ? { ...one, state, exitCode } : one));
    else listDueMs = 0;
    // An election takes a moment.
    modesDueMs = performance.now() + modesSoonMs;
    hear();
  }

  void (async () => {
    const kinds = [...Object.keys(stateAfter), "create", "destroy"].map((event) => `event=${event}`);
    const labelled = [...kinds, `label=com.docker.compose.project=${(await topology.config()).name}`];
    const filters = labelled.flatMap((one) => ["--filter", one]);
    const argv = ["docker", "events", "--format", "{{json .}}", ...filters];
    const { env } = process;
    // Ended by their daemon's end, they are listened to again: who came and went meanwhile is in no event.
    for (; !stopping.signal.aborted; await Bun.sleep(eventsAgainMs), listDueMs = 0) {
      const child = Bun.spawn(argv, { env, stderr: "ignore", signal: stopping.signal });
      for await (const line of linesOf(child.stdout)) take(JSON.parse(line));
    }
  })();

  return {
    now,
    onChange(listener: () => void): void {
      hear = listener;
    },
    close: (): void => stopping.abort(),
  };
}
