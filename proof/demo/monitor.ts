// What the instances and the balancer say of themselves just now, asked several times a second.
import { type InstanceReading, readingOf, serversUp } from "./metrics.ts";
import type { Instance, Pipeline } from "./pipeline.ts";

const intervalMs = 250;
const answerLimitMs = 1_000;
/** Rates are taken over so long. */
const windowMs = 2_000;

export interface Status extends Omit<InstanceReading, "orders"> {
  ratePerS: number;
  /** Whether the balancer sends requests to it. */
  inService: boolean;
}

export type Monitor = ReturnType<typeof startMonitor>;

/** Starts at once; a process that does not answer has nothing to say. */
export function startMonitor({ instances, statsUrl }: Pick<Pipeline, "instances" | "statsUrl">) {
  const readings = new Map<
    Instance,
    { pid: number; reading: InstanceReading; past: [atMs: number, orders: number][] }
  >();
  let up = new Set<string>();
  let closed = false;

  async function read(instance: Instance): Promise<void> {
    const { child } = instance;
    const page = child.running ? await pageOf(instance.url) : undefined;
    if (page === undefined) return;
    const reading = readingOf(page);
    const known = readings.get(instance);
    const past = known?.pid === child.pid ? known.past : [];
    const nowMs = performance.now();
    past.push([nowMs, reading.orders]);
    while (past.length > 2 && (past[1]?.[0] ?? nowMs) < nowMs - windowMs) past.shift();
    if (child.running) readings.set(instance, { pid: child.pid, reading, past });
  }

  const watching = (async () => {
    while (!closed) {
      const balancer = pageOf(statsUrl).then((page) => {
        up = page === undefined ? new Set() : serversUp(page);
      });
      await Promise.all([balancer, ...instances.map(read)]);
      await Bun.sleep(intervalMs);
    }
  })();

  return {
    /** What an instance last said; undefined when it has said nothing so far. */
    status(instance: Instance): Status | undefined {
      const known = readings.get(instance);
      if (!known) return undefined;
      const { orders: _, ...rest } = known.reading;
      return { ...rest, ratePerS: rateOf(known.past), inService: up.has(instance.server) };
    },

    inService: (instance: Instance): boolean => up.has(instance.server),

    /** Forgets what an instance said that has died. */
    forget: (instance: Instance): void => void readings.delete(instance),

    async [Symbol.asyncDispose](): Promise<void> {
      closed = true;
      await watching;
    },
  };
}

async function pageOf(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(answerLimitMs) });
    const page = await response.text();
    return response.ok ? page : undefined;
  } catch {
    return undefined;
  }
}

function rateOf(past: [atMs: number, orders: number][]): number {
  const [first, last] = [past[0], past.at(-1)];
  if (!first || !last || last[0] === first[0]) return 0;
  return ((last[1] - first[1]) * 1_000) / (last[0] - first[0]);
}
