/**
 * Gathers a run's history from where it lies: the topic and the dead letters from the brokers, the rows and effects
 * from the ledger, past the tiers, whose word is on trial. Only orders of the client's record are kept.
 */
import type { SQL } from "bun";
import type { KafkaUser } from "../../infra/secure/names.ts";
import type { Topology } from "../../infra/topology.ts";
import { UserError } from "../../kit/user-error.ts";
import { letterOf } from "../../ops/dead/letters.ts";
import { openTopicReader, type ReadRecord } from "../../ops/read-topic.ts";
import { type ConsumerConfig, consumerConfig } from "../../src/config.ts";
import { placeOf } from "../verdict/reconcile-evidence.ts";
import { ofLedger, readable, withLedger } from "./ask.ts";
import { type CommitSampler, startSampler } from "./collect-commits.ts";
import { entriesOf } from "./entries.ts";
import {
  type ClientAnswer,
  type CommitSeen,
  type Cut,
  type DeadLetter,
  type History,
  orderIdOf,
  type TopicRecord,
} from "./history.ts";

export type { CommitSampler };

/** Starts watching what a topology's consumers commit. */
export async function sampleCommits(
  topology: Topology,
  options?: { everyMs?: number },
): Promise<CommitSampler> {
  return startSampler(await consumerOf(topology), options);
}

/**
 * Gathers the history of a run on a topology.
 * @param commits of the whole run; undefined: nobody has looked
 * @throws UserError that says what of it can't be read in full
 */
export async function collect(
  topology: Topology,
  client: readonly ClientAnswer[],
  commits?: readonly CommitSeen[],
  cuts: readonly Cut[] = [],
): Promise<History> {
  const consumer = await consumerOf(topology);
  return withLedger(await topology.ledger(), (ledger) =>
    collectFrom({ consumer, ledger }, client, commits, cuts),
  );
}

/**
 * Gathers the history of a run from brokers and a ledger, wherever they are.
 * @param seen what was committed; undefined: nobody has looked
 * @throws UserError that says what of it can't be read in full
 */
export async function collectFrom(
  { consumer, ledger }: { consumer: ConsumerConfig; ledger: SQL },
  client: readonly ClientAnswer[],
  seen?: readonly CommitSeen[],
  cuts: readonly Cut[] = [],
): Promise<History> {
  const commits = seen ?? [];
  const ids = new Set(client.map(orderIdOf));
  const startMs = client.reduce(
    (least, { startedMs }) => Math.min(least, startedMs),
    Number.POSITIVE_INFINITY,
  );
  const topic = await readable(
    `the topic ${consumer.ORDERS_TOPIC}`,
    // Where a log was cut, its offsets have begun again.
    recordsOf(consumer, ids, cuts.length > 0 ? new Map() : committedBefore(commits, startMs)),
  );
  const places = new Set(topic.map(placeOf));
  const isOurs = ({ id, ...place }: DeadLetter) =>
    id === undefined ? places.has(placeOf(place)) : ids.has(id);
  const entries = await ofLedger(entriesOf(ledger, [...ids]));
  if (seen?.length === 0 && entries.ledger.length > 0)
    throw new UserError(`nothing of what ${consumer.CONSUMER_GROUP} has committed was seen`);
  return {
    client,
    topic,
    ...entries,
    dead: (await readable(`the topic ${consumer.DEAD_TOPIC}`, lettersOf(consumer))).filter(isOurs),
    commits,
    cuts,
  };
}

/** The settings of a topology's consumers, as seen from the host. */
export async function consumerOf(topology: Topology, user?: KafkaUser): Promise<ConsumerConfig> {
  const { environment } = (await topology.config()).services.consumer;
  const { KAFKA_PORT_1, KAFKA_PORT_2, KAFKA_PORT_3 } = await topology.ports();
  const brokers = [KAFKA_PORT_1, KAFKA_PORT_2, KAFKA_PORT_3].map((port) => `127.0.0.1:${port}`);
  // The ledger is read past this, by topology.ledger(); where it is secured its URL lies in a file of the container's.
  const { LEDGER_URL_FILE: inFile, ...others } = environment;
  const ledger = inFile === undefined ? {} : { LEDGER_URL: "postgres://elsewhere" };
  return consumerConfig({
    ...others,
    ...ledger,
    KAFKA_BROKERS: brokers.join(),
    ...topology.kafkaVariables(user),
  });
}

/** What the group was done with before the run: none of the run's records lies before it. */
function committedBefore(commits: readonly CommitSeen[], startMs: number): Map<number, number> {
  const before = commits.filter(({ atMs }) => atMs < startMs);
  return new Map(before.map(({ partition, offset }) => [partition, offset]));
}

async function recordsOf(
  config: ConsumerConfig,
  ids: ReadonlySet<string>,
  from: ReadonlyMap<number, number>,
): Promise<TopicRecord[]> {
  const found: TopicRecord[] = [];
  await readAll(config, config.ORDERS_TOPIC, from, ({ key, partition, offset, timestampMs }) => {
    const id = key?.toString() ?? "";
    if (ids.has(id)) found.push({ id, partition, offset, timestampMs });
  });
  return found;
}

async function lettersOf(config: ConsumerConfig): Promise<DeadLetter[]> {
  const found: DeadLetter[] = [];
  await readAll(config, config.DEAD_TOPIC, new Map(), (record) => {
    const { orderId, source, reason } = letterOf(record);
    const { partition, offset } = source ?? { partition: -1, offset: -1 };
    found.push({ id: orderId ?? undefined, partition, offset, reason });
  });
  return found;
}

async function readAll(
  config: ConsumerConfig,
  topic: string,
  from: ReadonlyMap<number, number>,
  take: (record: ReadRecord) => void,
): Promise<void> {
  const reader = await openTopicReader(config, topic);
  try {
    const ranges = reader.ranges.map(({ partition, start, end }) => ({
      partition,
      start: Math.max(start, from.get(partition) ?? 0),
      end,
    }));
    await reader.read(ranges, (record) => {
      take(record);
      return undefined;
    });
  } finally {
    await reader.close();
  }
}
