/** What was aimed at, each with what was measured: worked out of the committed results, so that no figure is typed. */
import type { ResultRow, Results } from "./results.ts";
import {
  atLeast,
  atMost,
  fastest,
  median,
  perSecond,
  ratio,
  share,
  type TargetVerdict,
  times,
} from "./verdict.ts";

type All = Map<string, Results>;

const product = "coffee-orders";
const byCustomer = "coffee-orders, by customer";
const noKafka = "no Kafka";
/** Bun's HTTP server alone. */
const floor = "floor";
/** Their records' partitions are hashes of their keys, too. */
const keyedPeers = ["Go + franz-go, by customer", "Fastify + @platformatic/kafka"];

/** What limits, as it was found by profiles and by what the tables say. */
const limits = {
  turns:
    "waiting: the clients' orders are with the brokers or with the producer, seldom with both, and neither is busy all the time",
  http: "the producer's one thread of JavaScript, of which the route without Kafka takes the most: Bun's HTTP server and the kernel's sockets",
  requests:
    "produce requests: librdkafka puts one partition into each, so of 64 connections' orders for 12 partitions each carries five, where a peer's carries a broker's four partitions. With `TOPIC_PARTITIONS=3` it is ahead (`docs/capacity.md`)",
  promises:
    "what is promised besides: validation, the id by the key, the record and its headers, metrics, the bound, the answer with its place; and librdkafka's threads",
  processors: "two processors for all of it: load, HAProxy, three producers, three brokers",
  orders: "the producer's one thread of JavaScript: validation, id, record and answer of each order",
  ledger: "two processors for the consumer, the server and the brokers",
  looks:
    "each new order is looked for in every generation that has ended, and its place in the newest's index is a random one, so that all of it has to be in memory. It came there in the course of the rounds: with 30 million rows in one generation they had 21, 49 and 82 % of the rate with a million, in three 40, 83 and 51 %",
  parts:
    "the brokers' part: three replicas of each group, and what each consumer fetches and commits; what is each order's own, in every tier; and at 200/s the idle topology, a quarter of it. Groups keep a distance once it is found out that nobody waits for an answer (src/intake/groups.ts), in the second second of a load. An hour earlier, on a quicker machine (12.6 ms at 50/s), it was 4.4, 2.0 and 1.3 ms, p99 118, 134 and 188 ms, idle 24 %. With a rule that kept the distance all the time and held up clients that wait for answers 3.9, 1.7 and 1.1 ms; without any 5.9, 2.7 and 1.4 ms, and p99 at 1,000/s 1,225 ms (2026-11-30)",
  checks:
    "idle brokers: followers' and consumers' fetches, and Java's timers; and Docker itself. 19 to 24 % in other runs, whose machine was mostly quicker",
  slowDay: "the machine, whose speed changes from hour to hour: p99 at 1,000/s was 188 ms an hour earlier",
  heap: "what Bun's heap and malloc hold between collections; no more lives on at the end than at the start",
};

/** Every target whose benchmark has been run. One of whose sides has no figure was not met. */
export function verdicts(all: All): TargetVerdict[] {
  const found = [
    ...direct(all),
    ...balanced(all),
    ...overload(all),
    ...batch(all),
    ...consumer(all),
    ...ledger(all),
    ...latency(all),
    ...memory(all),
    ...topology(all),
  ];
  return found.map((one) =>
    one.measured.includes("NaN") ? { ...one, measured: "no figure", limit: "not measured yet" } : one,
  );
}

function direct(all: All): TargetVerdict[] {
  const rows = all.get("direct")?.rows;
  if (!rows) return [];
  const at = (connections: number) => {
    const load = `${connections} connections`;
    const peers = rows.filter(
      (row) => row.load === load && ![product, byCustomer, noKafka, floor].includes(row.side),
    );
    return {
      ours: median(rows, product, load),
      keyed: median(rows, byCustomer, load),
      ceiling: median(rows, noKafka, load),
      floor: median(rows, floor, load),
      best: fastest(peers),
      bestKeyed: fastest(peers.filter(({ side }) => keyedPeers.includes(side))),
      quickestMs: Math.min(...peers.map((row) => row.figures["p50 ms"]?.median ?? Number.POSITIVE_INFINITY)),
    };
  };
  const [at1, at64, at256, at1024] = [at(1), at(64), at(256), at(1_024)];
  const cpu = at1024.ours("producer µs");
  const peerCpu = at1024.best.of("producer µs");
  return [
    ratio("HTTP to accepted, 64 connections", at64.ours("orders/s"), at64.best, 1.5, limits.turns),
    ratio("HTTP to accepted, 256 connections", at256.ours("orders/s"), at256.best, 1.5, limits.http),
    ratio("HTTP to accepted, 1,024 connections", at1024.ours("orders/s"), at1024.best, 2, limits.http),
    share(
      "the same, of the route without Kafka",
      at1024.ours("orders/s"),
      at1024.ceiling("orders/s"),
      0.6,
      limits.http,
    ),
    atMost("CPU of the producer an order, 1,024 connections", cpu, 30, "µs", limits.http),
    times(
      "the same, of a server's that only reads and parses",
      cpu,
      at1024.floor("producer µs"),
      1.3,
      limits.promises,
    ),
    {
      measure: "the same, of the best peer's",
      target: "≤ 0.60",
      measured: `${(cpu / peerCpu).toFixed(2)} (${peerCpu.toFixed(0)} µs, ${at1024.best.name})`,
      met: cpu <= 0.6 * peerCpu,
      limit: limits.http,
    },
    ratio(
      "`PARTITIONER=customer`, 64 connections",
      at64.keyed("orders/s"),
      at64.bestKeyed,
      1,
      limits.requests,
    ),
    ratio(
      "`PARTITIONER=customer`, 1,024 connections",
      at1024.keyed("orders/s"),
      at1024.bestKeyed,
      1,
      limits.requests,
    ),
    atMost(
      "p50 with one connection above that of the quickest peer, which waits for nothing but the brokers",
      at1.ours("p50 ms") - at1.quickestMs,
      1.5,
      "ms",
    ),
  ];
}

function balanced(all: All): TargetVerdict[] {
  const rows = all.get("balanced")?.rows;
  if (!rows) return [];
  const ofThree = (row: ResultRow) => row.side.includes("3 ×");
  const ours = fastest(rows.filter((row) => ofThree(row) && row.side.includes(product)));
  const peers = fastest(rows.filter((row) => ofThree(row) && !row.side.includes(product)));
  const rate = ours.of("orders/s");
  return [
    ratio(`through HAProxy, three producers (${ours.load})`, rate, peers, 2, limits.processors),
    atLeast("the same", rate, 12_000, limits.processors),
  ];
}

function overload(all: All): TargetVerdict[] {
  const rows = all.get("overload")?.rows;
  if (!rows) return [];
  const at = (share: string) => (name: string) =>
    rows.find(({ load }) => load.startsWith(share))?.figures[name]?.median ?? Number.NaN;
  const [below, full, twice] = [at("80 %"), at("100 %"), at("200 %")];
  const most = Math.max(below("accepted/s"), full("accepted/s"));
  const [goodput, sent] = [twice("accepted/s"), twice("sent/s")];
  const [p99, p99Below] = [twice("p99 ms"), below("p99 ms")];
  return [
    {
      measure: "a crowd for twice the capacity: accepted, of the most with fewer",
      target: "≥ 90 %",
      measured: `${Math.round((100 * goodput) / most)} % (${perSecond(goodput)} of ${perSecond(most)}; it sent ${perSecond(sent)})`,
      met: goodput >= 0.9 * most,
    },
    {
      measure: "the same: p99 of who is accepted, of that at four fifths",
      target: "≤ 3.0 ×",
      measured: `${(p99 / p99Below).toFixed(1)} × (${p99.toFixed(0)} ms, ${p99Below.toFixed(0)} ms)`,
      met: p99 <= 3 * p99Below,
    },
  ];
}

function batch(all: All): TargetVerdict[] {
  const rows = all.get("batch")?.rows.filter(({ side }) => side === product);
  return rows ? [atLeast("batches of 100", fastest(rows).of("orders/s"), 100_000, limits.orders)] : [];
}

function consumer(all: All): TargetVerdict[] {
  const rows = all.get("consumer")?.rows ?? [];
  return [...new Set(rows.map(({ load }) => load))].map((ledger) =>
    share(
      `one consumer, empty handler, of the ledger alone (${ledger})`,
      median(rows, "1 consumer, empty handler", ledger)("orders/s"),
      median(rows, "the ledger alone", ledger)("orders/s"),
      0.7,
      limits.ledger,
    ),
  );
}

function ledger(all: All): TargetVerdict[] {
  const rows = all.get("ledger")?.rows ?? [];
  const [few] = rows;
  return rows.slice(1).map((row) => {
    const measure = `the ledger with ${row.side} in ${row.load}`;
    const of = (one = row) => median(rows, one.side, one.load);
    if (row.load.includes("dropped"))
      return atMost(`${measure}: the longest wait`, of()("longest ms"), 1_000, "ms");
    const rates = [of()("orders/s"), of(few)("orders/s")] as const;
    return share(`${measure}, of its rate with ${few?.side}`, ...rates, 0.8, limits.looks);
  });
}

function latency(all: All): TargetVerdict[] {
  const rows = all.get("latency")?.rows;
  if (!rows) return [];
  const p99 = median(rows, "accepted to handled", "1000/s")("p99 ms");
  return [atMost("accepted to handled at 1,000/s, p99", p99, 100, "ms")];
}

function memory(all: All): TargetVerdict[] {
  return (all.get("memory")?.rows ?? []).map(({ side, figures }) => {
    const early = figures["MB, second tenth"]?.median ?? Number.NaN;
    const late = figures["MB, last tenth"]?.median ?? Number.NaN;
    const most = figures["MB, all the time"]?.max ?? Number.NaN;
    return {
      measure: `memory of the ${side} under full load`,
      target: "≤ 150 MB, flat",
      measured: `${most.toFixed(0)} MB at most; ${early.toFixed(0)} MB in the second tenth of the time, ${late.toFixed(0)} MB in the last`,
      met: most <= 150 && late <= 1.1 * early,
      limit: limits.heap,
    };
  });
}

function topology(all: All): TargetVerdict[] {
  const rows = all.get("topology")?.rows;
  if (!rows) return [];
  const at = (load: string) => median(rows, "make up", load);
  const cpu = (rate: string, target: number) =>
    atMost(
      `CPU of an order, whole topology, ${rate}`,
      at(rate)("CPU ms an order"),
      target,
      "ms",
      limits.parts,
    );
  const p99 = (what: string, load: string, target: number) =>
    atMost(`p99 ${what}`, at(load)("p99 ms"), target, "ms", limits.slowDay);
  return [
    cpu("200/s", 3.5),
    cpu("500/s", 2),
    cpu("1000/s", 1.5),
    ...["500/s", "1000/s"].map((rate) => p99(`of it, ${rate}`, rate, 500)),
    atMost("idle topology", at("idle")("% of a core"), 20, "% of a core", limits.checks),
    p99("right after a fresh `make up`, 500/s", "cold, 500/s", 500),
    p99("at 300/s from 10 s after a broker's return", "300/s, a broker killed and back", 1_000),
  ];
}
