/**
 * What becomes of those who are accepted when more is sent than can be: three producers behind HAProxy, below their
 * capacity, at it and at twice of it. wrk is the crowd; what an order is answered, and after how long, is seen by a few
 * watchers beside it, because wrk does not tell answers apart.
 */
import { ascending, percentile } from "../../kit/percentile.ts";
import { startLoad } from "../../testing/load.ts";
import { type ResultRow, spreads } from "../results.ts";
import { brief, type Context } from "../rig/compare.ts";
import { load, type WrkOptions } from "../rig/load.ts";
import { checked, type Figures, NoFigure, peaks } from "../rig/measure.ts";
import { resetPeakMemory } from "../rig/processes.ts";
import { type BalancedSide, startBalanced } from "../sides/sides.ts";

/** As many as use everything up, by the benchmark `balanced`. */
const busyConnections = 256;
/** More of them would cost wrk and HAProxy so much that there was less of everything for the rest. */
const connections = 2_000;
/** Less than the default: the limit would leave room for more orders than this crowd has connections. */
const settings = { OVERLOAD_AFTER_MS: "200" };
const watchersPerSecond = 20;
/**
 * The shares of the capacity that are sent; for how many times the seconds of a round; and how long an answer takes on
 * average then: so much less a connection waits before its next request.
 */
const shares = [
  { share: 0.8, rounds: 6, answerMs: 0 },
  { share: 1, rounds: 6, answerMs: 0 },
  { share: 2, rounds: 24, answerMs: 100 },
];

/** At twice the capacity for two minutes, unless told otherwise. */
export async function watchOverload({ brokers, effort, stop, say }: Context): Promise<ResultRow[]> {
  const side = await startBalanced("coffee-orders", 3, { ...brokers.env, ...settings });
  const send = (options: Pick<WrkOptions, "connections" | "seconds" | "pauseMs">) =>
    load({ path: "/orders", orders: 1, port: side.port, stop, ...options });
  try {
    await send({ connections: busyConnections, seconds: Math.max(1, effort.warmUpSeconds) });
    const busy = await send({ connections: busyConnections, seconds: 4 * effort.seconds });
    const capacity = (busy.requests - busy.errors) / busy.seconds;
    const rows: ResultRow[] = [];
    for (const { share, rounds, answerMs } of shares) {
      const seconds = (effort.quick ? 2 : rounds) * effort.seconds;
      const pauseMs = Math.max(1, Math.round((1_000 * connections) / (share * capacity) - answerMs));
      const row = { side: side.name, load: `${100 * share} % of ${Math.round(capacity)}/s` };
      try {
        const figures = await under(side, () => send({ connections, seconds, pauseMs }));
        say(`${row.load}: ${brief(figures)}`);
        rows.push({ ...row, figures: spreads([figures]) });
      } catch (error) {
        if (!(error instanceof NoFigure)) throw error;
        say(`${row.load}: no figure, ${error.message}`);
        rows.push({ ...row, figures: {}, noFigure: error.message });
      }
    }
    return rows;
  } finally {
    await side.stop();
  }

  async function under(side: BalancedSide, send: () => ReturnType<typeof load>): Promise<Figures> {
    for (const pids of Object.values(side.pids)) resetPeakMemory(pids);
    const ejectedBefore = await side.ejected();
    const { result, accepted } = await checked(side, brokers, async () => {
      await using watchers = startLoad(side.port, watchersPerSecond);
      const client = await send();
      return { client, told: await watchers.stop() };
    });
    const { client, told } = result;
    const waits = ascending(told.filter(({ status }) => status === 202).map(({ latencyMs }) => latencyMs));
    const counted = client.requests - client.errors + waits.length;
    const others = told.filter(({ status, fate }) => status !== 202 && fate !== "refused");
    if (client.failed > 0) throw new NoFigure(`${client.failed} of ${client.requests} requests failed`);
    if (others.length > 0) throw new NoFigure(`${others.length} orders were neither accepted nor refused`);
    if (waits.length === 0) throw new NoFigure("no watcher's order was accepted");
    if (accepted < counted || accepted > counted + connections)
      throw new NoFigure(`${accepted} orders were accepted, the clients counted ${counted}`);
    return {
      "sent/s": client.requests / client.seconds,
      "accepted/s": counted / client.seconds,
      "p50 ms": percentile(waits, 50),
      "p99 ms": percentile(waits, 99),
      ...peaks(side),
      ejected: (await side.ejected()) - ejectedBefore,
    };
  }
}
