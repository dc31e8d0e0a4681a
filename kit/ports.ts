// Ports of this machine's loopback address: which are taken, and which are free for a second topology.
import { connect, createServer } from "node:net";
import { UserError } from "./user-error.ts";

// Below the range from which Linux takes ports for outgoing connections: what is free here stays free.
const FIRST = 20_080;
const LAST = 32_000;

/** The port that a variable names, 0 for any. @throws UserError */
export function portOf(variable: string, given: string): number {
  if (!/^\d{1,5}$/.test(given) || Number(given) > 65_535)
    throw new UserError(`${variable}=${given}: a port is expected`);
  return Number(given);
}

/** Which variables name one port, in words, a line each; 0 is any port, and so nobody's. */
export function equalPorts(ports: Record<string, number>): string[] {
  const named = Object.entries(ports).filter(([, port]) => port !== 0);
  return [...Map.groupBy(named, ([, port]) => port)].flatMap(([port, some]) =>
    some.length < 2
      ? []
      : [`${some.map(([variable]) => variable).join(" and ")} are ${port}: each needs a port of its own`],
  );
}

/** One to propose instead of one that is taken: far off, easy to remember, and a port. */
export const anotherPort = (port: number): number => port + (port < 40_000 ? 10_000 : -10_000);

/** Whether somebody listens there already. */
export function isTaken(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once("error", () => resolve(true));
  server.listen(port, "127.0.0.1", () => server.close(() => resolve(false)));
  return promise;
}

const connectLimitMs = 2_000;

/** Whether somebody takes connections there; does not get in the way of who is about to. */
export function listens(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host: "127.0.0.1", port, timeout: connectLimitMs });
  socket.once("connect", () => resolve(true));
  for (const event of ["error", "timeout"]) socket.once(event, () => resolve(false));
  return promise.finally(() => socket.destroy());
}

/** A free port for each name. Who asks next looks elsewhere: the port of a container that is down for a while is free, too. */
export async function freePorts(names: string[]): Promise<Record<string, string>> {
  const found: [string, string][] = [];
  const start = Math.floor(Math.random() * (LAST - FIRST));
  for (let n = 0; found.length < names.length; n++) {
    if (n > LAST - FIRST) throw new Error(`no ${names.length} free ports from ${FIRST} to ${LAST}`);
    const port = FIRST + ((start + n) % (LAST - FIRST + 1));
    const name = names[found.length];
    if (name && !(await isTaken(port))) found.push([name, String(port)]);
  }
  return Object.fromEntries(found);
}
