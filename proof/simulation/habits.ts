/**
 * What a world keeps from its beginning to its end: how many there are, how long things take, the consumers' settings. Each
 * is as usual in about half of the worlds and far from it in others, for what is always the same hides what depends on it
 * (swarm testing). From a stream of their own: what else a seed decides does not depend on how many there are.
 */
import type { ConsumerConfig } from "../../src/config.ts";
import { createRandom, type Random } from "./clock.ts";

export type Habits = ReturnType<typeof habitsOf>;

/** From when a record is dated, before or after it is appended. */
export type Dates = "late" | "very late" | "ahead" | "none" | "nanoseconds" | "usual";

export function habitsOf(seed: number) {
  const random = createRandom(seed ^ 0x5f3759df);
  const some = <T>(usual: T, ...others: T[]): T => (random.chance(0.5) ? usual : random.pick(others));
  const few = <T>(usual: T, ...others: T[]): T => (random.chance(0.9) ? usual : random.pick(others));
  const faulty = random.pick([0, 0, 0.05, 0.2]);
  const habits = {
    faulty,
    slow: random.pick([0, 0.1, 0.5]),
    settings: settingsOf(random, faulty),
    partitions: few(random.int(1, 3), random.int(4, 12)),
    members: few(random.int(1, 3), 4, 5),
    customers: some(random.int(3, 12), 1, 2, 40),
    /** There at the start. */
    records: few(random.int(5, 25), random.int(26, 100)),
    dates: few<Dates>("usual", "late", "very late", "ahead", "none", "nanoseconds"),
    firstOffset: some(0, 1, random.int(2, 10_000), 2 ** 31 - 5, 2 ** 45),
    /** Longest times, each way: of a request's way to the brokers or their answer's way back. */
    lookUpMs: some(40, 2, 400, 2_400),
    staleAnswers: random.chance(0.5),
    commitMs: some(30, 2, 200, 2_000),
    ledgerMs: some(5, 0, 50, 300),
    letterMs: some(10, 200, 1_000),
    rebalanceMs: some(300, 5, 3_000),
    hearsOfLossMs: some(5_000, 150, 15_000),
    sessionMs: some(6_000, 10_000, 30_000),
    /** How much later than it asked for a process is woken up, at most. */
    pace: few(some(6, 3, 12), 1),
    mostPolled: some(6, 1, 50),
    /** Of a fetch: one has much in memory and works through it slowly, while brokers come and go. */
    mostFetched: some(12, 1, 200),
    idles: some(0, 0.5, 0.8),
    /** Bytes (offset.metadata.max.bytes). */
    mostMetadata: few(4_096, 160, 300),
    /** Clients tell no topic's id before they have heard of it, and none while they hear that there is no such topic. */
    untoldMs: some(0, 1_000, 6_000),
    frozenMs: some(15_000, 400, 60_000),
    kindsOfFaults: few(random.int(1, 4), random.int(5, 8)),
    timesOfEach: some(3, 1, 6),
    /** All faults come within so long; else all along. */
    burstMs: some(undefined, 300, 3_000),
    /** The leaders' when it begins; those of a topic that is made anew begin at 0. */
    firstEpoch: some(0, 1, random.int(2, 40)),
    tellsIds: true,
  };
  // Brokers before Kafka 2.8 tell no topic's id. Of one that is made anew only epochs and timestamps tell, where all was seen.
  const tellsIds = habits.dates !== "usual" || some(true, false);
  return tellsIds ? habits : { ...habits, tellsIds, firstOffset: 0 };
}

function settingsOf(random: Random, faulty: number): Partial<ConsumerConfig> {
  const some = <T>(usual: T, ...others: T[]): T => (random.chance(0.5) ? usual : random.pick(others));
  return {
    HANDLER_TIMEOUT_MS: 2_000,
    LEDGER_BATCH_ORDERS: some(8, 1, 2, 64, 500),
    HANDLER_CONCURRENCY: some(4, 1, 2, 16),
    EFFECT_CONCURRENCY: some(64, 1, 3),
    HANDLER_ATTEMPTS: some(10, 4),
    // Where a backlog is full of orders that fail, nothing else comes in by which the breaker would notice that not all do.
    BACKLOG_RECORDS: faulty === 0 ? some(8, 1, 3, 40) : 1_000,
    ...(faulty === 0 && random.chance(1 / 3) && { BACKLOG_BYTES: some(2_000, 1, 10_000) }),
  };
}
