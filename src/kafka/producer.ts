/** An idempotent producer: what it reports delivered is on every in-sync replica, once, and in order in its partition. */
import type { Pointer } from "bun:ffi";
import type { KafkaConfig } from "../config.ts";
import Kafka from "./addon.ts";
import { openAsking } from "./admin.ts";
import { clientOptions, connected, disconnect, metadataOf } from "./client.ts";
import { openReports, type Report } from "./reports.ts";
import { type OutgoingRecord, openSender, type RefusedRecord } from "./sender.ts";
import { openWakeUps } from "./wake-ups.ts";

/** Of records that are handed over together each, counted by n from 0, has a report, unless the producer is closed first. */
export type OnReport = (n: number, report: Report) => void;

export type KafkaProducer = Awaited<ReturnType<typeof openProducer>>;

/** Longest batch of a dead letter: twice a broker's default, so that any record fits into one. */
export const maxRecordBytes = 2_097_152;
/** Longest batch of several records, Kafka's batch.size: topics must take that much, for their bound is a batch's. */
export const batchBytes = 1_000_000;

/** Records of one call, and calls until they are numbered anew. A tag, a double, is the call's number and a place in it. */
const mostTogether = 2 ** 20;
const mostCalls = 2 ** 32;

/**
 * Connects a producer. A record longer than `maxBytes`, which no topic's max.message.bytes may be below, is refused.
 * @param options.lingerMs Kafka's linger.ms, by default none; @param options.deliveryTimeoutMs Kafka's message.timeout.ms
 * @throws Error when no broker answers within 5 s, or no pipe can be made; nothing is left open.
 */
export function openProducer(
  config: KafkaConfig,
  options: {
    lingerMs?: number;
    deliveryTimeoutMs: number;
    maxBytes?: number;
    onStatistics?: (statistics: ReturnType<typeof statisticsOf>) => void;
    onError?: (message: string) => void;
  },
) {
  const { lingerMs = 0 } = options;
  const client = new Kafka.Producer(
    {
      ...clientOptions(config),
      // Retries neither double nor reorder records (KIP-98); implies acks=all, ≤ 5 requests in flight.
      "enable.idempotence": true,
      "max.in.flight.requests.per.connection": 5,
      // Off: experimental, and it would turn the loss of a batch into a fatal error.
      "enable.gapless.guarantee": false,
      // Retried until the record's own time limit is over.
      "message.send.max.retries": 2_147_483_647,
      "retry.backoff.ms": 50,
      "retry.backoff.max.ms": 500,
      "linger.ms": lingerMs,
      "batch.size": batchBytes,
      // The queue's own bounds lie above those of the tier, which refuses first.
      "queue.buffering.max.messages": 100_000,
      "queue.buffering.max.kbytes": 131_072,
      "compression.type": "lz4",
      // Without the header that a batch has besides its records (Kafka protocol, RecordBatch).
      "message.max.bytes": (options.maxBytes ?? maxRecordBytes) - 61,
      "statistics.interval.ms": 1_000,
    },
    {
      // Answered only when every in-sync replica has it.
      "request.required.acks": -1,
      "request.timeout.ms": 10_000,
      "message.timeout.ms": options.deliveryTimeoutMs,
    },
  );
  client.on("event.stats", (event) => options.onStatistics?.(statisticsOf(event.message)));
  return connected(client, config, (handle) => drive(client, handle, lingerMs > 0), options.onError);
}

function drive(client: Kafka.Producer, handle: Pointer, lingers: boolean) {
  let closed = false;
  /** Who waits for reports, and of how many records, by the number of the call that handed them over. */
  const waiting = new Map<number, { onReport: OnReport; left: number }>();
  let lastCall = 0;
  const asking = openAsking(handle);
  const wakeUps = openWakeUps(handle, () => reports.poll());
  const sender = openSender(handle, lingers);
  const reports = openReports(handle, (tag, report) => {
    const call = Math.floor(tag / mostTogether);
    const waits = waiting.get(call);
    if (!waits) return;
    waits.left -= 1;
    if (waits.left === 0) waiting.delete(call);
    waits.onReport(tag % mostTogether, report);
  });
  // A wake-up that was missed, whatever for, delays a report by no more than this.
  const polls = setInterval(reports.poll, 100);
  async function flush(timeoutMs: number): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs;
    while (waiting.size > 0 && performance.now() < deadlineMs) await Bun.sleep(5);
  }
  /**
   * Queues records in their order, of one topic and with the same shared headers. Where nothing lingers, those for one partition
   * leave in one request if they fit. @returns those that were not queued, which have no report: their places, and why
   * @throws Error after `close`, RangeError for more than a million, TypeError for several topics: none was queued.
   */
  function produceAll(records: readonly OutgoingRecord[], onReport: OnReport): [number, RefusedRecord][] {
    if (closed) throw new Error("the producer is closed");
    if (records.length > mostTogether) throw new RangeError(`more than ${mostTogether} records in one call`);
    lastCall = (lastCall % mostCalls) + 1;
    const refused = sender.send(records, lastCall * mostTogether);
    const left = records.length - refused.length;
    if (left > 0) waiting.set(lastCall, { onReport, left });
    return refused;
  }
  return {
    produceAll,
    flush,
    ask: asking.ask,
    /** Queues one record, as `produceAll` does. @throws RefusedRecord, or Error after `close`: not queued. */
    produce(record: OutgoingRecord, onReport: (report: Report) => void): void {
      const [refusal] = produceAll([record], (_, report) => onReport(report));
      if (refusal) throw refusal[1];
    },
    metadata: metadataOf(client),
    /** Sends what is queued, at most for so long, and disconnects. What is unacknowledged then stays unknown. */
    async close(flushTimeoutMs: number): Promise<void> {
      await flush(flushTimeoutMs);
      if (closed) return;
      closed = true;
      // From here on nobody is told anything, also of reports that have been taken just now.
      waiting.clear();
      clearInterval(polls);
      await asking.close();
      await wakeUps.close();
      reports.close();
      sender.close();
      await disconnect(client);
    },
  };
}

function statisticsOf(json: string) {
  type Broker = { nodeid: number; state: string };
  type Told = { msg_cnt: number; brokers: Record<string, Broker>; eos: { producer_id: number } };
  const { msg_cnt: queueRecords, brokers, eos } = JSON.parse(json) as Told;
  const up = Object.values(brokers).filter(({ nodeid, state }) => nodeid >= 0 && state === "UP");
  return { brokersUp: up.length, queueRecords, hasId: eos.producer_id >= 0 };
}
