/** A member's places in a topic's log, with a commit's metadata, and the leader epoch, which tells of a log cut (KIP-320). */
import { CString, type Pointer } from "bun:ffi";
import type { Asking } from "./admin.ts";
import { cText, errorText, rdkafka } from "./ffi.ts";

/** The offset of the next record, the epoch of the newest before it (-1: not known), and ASCII without blanks. */
export type Commit = { partition: number; offset: number; leaderEpoch: number; metadata: string };
export type CommittedOffset = Omit<Commit, "partition">;
/** Where reading begins: at an offset, or at the oldest record. */
export type Start = { partition: number; offset: number | "beginning"; leaderEpoch: number };

const rewindTimeoutMs = 500;
/** RD_KAFKA_OFFSET_BEGINNING. */
const oldest = -2;

export function openPlaces(client: Pointer, { ask }: Asking, group: string, topic: string) {
  const name = cText(topic);
  return {
    /** Takes partitions on, from where it is told. @throws Error with librdkafka's words */
    assign: (starts: readonly Start[]): void =>
      must(rdkafka.coffee_orders_assign(client, name, places(starts))),
    /** @throws Error with librdkafka's words */
    unassign: (partitions: readonly number[]): void =>
      must(rdkafka.coffee_orders_unassign(client, name, lines(partitions.map((one) => [one])))),
    /** Reads a partition on from there, and blocks until all that is polled comes from there. @throws Error as `assign` */
    rewind: (start: Start): void =>
      must(rdkafka.coffee_orders_rewind(client, name, places([start]), rewindTimeoutMs)),
    /** Each has its own answer. @throws Error with the coordinator's or librdkafka's words, or when none came in time */
    commit: (commits: readonly Commit[], timeoutMs: number): Promise<void> =>
      ask(timeoutMs, {
        send(queue) {
          const all = commits.map((one) => [one.partition, one.offset, one.leaderEpoch, one.metadata]);
          const code = rdkafka.coffee_orders_commit(client, name, lines(all), queue);
          if (code !== 0) throw new Error(errorText(code));
        },
        read: () => undefined,
      }),
    /** What the group has committed; nothing for a partition of which nothing is. @throws Error */
    committed: (partitions: readonly number[], timeoutMs: number): Promise<Map<number, CommittedOffset>> =>
      ask(timeoutMs, {
        send(queue) {
          const all = lines(partitions.map((one) => [one]));
          rdkafka.coffee_orders_ask_committed(client, cText(group), name, all, queue);
        },
        read: (event) => committedIn(textOf(rdkafka.coffee_orders_committed(event)) ?? ""),
      }),
    /** The id that the brokers gave the topic when it was made, as last heard; undefined: they told none. */
    topicId: (): string | undefined => textOf(rdkafka.coffee_orders_topic_id(client, name)),
  };
}

const places = (starts: readonly Start[]): Buffer =>
  lines(
    starts.map((one) => [one.partition, one.offset === "beginning" ? oldest : one.offset, one.leaderEpoch]),
  );
const lines = (places: readonly (readonly (number | string)[])[]): Buffer =>
  cText(places.map((place) => place.join(" ")).join("\n"));

/** A text of native/group.cc, which is freed; undefined where there is none. */
function textOf(address: Pointer | bigint | null): string | undefined {
  if (address === null) return undefined;
  const text = new CString(address as Pointer).toString();
  rdkafka.coffee_orders_free(address as Pointer);
  return text;
}

function must(fault: Pointer | bigint | null): void {
  const said = textOf(fault);
  if (said !== undefined) throw new Error(said);
}

function committedIn(text: string): Map<number, CommittedOffset> {
  if (text.startsWith("!")) throw new Error(text.slice(1));
  const found = new Map<number, CommittedOffset>();
  for (const line of text.split("\n").filter(Boolean)) {
    const [partition = 0, offset = 0, leaderEpoch = 0] = line.split(" ", 3).map(Number);
    const metadata = Buffer.from(line.split(" ")[3] ?? "", "hex").toString("latin1");
    if (offset >= 0) found.set(partition, { offset, leaderEpoch, metadata });
  }
  return found;
}
