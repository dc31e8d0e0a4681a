// `make up`: the images, then the topology, told as each container becomes healthy, then where everything is. Where
// it can't, it says which port or which container, and what that one said last.
import { ownCommandLine } from "../kit/arguments.ts";
import { endInWords, stopWhenTold } from "../kit/child.ts";
import { thisMachine } from "../kit/machine.ts";
import { anotherPort, equalPorts, isTaken } from "../kit/ports.ts";
import { comesTrue } from "../kit/until.ts";
import { UserError } from "../kit/user-error.ts";
import { anOrder } from "../src/sample.ts";
import { ensureImages } from "./images.ts";
import { fetchOptions, isSecured } from "./secure/access.ts";
import { secretPath } from "./secure/names.ts";
import { endService, startService } from "./stage-service.ts";
import { openTopology, stateOf, wellStates } from "./topology.ts";

ownCommandLine(
  "make up [SECURE=1]   takes no options: infra/compose.yaml names the variables",
  {},
  () => undefined,
);

const POLL_MS = 500;
const ROUTE_LIMIT_MS = 20_000;
const LOG_LINES = "20";

const machine = thisMachine(stopWhenTold());
const topology = openTopology({ stop: machine.stop });
const started = performance.now();
const elapsed = () => `${Math.round((performance.now() - started) / 1000)} s`;

try {
  const equal = equalPorts(await topology.ports());
  if (equal.length > 0) throw new UserError(equal.join("\n"));
  await ensureImages(machine);
  await refuseTakenPorts();
  const brokersRan = await brokersRun();
  await start();
  if (!brokersRan) await topology.warmUp(machine.say);
  await untilItRoutes();
  await tellWhere();
} catch (error) {
  endInWords(error, machine.say);
}

/** Said before anything is started: a port that somebody else has would leave half a topology behind. */
async function refuseTakenPorts(): Promise<void> {
  const ours = new Set((await topology.containers()).flatMap(({ ports }) => ports));
  const taken: [string, number][] = [];
  for (const [variable, port] of Object.entries(await topology.ports()))
    if (!ours.has(port) && (await isTaken(port))) taken.push([variable, port]);
  if (taken.length === 0) return;
  if (await topology.otherRuns())
    throw new UserError(
      isSecured(process.env)
        ? "The usual topology runs, on the same ports: make down ends it."
        : "The secured topology runs, on the same ports: make down SECURE=1 ends it.",
    );
  const example = taken.map(([variable, port]) => `${variable}=${anotherPort(port)}`).join(" ");
  throw new UserError(
    [
      ...taken.map(([variable, port]) => `Port ${port} of 127.0.0.1 is taken; ${variable} moves it.`),
      `For example: ${example} make up`,
    ].join("\n"),
  );
}

async function start(): Promise<void> {
  const settled = new AbortController();
  const progress = tellProgress(settled.signal);
  try {
    await topology.up();
  } catch (error) {
    machine.stop.throwIfAborted();
    throw new UserError(`${(error as Error).message}\n${await lastWords()}`);
  } finally {
    settled.abort();
    await progress;
  }
}

async function brokersRun(): Promise<boolean> {
  const brokers = (await topology.containers()).filter(({ service }) => service.startsWith("kafka"));
  return brokers.length > 0 && brokers.every((one) => stateOf(one) === "healthy");
}

async function tellProgress(settled: AbortSignal): Promise<void> {
  const told = new Map<string, string>();
  while (!settled.aborted) {
    for (const container of await topology.containers().catch(() => [])) {
      const state = stateOf(container);
      if (told.get(container.name) !== state)
        machine.say(`  ${elapsed().padStart(5)}  ${container.name}: ${state}`);
      told.set(container.name, state);
    }
    await Bun.sleep(POLL_MS);
  }
}

/** What the containers that are not well said last. */
async function lastWords(): Promise<string> {
  const unwell = (await topology.containers()).filter(
    (container) => container.state !== "created" && !wellStates.has(stateOf(container)),
  );
  const services = [...new Set(unwell.map(({ service }) => service))];
  if (services.length === 0) return "";
  return topology.compose(["logs", "--no-color", "--tail", LOG_LINES, ...services]);
}

/** Every part may be well before the balancer has found the producers. */
async function untilItRoutes(): Promise<void> {
  const url = `${await topology.url()}/orders`;
  const options = { method: "POST", ...fetchOptions(topology.access()) };
  // What a producer refuses has passed the balancer all the same; 503 is the balancer's own word.
  const passes = async () => {
    const answer = await fetch(url, options).catch(() => undefined);
    return answer !== undefined && answer.status < 500;
  };
  if (!(await comesTrue(passes, ROUTE_LIMIT_MS, POLL_MS)))
    throw new UserError(
      "The balancer finds no producer that is ready: docker compose -f infra/compose.yaml logs",
    );
}

/** It only shows: where it can't be started, orders flow all the same. */
async function stageAddress(): Promise<string> {
  try {
    const { name } = await topology.config();
    // Its keys are those of its start, and they may be new ones.
    if (topology.access()) await endService(machine, name);
    return await startService(machine, name);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return `not to be had: ${error.message}`;
  }
}

async function tellWhere(): Promise<void> {
  const stage = await stageAddress();
  const ports = await topology.ports();
  const brokers = [1, 2, 3].map((broker) => `127.0.0.1:${ports[`KAFKA_PORT_${broker}`]}`);
  const orders = `${await topology.url()}/orders`;
  const access = topology.access();
  const shown = access
    ? ` --cacert ${access.caPath} -H "authorization: Bearer $(cat ${secretPath("api-key-load-1")})"`
    : "";
  machine.say(`
Up and healthy after ${elapsed()}.
  stage        ${stage}
  orders       ${orders}
  balancer     http://127.0.0.1:${ports.LB_STATS_PORT}
  Kafka        ${brokers.join(",")}
  PostgreSQL   127.0.0.1:${ports.POSTGRES_PORT}

Try:   curl -i ${orders}${shown} -H 'content-type: application/json' -d '${JSON.stringify(anOrder)}'
Stop:  make down${access ? " SECURE=1" : ""} (the data stay; VOLUMES=1 removes them too)`);
}
