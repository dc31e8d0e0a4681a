// Whatever tries come under one key, one after the other, and whatever becomes of the producers meanwhile: nothing is told
// refused that this try or an earlier one has written, and what is told accepted is on the topic. Seeded tries, as
// lb/testing/sequences.ts has them, while producers are killed, stand still and are slow, and limits are met.
import { expect, test } from "bun:test";
import { startBalancer } from "../testing/balancer.ts";
import { newApiKey, newCredentials } from "../testing/credentials.ts";
import { randomOf } from "../testing/overload-model.ts";
import { startCluster } from "./testing/cluster.ts";
import { type Producers, startProducers } from "./testing/producers.ts";
import { type Draw, runSequence, type Told } from "./testing/sequences.ts";

const clients = 16;
const sequences = 8;
/** Shorter than in the configuration, and less at once, so that every bound is met within seconds. */
const replace = {
  "body time 10s": "body time 1s",
  "timeout server 7500ms": "timeout server 1s",
  "timeout queue 2s": "timeout queue 300ms",
  "date(20000,ms)": "date(3000,ms)",
  "maxconn 2000 maxqueue 300": "maxconn 5 maxqueue 3",
  "maxconn 16 maxqueue 64": "maxconn 3 maxqueue 3",
  // One thread takes what comes in its order, whatever a busy machine does.
  "    maxconn 9000": "    maxconn 9000\n    nbthread 1",
};
const limits = { REQUESTS_PER_10S: "12", BATCHES_PER_CLIENT: "2" };

test.each([
  ["open", 1],
  ["with principals", 2],
])(
  "%s",
  async (mode, seed) => {
    using cluster = startCluster();
    using credentials = newCredentials();
    const principals = ["acme", "acme-evil", "bank"].map((name) => ({ name, ...newApiKey(name) }));
    const named =
      mode === "open"
        ? undefined
        : {
            LB_API_KEYS: credentials.write("keys", principals.map(({ line }) => line).join("")),
            LB_POLICY: credentials.write(
              "policy",
              principals.map(({ name }) => `${name} ${name}/*\n`).join(""),
            ),
          };
    const bounds = { MAX_IN_FLIGHT_ORDERS: "12", DELIVERY_TIMEOUT_MS: "3000" };
    await using producers = await startProducers({ ...cluster.env, ...bounds });
    await using balancer = await startBalancer({
      producers: producers.ports,
      env: { ...limits, ...named },
      replace,
    });
    let running = clients;
    const run = async (client: number): Promise<Told[]> => {
      const draw = randomOf(100 * seed + client);
      const told: Told[] = [];
      for (let n = 0; n < sequences; n += 1) {
        const key = `k${client}-${n}`;
        const principal = named && principals[n % principals.length];
        const localAddress = `127.0.0.${2 + client}`;
        told.push(...(await runSequence({ port: balancer.port, localAddress, key, draw, principal })));
      }
      running -= 1;
      return told;
    };
    const trouble = strike(producers, cluster.slow, randomOf(seed), () => running > 0);
    const told = (await Promise.all(Array.from({ length: clients }, (_, n) => run(n)))).flat();
    await trouble;

    const written = new Map<string, number>();
    for (const { key, value } of await cluster.read("orders")) {
      const placedMs = Date.parse(JSON.parse(String(value)).placedAt);
      written.set(String(key), Math.min(placedMs, written.get(String(key)) ?? placedMs));
    }
    const untrue = told.filter(({ id, fate, isFaulty, nextMs }) => {
      const placedMs = written.get(id);
      if (fate === "accepted") return placedMs === undefined;
      return fate === "refused" && !isFaulty && placedMs !== undefined && placedMs < nextMs;
    });
    expect(untrue).toEqual([]);
    expect([...written.keys()].filter((id) => !told.some((one) => one.id === id))).toEqual([]);
    // There was some of each, or nothing was tested.
    const count = (fate: string) => told.filter((one) => one.fate === fate && !one.isFaulty).length;
    for (const fate of ["accepted", "refused", "unknown"]) expect(count(fate)).toBeGreaterThan(20);
  },
  120_000,
);

/** Until it is over: one producer after the other is killed or stands still, and brokers are slow at times. */
async function strike(
  producers: Producers,
  slow: (rttMs: number) => void,
  draw: Draw,
  goesOn: () => boolean,
) {
  while (goesOn()) {
    slow(draw() < 0.5 ? 0 : draw() * 900);
    const number = 1 + Math.floor(draw() * 3);
    const producer = producers.number(number);
    if (draw() < 0.5) {
      producer.signal("SIGKILL");
      await producer.exited;
      producers.restart(number);
      await producers.number(number).ready();
    } else {
      producer.signal("SIGSTOP");
      await Bun.sleep(draw() * 2_500);
      producer.signal("SIGCONT");
    }
  }
  slow(0);
}
