/** Every benchmark by its name: what it compares, and how it is run. */

import { compareConsumers } from "./benchmarks/consumers.ts";
import { compareLatency } from "./benchmarks/latency.ts";
import { compareHeld } from "./benchmarks/ledger.ts";
import { watchMemory } from "./benchmarks/memory.ts";
import { watchOverload } from "./benchmarks/overload.ts";
import { measureTopology } from "./benchmarks/topology.ts";
import type { BenchmarkName, ConnectionCount } from "./names.ts";
import type { ResultRow } from "./results.ts";
import { type Context, compare } from "./rig/compare.ts";
import { isScript, programs, type SideName, startBalanced, startSide } from "./sides/sides.ts";

export type Benchmark =
  | { what: string; alone?: false; run(context: Context): Promise<ResultRow[]> }
  /** Without brokers of the benchmarks' own, which would cost beside it. */
  | { what: string; alone: true; run(context: Omit<Context, "brokers">): Promise<ResultRow[]> };

const product = "coffee-orders";
const byCustomer = "coffee-orders, by customer";
const batcher = "Fastify + @platformatic/kafka";
const franzGo = "Go + franz-go";

function connections({ effort }: Context, ...all: ConnectionCount[]): number[] {
  if (effort.quick) return all.slice(1, 2);
  const chosen = all.filter((one) => effort.connections.includes(one));
  return chosen.length > 0 ? chosen : all;
}

const direct = (names: readonly SideName[], { brokers, effort }: Context) =>
  names.filter((name) => !effort.quick || isScript(name)).map((name) => () => startSide(name, brokers.env));

const balanced = (sides: readonly [SideName, number][], { brokers, effort }: Context) =>
  sides
    .filter(([name, count]) => !effort.quick || (isScript(name) && count === 3))
    .map(
      ([name, count]) =>
        () =>
          startBalanced(name, count, brokers.env),
    );

export const benchmarks: Record<BenchmarkName, Benchmark> = {
  ledger: {
    what: "PostgreSQL's ledger alone, four connections, 500 new orders a transaction, by how many orders it has already",
    alone: true,
    run: compareHeld,
  },
  topology: {
    what: "the containers of `make up` under the load of `bun run load`: CPU of an order, cold, idle, at everyday rates, and after a broker's return; and with the best peer's producer and a plain consumer without a ledger in place of the tiers",
    alone: true,
    run: measureTopology,
  },
  direct: {
    what: "HTTP to accepted, one order a request, one program, without a balancer",
    run: (context) =>
      compare(
        {
          path: "/orders",
          orders: 1,
          connections: connections(context, 1, 64, 256, 1_024),
          starts: direct(Object.keys(programs) as SideName[], context),
        },
        context,
      ),
  },
  balanced: {
    what: "HTTP to accepted, one order a request, through the product's HAProxy",
    run: (context) =>
      compare(
        {
          path: "/orders",
          orders: 1,
          connections: connections(context, 64, 256, 1_024),
          starts: balanced(
            [
              [product, 3],
              [product, 2],
              [product, 1],
              [batcher, 3],
              [franzGo, 3],
            ],
            context,
          ),
        },
        context,
      ),
  },
  overload: {
    what: "a crowd for up to twice what 256 busy connections get through three producers behind HAProxy (`OVERLOAD_AFTER_MS=200`); latencies are those of accepted orders",
    run: watchOverload,
  },
  batch: {
    what: "HTTP to accepted, 100 orders a request, one program, without a balancer; latencies are those of requests",
    run: (context) =>
      compare(
        {
          path: "/orders/batch",
          orders: 100,
          // Thirty hundreds: as many as a producer takes of batches at a time, but for some.
          connections: connections(context, 1, 8, 30),
          starts: direct([product, byCustomer, "no Kafka", batcher], context),
        },
        context,
      ),
  },
  consumer: {
    what: "Kafka to ledger row to committed offset, the orders of one round on the topic beforehand",
    run: (context) => {
      const sides = [
        { name: "the ledger alone", handlerMs: "bare", members: 1 },
        { name: "1 consumer, empty handler", handlerMs: 0, members: 1 },
        { name: "3 consumers, empty handler", handlerMs: 0, members: 3 },
        { name: "6 consumers, empty handler", handlerMs: 0, members: 6 },
        { name: "1 consumer, handler of 5 ms", handlerMs: 5, members: 1, share: 0.02 },
      ] as const;
      return context.effort.quick
        ? compareConsumers(sides.slice(0, 3), 2_000, context)
        : // Enough for seconds: what is committed is told ten times a second.
          compareConsumers(sides, 300_000, context);
    },
  },
  latency: {
    what: "from the answer 202 to the committed ledger row (PostgreSQL), one producer, one consumer, orders at a steady rate",
    run: compareLatency,
  },
  memory: {
    what: "one producer and one consumer (PostgreSQL) at full load, 100 orders a request; the producer ahead of the consumer, which catches up",
    run: watchMemory,
  },
};
