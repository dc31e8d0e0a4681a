/**
 * Watches what a group commits, from outside: it joins nothing and commits nothing. A broker that does not answer
 * costs samples and nothing else.
 */
import { comesTrue } from "../../kit/until.ts";
import { UserError } from "../../kit/user-error.ts";
import type { ConsumerConfig } from "../../src/config.ts";
import Kafka from "../../src/kafka/addon.ts";
import { called, clientOptions, disconnect, metadataOf } from "../../src/kafka/client.ts";
import type { CommitSeen } from "./history.ts";

const callTimeoutMs = 5_000;
const answerTimeoutMs = 2_000;
/** For the last sample, which must not be missing. */
const lastSampleLimitMs = 30_000;

export type CommitSampler = {
  /** So far, in the order of their time: one entry for each change. */
  readonly commits: readonly CommitSeen[];
  /** Takes a last sample and ends; a second call does nothing. @throws UserError when no broker gives it any more */
  stop(): Promise<void>;
};

/** Starts at once. @throws Error when no broker answers or the topic is not there */
export async function startSampler(config: ConsumerConfig, { everyMs = 500 } = {}): Promise<CommitSampler> {
  const { ORDERS_TOPIC: topic, CONSUMER_GROUP: group } = config;
  const client = new Kafka.KafkaConsumer(
    { ...clientOptions(config), "group.id": group, "enable.auto.commit": false },
    {},
  );
  // What lasts is noticed as an answer that does not come.
  client.on("event.error", () => undefined);
  await called((done) => client.connect({ topic, timeout: callTimeoutMs }, done));
  const { partitions } = await metadataOf(client)(topic, callTimeoutMs);
  const places = partitions.map(({ id }) => ({ topic, partition: id }));
  const commits: CommitSeen[] = [];
  const newest = new Map<number, number>();

  /** @returns whether the group's coordinator told of every partition */
  async function sample(): Promise<boolean> {
    try {
      const { told, isWhole } = await committedAt(client, places);
      const atMs = Date.now();
      for (const { partition, offset } of told) {
        // Nothing is committed yet.
        if (offset === undefined || offset < 0 || newest.get(partition) === offset) continue;
        newest.set(partition, offset);
        commits.push({ atMs, partition, offset });
      }
      return isWhole;
    } catch {
      return false;
    }
  }

  let stopped = false;
  const sampling = (async () => {
    while (!stopped) {
      await sample();
      if (!stopped) await Bun.sleep(everyMs);
    }
  })();

  async function end(): Promise<void> {
    stopped = true;
    await sampling;
    const complete = await comesTrue(sample, lastSampleLimitMs, everyMs);
    await disconnect(client);
    if (!complete) throw new UserError(`what ${group} has committed can't be read any more`);
  }
  let ending: Promise<void> | undefined;
  return {
    commits,
    stop() {
      ending ??= end();
      return ending;
    },
  };
}

/** What is committed there, and whether that was told of every place: of another there is an Error in its stead. */
export async function committedAt(
  client: Kafka.KafkaConsumer,
  places: readonly { topic: string; partition: number }[],
): Promise<{ told: { partition: number; offset?: number }[]; isWhole: boolean }> {
  const found = await called<({ partition: number; offset?: number } | Error)[]>((done) =>
    client.committed([...places], answerTimeoutMs, done),
  );
  const told = found.filter((one) => "partition" in one);
  return { told, isWhole: told.length === places.length };
}
