/**
 * One measurement of one side, and its check: as many orders were appended to the topic as the side accepted, and as
 * many as the client counted, but for requests that were under way when it ended, one for each connection at most. An
 * order that the side itself sent once more, as it says, may be there twice.
 * A side that does not pass has no figure.
 */
import { comesTrue } from "../../kit/until.ts";
import type { Side } from "../sides/sides.ts";
import type { Brokers } from "./brokers.ts";
import { load, type WrkOptions } from "./load.ts";
import { cpuSeconds, peakMemoryMb, resetPeakMemory } from "./processes.ts";

/** Longer than an order takes that is under way. */
const quietMs = 200;

/** The figures of one measurement by name; those of processes once for each group of them. */
export type Figures = Record<string, number>;

/** The side failed its check: what it measured counts for nothing. */
export class NoFigure extends Error {}

/**
 * Measures a side under load.
 * @param options.settleLimitMs how long the last orders may take to be on the topic
 * @throws NoFigure
 */
export async function measure(
  side: Side,
  brokers: Brokers,
  { settleLimitMs, ...options }: Omit<WrkOptions, "port"> & { settleLimitMs?: number },
): Promise<Figures> {
  const groups = Object.entries({ ...side.pids, brokers: brokers.pids });
  for (const pids of Object.values(side.pids)) resetPeakMemory(pids);
  const { result, accepted } = await checked(
    side,
    brokers,
    async () => {
      const cpuBefore = groups.map(([, pids]) => cpuSeconds(pids));
      const client = await load({ ...options, port: side.port });
      return { client, cpuS: groups.map(([, pids], at) => cpuSeconds(pids) - (cpuBefore[at] ?? 0)) };
    },
    settleLimitMs,
  );
  const { client, cpuS } = result;
  const counted = client.requests * options.orders;
  const underWay = options.connections * options.orders;
  const failed = client.failed + client.errors;
  if (failed > 0) throw new NoFigure(`${failed} of ${client.requests} requests failed`);
  if (accepted < counted || accepted > counted + underWay)
    throw new NoFigure(`${accepted} orders were accepted, the client counted ${counted}`);

  return {
    "orders/s": counted / client.seconds,
    "p50 ms": client.p50Ms,
    "p99 ms": client.p99Ms,
    "p99.9 ms": client.p999Ms,
    ...Object.fromEntries(groups.map(([name], at) => [`${name} µs`, ((cpuS[at] ?? 0) / accepted) * 1e6])),
    ...peaks(side),
  };
}

/** The peak of the memory of each group of a side's processes. */
export const peaks = ({ pids }: Side): Figures =>
  Object.fromEntries(Object.entries(pids).map(([name, group]) => [`${name} MB`, peakMemoryMb(group)]));

/**
 * Runs a load and holds what was appended against what the side accepted meanwhile.
 * @returns what the load came to, and how many orders were accepted
 * @throws NoFigure
 */
export async function checked<Result>(
  side: Side,
  brokers: Brokers,
  run: () => Promise<Result>,
  settleLimitMs = 30_000,
): Promise<{ result: Result; accepted: number }> {
  const counts = async () => ({ appended: await brokers.appended(), ...(await side.accepted()) });
  const before = await settled(counts, settleLimitMs);
  const result = await run();
  const since = ({ appended, orders, copies }: Counts) => ({
    appended: appended - before.appended,
    accepted: orders - before.orders,
    copies: copies - before.copies,
  });
  const agrees = (now: Counts) => {
    const { appended, accepted, copies } = since(now);
    return side.appends ? appended >= accepted && appended <= accepted + copies : appended === 0;
  };
  const after = await settled(counts, settleLimitMs, agrees);
  const { appended, accepted, copies } = since(after);
  if (!agrees(after))
    throw new NoFigure(
      `${appended} orders were appended, ${accepted} accepted, ${copies} of them sent twice`,
    );
  return { result, accepted };
}

type Counts = { appended: number; orders: number; copies: number };

/** The counts when nothing is under way any more: the same twice in a row, and as wanted if it comes to that. */
async function settled(
  counts: () => Promise<Counts>,
  limitMs: number,
  wanted: (now: Counts) => boolean = () => true,
): Promise<Counts> {
  let last = await counts();
  await comesTrue(
    async () => {
      const now = await counts();
      const same = now.appended === last.appended && now.orders === last.orders;
      last = now;
      return same && wanted(now);
    },
    limitMs,
    quietMs,
  );
  return last;
}
