/** A consumer from start to drain. It never gives up to reach topics as strong as configured, the ledger and the group. */
import { type ConsumerConfig, dayMs } from "../config.ts";
import { type KafkaConsumer, openConsumer, type Rebalance } from "../kafka/consumer.ts";
import { askOnce } from "../kafka/topics.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { realClock as clock } from "../runtime/clock.ts";
import { createGather } from "../runtime/gather.ts";
import type { Logger } from "../runtime/log.ts";
import { whose } from "./attempt.ts";
import { createDeadLetters } from "./dead-letters.ts";
import { createGroupMember } from "./group-member.ts";
import type { Handling } from "./handler.ts";
import type { HandlingMetrics } from "./metrics.ts";
import { createProcessor } from "./processor.ts";

const [retryMs, lookUpTimeoutMs, rightsMs, expiryMs] = [1_000, 1_000, 5_000, 600_000];
const retentionMarginMs = 30 * dayMs;

type Parts = Handling & { ledger: Ledger; metrics: HandlingMetrics; log: Logger };

export function startConsumer(config: ConsumerConfig, parts: Parts) {
  const { ledger, log, metrics } = parts;
  const deadLetters = createDeadLetters(config, log);
  let core: { consumer: KafkaConsumer; member: ReturnType<typeof createGroupMember> } | undefined;
  let [obstacle, draining] = ["starting", false];
  let denial: string | undefined; // For want of a right the group assigns nothing, so it is told first.
  /** Repeats a step of the start until it succeeds. @returns undefined when the drain came first */
  async function persist<T>(what: string, step: () => Promise<T>): Promise<T | undefined> {
    while (!draining) {
      try {
        return await step();
      } catch (error) {
        const fault = `${what}: ${(error as Error).message}`;
        if (obstacle !== fault) log.warn({ fault }, "not ready, trying again");
        obstacle = fault;
        await clock.sleep(retryMs);
      }
    }
  }
  /** Asks the topics each time: how long they keep records may have been changed. */
  async function expire(): Promise<void> {
    try {
      const retentionMs = await ledgerRetentionMs(config);
      if (!Number.isFinite(retentionMs)) return;
      for (const what of await ledger.expire(retentionMs)) log.info({ retentionMs }, what);
    } catch (error) {
      log.warn({ err: error }, "the ledger keeps what is older than its retention, until the next time");
    }
  }
  async function watchRights(): Promise<void> {
    denial = await core?.consumer.missingRight(rightsMs).catch((error) => {
      log.debug({ err: error }, "no broker tells which rights there are");
      return error.code === -195 ? "no Kafka broker is reachable: the log says why" : denial; // ERR__TRANSPORT
    });
  }
  async function work(): Promise<void> {
    const retentionMs = await persist("no topic to rely on", () => ledgerRetentionMs(config));
    // After all else that may keep it from working: consumers of the version before can't use what it migrates.
    await persist("no ledger", () => ledger.open(parts.migrations).then(() => metrics.ledgerUp.set(1)));
    const demands: Rebalance[] = [];
    const onError = (message: string) => log.warn({ kafka: message }, "Kafka client");
    const join = () => openConsumer(config, { onRebalance: (demand) => demands.push(demand), onError });
    const consumer = await persist("no connection to Kafka", join);
    if (!consumer) return;
    log.info({ retentionMs }, "the ledger's retention; none: its rows are kept for ever");
    const processor = createProcessor(config, { ...parts, deadLetters, clock, random: Math.random });
    const member = createGroupMember(config, { consumer, demands, processor, metrics, log, clock });
    core = { consumer, member };
    log.info({ topic: config.ORDERS_TOPIC, group: config.CONSUMER_GROUP }, "ready");
    if (draining) member.leave();
    const regular = [setInterval(expire, expiryMs), setInterval(watchRights, rightsMs)];
    await member.run();
    regular.forEach(clearInterval);
    core = undefined;
    await consumer.close();
  }
  const working = whose.run("tier", work);
  whose.run("tier", () => working.catch(reportError));
  return {
    unready(): string | undefined {
      if (draining) return "draining";
      if (!core) return obstacle;
      return denial ?? deadLetters.unready() ?? core.member.unready();
    },
    waiting: (id: string) => core?.member.waiting(id),
    /** The offset that the group committed of a partition, 0 when it has not; undefined when nobody tells. */
    committed: createGather(Number.POSITIVE_INFINITY, async (partitions: number[]) => {
      const untold = (err: unknown) => log.warn({ err, partitions }, "what is committed is not told");
      const asked = core?.consumer.committedOffsets([...new Set(partitions)], lookUpTimeoutMs);
      const found = await asked?.catch(untold);
      return (partition) => found && (found.get(partition) ?? 0);
    }),
    async drain(): Promise<void> {
      draining = true;
      // Who has not begun may wait for another's migration, for minutes.
      if (core) core.member.leave();
      else await ledger.close();
      await working;
      await deadLetters.close();
      await ledger.close();
    },
  };
}

/**
 * For how long the ledger must know an order: as long as a record of it can come again. It stays readable for retention.ms after
 * the last one of its segment, which is written to for segment.ms (Kafka's documentation, «Topic Configs»). A dead letter can be put
 * back until it is gone, and read again then. A day is for the brokers' own pace.
 * @returns ms; Infinity where a topic keeps its records for ever, or does not tell
 * @throws Error that says what to change: a topic, a right or LEDGER_RETENTION_DAYS; or that the brokers can't be asked
 */
export async function ledgerRetentionMs(config: ConsumerConfig): Promise<number> {
  const { ORDERS_TOPIC: orders, DEAD_TOPIC: dead, LEDGER_RETENTION_DAYS: days } = config;
  const topics = await Promise.all([askOnce(config, orders, "READ"), askOnce(config, dead, "WRITE")]);
  for (const { fault } of topics) if (fault) throw new Error(fault);
  const neededMs = topics.reduce((sum, { retentionMs, segmentMs }) => sum + retentionMs + segmentMs, dayMs);
  if (days === undefined || neededMs === Infinity) return neededMs + retentionMarginMs;
  const tooFew = `LEDGER_RETENTION_DAYS=${days} is less than the ${Math.ceil(neededMs / dayMs)} days for which an order can come again (retention.ms and segment.ms of ${orders} and ${dead}): raise it, or lower those`;
  if (days * dayMs < neededMs) throw new Error(tooFew);
  return days * dayMs;
}
